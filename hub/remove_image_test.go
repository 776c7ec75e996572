package hub_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/trace"
)

func (h *home) removeImage(im *imagecache.Image) error {
	return h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.HeadEnd.RemoveImage(now, out, im.FileHash)
	})
}

// expectGone demands that an image is not listed, not kept and not distributed.
func (h *home) expectGone(im *imagecache.Image) {
	h.t.Helper()
	for _, known := range h.store.Images() {
		if imagecache.Hash(known.FileHash) == im.FileHash {
			h.t.Errorf("image %08X is listed", known.FileVersion)
		}
	}
	if err := h.distribute(im, esme); !errors.Is(err, store.ErrUnknownImage) {
		h.t.Errorf("distributed: %v", err)
	}
	if f, err := h.cache.Open(im.FileHash); err == nil {
		h.t.Errorf("its bytes are kept; %v", f.Close())
	}
}

// TestAnImageIsRemoved: whoever removes it again finds it gone, what is on record of its
// updates keeps what it was, and it can come in again.
func TestAnImageIsRemoved(t *testing.T) {
	h := newHome(t)
	h.must(h.distribute(image3, gsme))
	if err := h.removeImage(image3); !errors.Is(err, store.ErrConflict) {
		t.Errorf("removed while it is in use: %v", err)
	}
	h.must(h.cancel(gsme))
	h.forget()
	h.must(h.removeImage(image3))
	h.must(h.removeImage(image3)) // by a second client
	if n := len(h.records); n != 1 || h.records[0].Kind != trace.ImageRemoved || h.records[0].Version != 3 {
		t.Errorf("records %v", h.records)
	}
	h.expectGone(image3)
	if im, ok := h.store.ImageByFileHash(image3.FileHash); !ok || im.FileVersion != 3 || im.Size != uint32(image3.Header.TotalSize) {
		t.Errorf("the update that was cancelled is to version %08X", im.FileVersion)
	}
	h.restart()
	h.expectGone(image3)

	h.upload(image3)
	h.must(h.distribute(image3, gsme))
	h.askImage(gsme, 1)
	h.fetch(gsme, image3, 0, 48)
	h.expectUpdate(gsme, image3, store.UpdateDownloading)
}

// TestARemovedImageIsForgotten when no update speaks of it: at once, or at the next start.
func TestARemovedImageIsForgotten(t *testing.T) {
	h := newHome(t)
	h.must(h.removeImage(nodetest.Image))
	if _, ok := h.store.ImageByFileHash(nodetest.Image.FileHash); ok {
		t.Error("an image that nobody ever got is still on record")
	}
	h.must(h.distribute(image3, gsme))
	h.must(h.cancel(gsme))
	h.must(h.removeImage(image3))
	h.must(h.remove(gsme))
	h.restart()
	if n := len(h.store.RemovedImages()); n != 0 {
		t.Errorf("%d removed images are on record, want none", n)
	}
}

// TestAnImageRemovedWhileItComesIn: who uploads it is told, and nothing is listed that is
// not there.
func TestAnImageRemovedWhileItComesIn(t *testing.T) {
	h := newHome(t)
	h.must(h.cache.Add(image3)) // it is there already
	h.must(h.removeImage(image3))
	err := h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.RegisterImage(now, out, image3.Entry, false) })
	if !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "upload it again") {
		t.Errorf("registered: %v", err)
	}
	h.expectGone(image3)
}

// TestAnImageWhoseBytesStay, because the disk fails: it is not offered any more, the error
// says so, and the next start or removal ends it.
func TestAnImageWhoseBytesStay(t *testing.T) {
	for name, again := range map[string]func(h *home, im *imagecache.Image){
		"removed again": func(h *home, im *imagecache.Image) { h.must(h.removeImage(im)) },
		"restarted":     func(h *home, _ *imagecache.Image) { h.restart() },
	} {
		t.Run(name, func(t *testing.T) {
			h, _, path := stored(t, image3)
			h.must(h.cancel(gsme))
			h.must(os.Remove(path))
			h.must(os.MkdirAll(path+"/in the way", 0o700)) // what cannot be unlinked
			err := h.removeImage(image3)
			if err == nil || !strings.Contains(err.Error(), "it is not offered any more") {
				t.Fatalf("removed: %v", err)
			}
			h.must(os.RemoveAll(path))
			again(h, image3)
			h.expectGone(image3)
		})
	}
}
