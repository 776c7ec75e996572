package imagecache

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/disktest"
)

// life is what is done with a cache: two images come in, one by each way, and the first
// goes. It notes how far it came, and returns the first error.
func life(dir string, key *atrest.Key, files [2][]byte, done func(n int)) error {
	c, err := Open(dir, key)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	for i, file := range files {
		if err := ways[i].take(c, append([]byte("wrapper"), file...)); err != nil {
			return err
		}
		done(i + 1)
	}
	im, err := NewImage(files[0])
	if err != nil {
		return err
	}
	if err := c.Remove(im.FileHash); err != nil {
		return err
	}
	done(3)
	return nil
}

// lives returns which images are there after 0, 1, 2, 3 acknowledgements.
func lives(t *testing.T, files [2][]byte) [][]Hash {
	first, second := hashOf(t, files[0]), hashOf(t, files[1])
	both := []Hash{first, second}
	slices.SortFunc(both, compareHashes)
	return [][]Hash{{}, {first}, both, {second}}
}

// demandCache demands a cache with the images after done acknowledgements, or one more,
// each of them whole, that takes in what is missing.
func demandCache(t *testing.T, dir string, key *atrest.Key, files [2][]byte, done int) error {
	c, err := Open(dir, key)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	have, err := c.List()
	if err != nil {
		return err
	}
	all := lives(t, files)
	if !slices.Equal(have, all[done]) && (done == 3 || !slices.Equal(have, all[done+1])) {
		return fmt.Errorf("%d images, want %d after %d acknowledgements", len(have), len(all[done]), done)
	}
	for _, hash := range have {
		if _, err := c.Load(hash); err != nil {
			return err
		}
	}
	return ways[0].take(c, files[0])
}

// A power cut after any operation, with any part of what was not synced: what was
// acknowledged is there and whole, what was not is there whole or not at all.
func TestAPowerCutAfterAnyOperationOfTheDisk(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { cutAfterAnyOperation(t, key) })
	}
}

func cutAfterAnyOperation(t *testing.T, key *atrest.Key) {
	files := [2][]byte{sample(1, 3000), sample(2, 20_000)}
	dir := t.TempDir()
	d := disktest.NewDisk(dir, disktest.Fault{})
	var failed error
	must(t, d.Run(func() { failed = life(filepath.Join(dir, "images"), key, files, d.Mark) }))
	must(t, failed)
	seed := rand.Uint64()
	t.Logf("seed %d, %d operations", seed, d.Count())
	dice := rand.New(rand.NewPCG(seed, 0))
	for c := range d.Crashes() {
		for _, k := range disktest.Keeps(dice) {
			left := filepath.Join(t.TempDir(), "left")
			must(t, c.Write(left, k.Keep))
			if err := demandCache(t, filepath.Join(left, "images"), key, files, c.Mark); err != nil {
				t.Errorf("power cut after operation %d, %s kept: %v", c.Operation, k.Name, err)
			}
		}
	}
	if d.Count() < 20 {
		t.Errorf("%d operations were seen, want 20 and more", d.Count())
	}
}

// One operation fails, for each that there is, and in each way, and then the power: what
// was acknowledged before is there.
func TestEachOperationOfTheDiskFailsOnce(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { eachOperationFails(t, key) })
	}
}

func eachOperationFails(t *testing.T, key *atrest.Key) {
	files := [2][]byte{sample(1, 3000), sample(2, 20_000)}
	for _, way := range []disktest.Fault{{Errno: syscall.ENOSPC, Short: true}, {Errno: syscall.EIO}} {
		for way.At = 1; ; way.At++ {
			dir, done := t.TempDir(), 0
			d := disktest.NewDisk(dir, way)
			must(t, d.Run(func() { _ = life(filepath.Join(dir, "images"), key, files, func(n int) { done = n }) }))
			if err := demandCache(t, filepath.Join(dir, "images"), key, files, done); err != nil {
				t.Errorf("%v at operation %d: %v", way.Errno, way.At, err)
			}
			left := filepath.Join(t.TempDir(), "left")
			must(t, d.End().Write(left, func() bool { return false }))
			if err := demandCache(t, filepath.Join(left, "images"), key, files, done); err != nil {
				t.Errorf("%v at operation %d, then a power cut: %v", way.Errno, way.At, err)
			}
			if d.Count() < way.At {
				break
			}
		}
	}
}
