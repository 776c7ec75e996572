package imagecache

import (
	"bytes"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/commshub/commshub/internal/atrest"
)

// faults decides which of the operations on a folder fail: all from the one with
// number from on, until the one with number to. Reads do not count.
type faults struct{ count, from, to int }

func (f *faults) next() error {
	f.count++
	if f.count > f.from && f.count <= f.to {
		return syscall.ENOSPC
	}
	return nil
}

// faultyFolder is a folder on a disk that fails at a chosen operation.
type faultyFolder struct {
	folder
	faults *faults
}

func (f faultyFolder) create(name string) (incoming, error) {
	if err := f.faults.next(); err != nil {
		return nil, err
	}
	file, err := f.folder.create(name)
	return faultyFile{file, f.faults}, err
}

func (f faultyFolder) mkdir(name string) error {
	if err := f.faults.next(); err != nil {
		return err
	}
	return f.folder.mkdir(name)
}

func (f faultyFolder) rename(from, to string) error {
	if err := f.faults.next(); err != nil {
		return err
	}
	return f.folder.rename(from, to)
}

func (f faultyFolder) remove(name string) error {
	if err := f.faults.next(); err != nil {
		return err
	}
	return f.folder.remove(name)
}

func (f faultyFolder) sync(dir string) error {
	if err := f.faults.next(); err != nil {
		return err
	}
	return f.folder.sync(dir)
}

// faultyFile writes half of what it is given before it fails.
type faultyFile struct {
	incoming
	faults *faults
}

func (f faultyFile) Write(p []byte) (int, error) {
	if err := f.faults.next(); err != nil {
		n, _ := f.incoming.Write(p[:len(p)/2])
		return n, err
	}
	return f.incoming.Write(p)
}

func (f faultyFile) rewrite(p []byte) error {
	if err := f.faults.next(); err != nil {
		_ = f.incoming.rewrite(p[:len(p)/2])
		return err
	}
	return f.incoming.rewrite(p)
}

func (f faultyFile) Sync() error {
	if err := f.faults.next(); err != nil {
		return err
	}
	return f.incoming.Sync()
}

// way is one way an image comes in.
type way struct {
	name string
	take func(c *Cache, published []byte) error
}

var ways = []way{
	{"put", func(c *Cache, published []byte) error {
		_, err := c.Put(bytes.NewReader(published), MaxUpload)
		return err
	}},
	{"add", func(c *Cache, published []byte) error {
		im, err := NewImage(published)
		if err != nil {
			return err
		}
		return c.Add(im)
	}},
}

// faulty opens a cache whose disk fails as told, with one image already there.
func faulty(t *testing.T, dir string, key *atrest.Key, f *faults) (c *Cache, before []byte) {
	t.Helper()
	c, before = openWith(t, dir, key), sample(1, 100)
	put(t, c, before)
	d := c.shelf.(*disk)
	d.folder = faultyFolder{d.folder, f}
	return c, before
}

// The disk fails at each operation in turn, once, and works again: the image is
// refused and nothing of it is left.
func TestDiskThatFailsOnce(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { failsOnce(t, key) })
	}
}

func failsOnce(t *testing.T, key *atrest.Key) {
	published := append([]byte("wrapper"), append(sample(2, 100_000), "trailer"...)...)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			failed := 0
			for n := 0; ; n++ {
				f := &faults{from: n, to: n + 1}
				c, before := faulty(t, filepath.Join(t.TempDir(), "images"), key, f)
				err := w.take(c, published)
				if f.count <= n {
					must(t, err)
					break
				}
				failed++
				demandError(t, err, "keep image: no space left on device")
				demandNothingIncoming(t, c.shelf.(*disk))
				demandImages(t, c, before)
				must(t, w.take(c, published))
				demandImages(t, c, before, published[7:len(published)-7])
			}
			if failed < 6 {
				t.Errorf("only %d operations failed", failed)
			}
		})
	}
}

// The process dies at each operation in turn: the image is there whole or not at
// all after the next start, and nothing else is left.
func TestProcessThatDies(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { dies(t, key) })
	}
}

func dies(t *testing.T, key *atrest.Key) {
	file := sample(2, 100_000)
	published := append([]byte("wrapper"), file...)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			for n := 0; ; n++ {
				f := &faults{from: n, to: 1 << 30}
				dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
				c, before := faulty(t, dir, key, f)
				err := w.take(c, published)
				again := openWith(t, dir, key)
				entries, listing := again.shelf.(*disk).folder.entries(".")
				must(t, listing)
				if len(entries) != 1 {
					t.Errorf("after %d operations the folder holds %v", n, entries)
				}
				hashes, listing := again.List()
				must(t, listing)
				if len(hashes) == 2 {
					demandImages(t, again, before, file)
				} else {
					demandImages(t, again, before)
				}
				must(t, w.take(again, published))
				demandImages(t, again, before, file)
				if err == nil {
					break
				}
			}
		})
	}
}

func TestRemoveThatFails(t *testing.T) {
	for n := range 2 {
		f := &faults{from: n, to: n + 1}
		c, before := faulty(t, filepath.Join(t.TempDir(), "images"), nil, f)
		hash := hashOf(t, before)
		demandError(t, c.Remove(hash), "remove image "+hash.String()+": no space left on device")
		must(t, c.Remove(hash))
		demandImages(t, c)
	}
}

// hashOf returns the hash that a file has in any cache.
func hashOf(t *testing.T, file []byte) Hash {
	t.Helper()
	im, err := NewImage(file)
	must(t, err)
	return im.FileHash
}
