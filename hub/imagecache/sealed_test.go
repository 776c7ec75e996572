package imagecache

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/atrest/atresttest"
)

// forms are how a folder can be kept.
func forms() map[string]*atrest.Key {
	return map[string]*atrest.Key{"folder": nil, "encrypted folder": atresttest.NewKey()}
}

// filesOf returns all files of a folder with their bytes.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	}))
	return all
}

// Any 16 bytes of an image would be found.
func TestAnEncryptedImageTellsNothing(t *testing.T) {
	image := sample(1, 5000)
	for name, key := range forms() {
		dir, other := filepath.Join(t.TempDir(), "images"), filepath.Join(t.TempDir(), "images")
		put(t, openWith(t, dir, key), append([]byte("wrapper"), append(bytes.Clone(image), "trailer"...)...))
		put(t, openWith(t, other, key), image)
		for path, file := range filesOf(t, dir) {
			found := 0
			for at := 0; at+16 <= len(image); at += 16 {
				if strings.Contains(file, string(image[at:at+16])) {
					found++
				}
			}
			if (found > 0) != (key == nil) {
				t.Errorf("%s: %d places of the image are read in %s", name, found, path)
			}
			for _, twin := range filesOf(t, other) {
				if (file == twin) != (key == nil) {
					t.Errorf("%s: the same image twice is the same file: %v", name, file == twin)
				}
			}
		}
	}
}

// What is written over, as the wrapper around an image is, was under another key stream.
func TestNothingIsWrittenTwiceUnderOneStream(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "incoming"))
	must(t, err)
	defer file.Close()
	s, err := sealIncoming(plainIncoming{file}, atresttest.NewKey())
	must(t, err)
	zeros := make([]byte, 64)
	var streams [2][]byte
	_, err = s.Write(zeros)
	must(t, err)
	for i := range streams {
		b, err := os.ReadFile(file.Name())
		must(t, err)
		streams[i] = b[sealedHeader:]
		must(t, s.rewrite(zeros))
	}
	if bytes.Equal(streams[0], streams[1]) {
		t.Error("the key stream is the same")
	}
	got := make([]byte, 10)
	if _, err := s.ReadAt(got, 54); err != nil || !bytes.Equal(got, zeros[:10]) {
		t.Errorf("read back % x: %v", got, err)
	}
}

func TestAFolderOfTheOtherFormIsRefusedAndStaysAsItIs(t *testing.T) {
	key := atresttest.NewKey()
	plain, encrypted := filepath.Join(t.TempDir(), "images"), filepath.Join(t.TempDir(), "images")
	put(t, openWith(t, plain, nil), sample(1, 100))
	put(t, openWith(t, encrypted, key), sample(1, 100))
	for _, tt := range []struct {
		name, dir string
		key       *atrest.Key
		want      error
	}{
		{"encrypted images without a key", encrypted, nil, ErrEncrypted},
		{"plain images with a key", plain, key, ErrPlain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := filesOf(t, tt.dir)
			_, err := Open(tt.dir, tt.key)
			if !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), "open image cache "+tt.dir+": sha256/") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with the path and: %v", err, tt.want)
			}
			for path, file := range filesOf(t, tt.dir) {
				if before[path] != file {
					t.Errorf("%s has changed", path)
				}
			}
		})
	}
}

// A header that is damaged is a damaged image, which is for the hub to put aside.
func TestADamagedHeaderIsADamagedImage(t *testing.T) {
	dir, key := filepath.Join(t.TempDir(), "images"), atresttest.NewKey()
	c := openWith(t, dir, key)
	put(t, c, sample(1, 100))
	hash := hashOf(t, sample(1, 100))
	path := filepath.Join(dir, hash.path())
	whole := []byte(filesOf(t, dir)[path])
	for _, at := range []int{0, len(sealedMagic), sealedHeader - 1, sealedHeader} {
		spoilt := bytes.Clone(whole)
		spoilt[at] ^= 1
		for _, file := range [][]byte{spoilt, whole[:at]} {
			must(t, os.WriteFile(path, file, 0o600))
			if _, err := openWith(t, dir, key).Open(hash); err == nil {
				t.Errorf("byte %d spoilt, or the file cut there: it opens", at)
			}
		}
	}
}

func TestAFolderIsEncryptedAndDecrypted(t *testing.T) {
	key, other := atresttest.NewKey(), atresttest.NewKey()
	dir := filepath.Join(t.TempDir(), "images")
	images := [][]byte{sample(1, 100), sample(2, 70_000)}
	c := openWith(t, dir, nil)
	for _, im := range images {
		put(t, c, im)
	}
	damaged := hashOf(t, sample(3, 100))
	put(t, c, sample(3, 100))
	must(t, c.Quarantine(damaged)) // the one that was put aside is no less secret
	before := filesOf(t, dir)
	for _, step := range []struct {
		name    string
		do      func(string, *atrest.Key) (int, error)
		key     *atrest.Key
		changed int
		want    error
		opens   *atrest.Key
	}{
		{"decrypt plain ones", Decrypt, key, 0, nil, nil},
		{"encrypt them", Encrypt, key, 3, nil, key},
		{"encrypt them again", Encrypt, key, 0, nil, key},
		{"encrypt them with another key", Encrypt, other, 0, atrest.ErrWrongKey, key},
		{"decrypt them with another key", Decrypt, other, 0, atrest.ErrWrongKey, key},
		{"decrypt them", Decrypt, key, 3, nil, nil},
	} {
		if changed, err := step.do(dir, step.key); changed != step.changed || !errors.Is(err, step.want) {
			t.Errorf("%s: changed %d, error %v, want %d, %v", step.name, changed, err, step.changed, step.want)
		}
		demandImages(t, openWith(t, dir, step.opens), images...)
	}
	for path, file := range filesOf(t, dir) {
		if before[path] != file {
			t.Errorf("there and back, %s is another file", path)
		}
	}
	if changed, err := Encrypt(filepath.Join(t.TempDir(), "none"), key); changed != 0 || err != nil {
		t.Errorf("a folder that is not there: %d, %v", changed, err)
	}
}
