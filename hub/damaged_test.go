package hub_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/testimage"
)

// TestAnImageDamagedAtRest is put aside and told, its updates fail, and it can be uploaded
// again; the hub goes on.
func TestAnImageDamagedAtRest(t *testing.T) {
	large := must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 4, Sequence: 4, PayloadSize: 200_000})))
	damages := map[string]func(path string) error{
		"lost":    os.Remove,
		"cut off": func(path string) error { return os.Truncate(path, 70_000) },
		"altered": func(path string) error {
			b := must(os.ReadFile(path))
			b[150_000] ^= 1
			return os.WriteFile(path, b, 0o600)
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			h, dir, path := stored(t, large)
			h.must(damage(path))
			before := h.alerts()
			h.restart()
			h.expectDamaged(before, large)
			left, err := filepath.Glob(filepath.Join(dir, "damaged-*"))
			if err != nil || (len(left) == 1) != (name != "lost") {
				t.Errorf("put aside: %v (%v)", left, err)
			}
			before = h.alerts()
			h.restart()
			h.expectAlerts(before) // told once
			h.upload(large)
			h.must(h.distribute(large, gsme))
			h.askImage(gsme, 1)
			h.fetch(gsme, large, 0, 48)
		})
	}
}

// TestAnImageDamagedWhileItIsServed: the device is not made to wait for it for ever.
func TestAnImageDamagedWhileItIsServed(t *testing.T) {
	large := must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 4, Sequence: 4, PayloadSize: 200_000})))
	h, _, path := stored(t, large)
	h.askImage(gsme, 1)
	h.fetch(gsme, large, 0, 48)
	h.must(os.Truncate(path, 70_000))
	before := h.alerts()
	h.askBlock(gsme, large, 100_000)
	h.expectDamaged(before, large)
	if r := h.askBlock(gsme, large, 100_000); r.Status != zcl.StatusAbort {
		t.Errorf("a block after that: %s, want ABORT", r.Status)
	}
}

// stored returns a home whose images are on disk, with one that is being distributed to
// the gas meter, and the path of that.
func stored(t *testing.T, im *imagecache.Image) (h *home, dir, path string) {
	t.Helper()
	h, dir = newHome(t), filepath.Join(t.TempDir(), "images")
	cache, err := imagecache.Open(dir, nil)
	h.must(err)
	t.Cleanup(func() { h.must(cache.Close()) })
	for _, known := range h.store.Images() {
		f, err := h.cache.Open(known.FileHash)
		h.must(err)
		b := make([]byte, f.Size())
		_, err = f.ReadAt(b, 0)
		h.must(err)
		h.must(cache.Add(must(imagecache.NewImage(b))))
	}
	h.cache = cache
	h.restart()
	h.upload(im)
	h.must(h.distribute(im, gsme))
	name := im.FileHash.String()
	return h, dir, filepath.Join(dir, "sha256", name[:2], name[2:])
}

// expectDamaged expects that an image is known as damaged, with its update failed, and
// that the supplier was told of both.
func (h *home) expectDamaged(since uint64, im *imagecache.Image) {
	h.t.Helper()
	h.expectAlerts(since, gbcs.AlertNonVolatileMemory, gbcs.AlertFirmwareTransferFail)
	if u := h.expectUpdate(gsme, im, store.UpdateFailed); !strings.Contains(u.Outcome, "the hub has lost the image") {
		h.t.Errorf("outcome %q", u.Outcome)
	}
	for _, known := range h.store.Images() {
		if known.Damaged != (imagecache.Hash(known.FileHash) == im.FileHash) {
			h.t.Errorf("image %08X is damaged: %v", known.FileVersion, known.Damaged)
		}
	}
	if err := h.distribute(im, han.EUI64(esme)); err == nil {
		h.t.Error("it is distributed all the same")
	}
}
