package hub_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/disktest"
	"github.com/commshub/commshub/internal/nodetest"
)

// What a life of removals has acknowledged.
const (
	bothImages   = iota + 1 // two came in, and an update to the first was cancelled
	firstRemoved            // it stays on record
	bothRemoved             // the second does not
)

// onDisk opens a hub with its records and images in a folder, and has f use it.
func onDisk(dir string, f func(h nodetest.SuppliedHub, records *store.Store, cache *imagecache.Cache) error) error {
	records, err := store.Open(filepath.Join(dir, "hub.db"), nil)
	if err != nil {
		return err
	}
	defer func() { _ = records.Close() }()
	cache, err := imagecache.Open(filepath.Join(dir, "images"), nil)
	if err != nil {
		return err
	}
	defer func() { _ = cache.Close() }()
	var out han.Outbox
	return f(nodetest.Supply(records, cache, devicetest.Start, &out), records, cache)
}

// removals is a life in which two images come in and go. It notes how far it came, and
// returns the first error.
func removals(dir string, done func(n int)) error {
	return onDisk(dir, func(h nodetest.SuppliedHub, _ *store.Store, cache *imagecache.Cache) error {
		var out han.Outbox
		now := devicetest.Start
		err := h.AddDevice(now, &out, store.Device{EUI64: esme, Kind: store.KindESME})
		for _, im := range []*imagecache.Image{nodetest.Image, image3} {
			if err == nil {
				err = cache.Add(im)
			}
			if err == nil {
				err = h.RegisterImage(now, &out, im.Entry, true)
			}
		}
		if err == nil {
			err = h.HeadEnd.Distribute(now, &out, headend.Distribution{Image: nodetest.Image.FileHash, Devices: []han.EUI64{esme}})
		}
		if err == nil {
			err = h.HeadEnd.CancelUpdate(now, &out, esme)
		}
		if err != nil {
			return err
		}
		done(bothImages)
		for i, im := range []*imagecache.Image{nodetest.Image, image3} {
			if err := h.HeadEnd.RemoveImage(now, &out, im.FileHash); err != nil {
				return err
			}
			done(firstRemoved + i)
		}
		return nil
	})
}

// demandRemovals demands that a hub starts with what is in a folder, that what was
// acknowledged as removed is gone, records and bytes alike, that what was not is there
// whole or gone, and that both can come in again.
func demandRemovals(dir string, done int) error {
	return onDisk(dir, func(h nodetest.SuppliedHub, records *store.Store, cache *imagecache.Cache) error {
		var out han.Outbox
		for i, im := range []*imagecache.Image{nodetest.Image, image3} {
			known, ok := records.ImageByFileHash(im.FileHash)
			listed, opened := ok && !known.Removed, h.Holds(im.FileHash)
			switch {
			case done >= firstRemoved+i && listed:
				return fmt.Errorf("image %d is listed, and was removed", i)
			case done == bothImages+i && !listed && opened == nil, done > bothImages+i && opened == nil:
				return fmt.Errorf("the bytes of image %d are left", i)
			case listed && opened != nil:
				return fmt.Errorf("image %d is listed, and not there: %w", i, opened)
			case known.Removed && i == 1:
				return errors.New("the image that nobody got is still on record")
			}
			if u, ok := records.Update(esme, nodetest.Image.FileHash); done >= bothImages && (!ok || u.State != store.UpdateCancelled) {
				return errors.New("the update is not on record any more")
			}
			if first, ok := records.ImageByFileHash(nodetest.Image.FileHash); done >= bothImages && (!ok || first.FileVersion == 0) {
				return errors.New("what the update was to is not on record any more")
			}
			if err := cache.Add(im); err != nil {
				return err
			}
			if err := h.RegisterImage(devicetest.Start, &out, im.Entry, true); err != nil {
				return err
			}
			if err := h.Holds(im.FileHash); err != nil {
				return fmt.Errorf("image %d, put in again: %w", i, err)
			}
		}
		return nil
	})
}

// TestAPowerCutAmongRemovals: after any operation of the disk, with any part of what was
// not synced.
func TestAPowerCutAmongRemovals(t *testing.T) {
	dir := t.TempDir()
	d := disktest.NewDisk(dir, disktest.Fault{})
	var failed error
	if err := d.Run(func() { failed = removals(dir, d.Mark) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	seed := rand.Uint64()
	t.Logf("seed %d, %d operations", seed, d.Count())
	dice := rand.New(rand.NewPCG(seed, 0))
	tried := 0
	for c := range d.Crashes() {
		if c.Mark == 0 {
			continue // how images come in is tested in imagecache
		}
		for _, k := range disktest.Keeps(dice) {
			tried++
			left := filepath.Join(t.TempDir(), "left")
			if err := c.Write(left, k.Keep); err != nil {
				t.Fatal(err)
			}
			if err := demandRemovals(left, c.Mark); err != nil {
				t.Errorf("power cut after operation %d, %s kept: %v", c.Operation, k.Name, err)
			}
		}
	}
	if tried < 60 {
		t.Errorf("%d cuts were tried, want 60 and more", tried)
	}
}

// TestEachOperationOfARemovalFailsOnce, in each way, and then the power.
func TestEachOperationOfARemovalFailsOnce(t *testing.T) {
	for _, way := range []disktest.Fault{{Errno: syscall.ENOSPC, Short: true}, {Errno: syscall.EIO}} {
		for way.At = 1; ; way.At++ {
			dir, done := t.TempDir(), 0
			d := disktest.NewDisk(dir, way)
			if err := d.Run(func() { _ = removals(dir, func(n int) { done = n }) }); err != nil {
				t.Fatal(err)
			}
			if done >= bothImages {
				left := filepath.Join(t.TempDir(), "left")
				if err := d.End().Write(left, func() bool { return false }); err != nil {
					t.Fatal(err)
				}
				if err := demandRemovals(left, done); err != nil {
					t.Errorf("%v at operation %d, then a power cut: %v", way.Errno, way.At, err)
				}
				if err := demandRemovals(dir, done); err != nil {
					t.Errorf("%v at operation %d: %v", way.Errno, way.At, err)
				}
			}
			if d.Count() < way.At {
				break
			}
		}
	}
}
