package imagecache

import (
	"bytes"
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// tmpfs mounts a small file system of its own, or skips the test.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mount a tmpfs: %v (needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func TestFullDisk(t *testing.T) {
	dir := tmpfs(t, "256k")
	c := openCache(t, dir)
	small, large := sample(1, 100_000), sample(2, 200_000)
	put(t, c, small)
	_, err := c.Put(bytes.NewReader(large), MaxUpload)
	demandError(t, err, "keep image: no space left on device")
	im, err := NewImage(large)
	must(t, err)
	if err := c.Add(im); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("add: %v, want ENOSPC", err)
	}
	demandNothingIncoming(t, c.shelf.(*disk))
	demandImages(t, c, small)
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=1m"))
	put(t, c, large)
	demandImages(t, c, small, large)
}

func TestReadOnlyFolder(t *testing.T) {
	dir := tmpfs(t, "256k")
	file := sample(1, 1000)
	put(t, openCache(t, dir), file)
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	c := openCache(t, dir)
	demandImages(t, c, file)
	_, err := c.Put(bytes.NewReader(sample(2, 10)), MaxUpload)
	demandError(t, err, "keep image: read-only file system")
	demandError(t, c.Remove(hashOf(t, file)), "read-only file system")
	_, err = Open(filepath.Join(dir, "absent"))
	demandError(t, err, "read-only file system")
}
