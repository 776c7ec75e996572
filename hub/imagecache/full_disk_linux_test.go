package imagecache

import (
	"bytes"
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/commshub/commshub/internal/disktest"
)

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "256k")
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
	disktest.Resize(t, dir, "1m")
	put(t, c, large)
	demandImages(t, c, small, large)
}

func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "256k")
	file := sample(1, 1000)
	put(t, openCache(t, dir), file)
	disktest.Protect(t, dir)
	c := openCache(t, dir)
	demandImages(t, c, file)
	_, err := c.Put(bytes.NewReader(sample(2, 10)), MaxUpload)
	demandError(t, err, "keep image: read-only file system")
	demandError(t, c.Remove(hashOf(t, file)), "read-only file system")
	_, err = Open(filepath.Join(dir, "absent"), nil)
	demandError(t, err, "read-only file system")
}
