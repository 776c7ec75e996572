package imagecache

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// demandNothingIncoming demands that no upload left anything behind.
func demandNothingIncoming(t *testing.T, d *disk) {
	t.Helper()
	entries, err := d.folder.entries(".")
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != imagesDir {
		t.Errorf("the folder holds %v, want only %s", entries, imagesDir)
	}
	shards, err := d.folder.entries(imagesDir)
	must(t, err)
	for _, shard := range shards {
		if files, err := d.folder.entries(filepath.Join(imagesDir, shard.Name())); err != nil || len(files) == 0 {
			t.Errorf("folder %s holds %v, %v, want an image", shard.Name(), files, err)
		}
	}
}

func TestFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	put(t, openCache(t, dir), sample(1, 10))
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		must(t, err)
		info, err := e.Info()
		must(t, err)
		want := fs.FileMode(0o600)
		if e.IsDir() {
			want = fs.ModeDir | 0o700
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
		return nil
	})
	must(t, err)
}

func TestOpenRemovesWhatAnInterruptedPutLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	file := sample(1, 10)
	put(t, openCache(t, dir), file)
	for _, name := range []string{"incoming-1", "incoming-17"} {
		must(t, os.WriteFile(filepath.Join(dir, name), file[:20], 0o600))
	}
	c := openCache(t, dir)
	demandNothingIncoming(t, c.shelf.(*disk))
	put(t, c, sample(2, 10))
	demandImages(t, c, file, sample(2, 10))
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	c := openCache(t, dir)
	file := sample(1, 10)
	hash := put(t, c, file).FileHash.String()
	shard := filepath.Join(dir, imagesDir, hash[:2])
	for _, path := range []string{
		filepath.Join(dir, "README"), filepath.Join(dir, imagesDir, "ab"+hash[2:]), filepath.Join(shard, "x"),
		filepath.Join(shard, strings.ToUpper(hash[2:])+"A"), filepath.Join(shard, hash[2:]+".bak"),
	} {
		must(t, os.WriteFile(path, []byte("mine"), 0o600))
	}
	demandImages(t, c, file)
	c = openCache(t, dir)
	demandImages(t, c, file)
	if _, err := os.Stat(filepath.Join(dir, "README")); err != nil {
		t.Error(err)
	}
}

func TestChangedImageIsNotOpened(t *testing.T) {
	file := sample(1, 3*readAhead)
	flipped := bytes.Clone(file)
	flipped[2*readAhead] ^= 1
	tests := []struct {
		name   string
		change func(t *testing.T, path string)
		want   string
	}{
		{"a flipped bit", func(t *testing.T, path string) { must(t, os.WriteFile(path, flipped, 0o600)) }, "changed on disk: its SHA-256 is now "},
		{"a cut end", func(t *testing.T, path string) { must(t, os.Truncate(path, 1000)) }, "changed on disk: its SHA-256 is now "},
		{"nothing left", func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, "changed on disk: its SHA-256 is now e3b0c44298fc1c14"},
		{"a file grown without bounds", func(t *testing.T, path string) { must(t, os.Truncate(path, 1<<30)) }, "changed on disk: 1073741824 bytes, want at most 10240000"},
		{"a symbolic link", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".elsewhere"))
			must(t, os.Symlink(path+".elsewhere", path))
		}, "not a regular file"},
		{"a named pipe", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			must(t, syscall.Mkfifo(path, 0o600))
		}, "not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "images")
			c := openCache(t, dir)
			hash := put(t, c, file).FileHash
			tt.change(t, filepath.Join(dir, hash.path()))
			_, err := c.Open(hash)
			demandError(t, err, "open image "+hash.String()+": "+tt.want)
			_, err = c.Load(hash)
			demandError(t, err, tt.want)
			put(t, c, file) // puts it right
			demandImages(t, c, file)
			demandNothingIncoming(t, c.shelf.(*disk))
		})
	}
}

func TestImageCutWhileOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	c := openCache(t, dir)
	f, file := openSample(t, c, 3*readAhead)
	hashes, err := c.List()
	must(t, err)
	must(t, os.Truncate(filepath.Join(dir, hashes[0].path()), readAhead+5))
	p := make([]byte, len(file))
	n, err := f.ReadAt(p, 0)
	demandError(t, err, "read image: the file ends at 65541 of 196670 bytes")
	if n != readAhead || !bytes.Equal(p[:n], file[:n]) {
		t.Errorf("read %d bytes, want the first %d", n, readAhead)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for path, want := range map[string]string{
		file:                                 "not a directory",
		filepath.Join(file, "images"):        "not a directory",
		filepath.Join(dir, "none", "images"): "no such file or directory",
	} {
		_, err := Open(path, nil)
		demandError(t, err, "open image cache "+path+": "+want)
	}
}
