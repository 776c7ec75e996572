package headend

import (
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
)

// RemoveImage removes an image from the hub. It is refused while an update to it has not
// ended: its device may still ask for the bytes, or be ordered to switch to them. Updates
// that ended keep what the image was on record. Removing what is not there does nothing.
func (s *HeadEnd) RemoveImage(now time.Time, out *han.Outbox, fileHash imagecache.Hash) error {
	updates := s.updatesTo(fileHash)
	if im, ok := s.hub.Image(fileHash); ok && !im.Removed {
		for _, u := range updates {
			if !u.State.Ended() {
				return fmt.Errorf("remove image %08X: %w: it is in use: %s", im.FileVersion, store.ErrConflict, s.inUse(u))
			}
		}
	}
	return s.hub.RemoveImage(now, out, fileHash, len(updates) == 0)
}

func (s *HeadEnd) updatesTo(fileHash imagecache.Hash) []store.Update {
	return slices.DeleteFunc(s.store.Updates(), func(u store.Update) bool { return u.FileHash != fileHash })
}

// inUse says what an update needs its image for, and what ends that.
func (s *HeadEnd) inUse(u store.Update) string {
	switch {
	case u.State == store.UpdateActivating:
		return fmt.Sprintf("the order to activate is on its way to %s; wait for its answer", u.Device)
	case u.State != store.UpdateDated:
		return fmt.Sprintf("the update of %s is %s; cancel it first (commshub firmware cancel %s)", u.Device, u.State, u.Device)
	case s.cancelling(u):
		return fmt.Sprintf("the order to cancel the dated activation is on its way to %s; wait for its answer, then cancel the update", u.Device)
	default:
		return fmt.Sprintf("%s is to activate it (%s); cancel that first (commshub firmware cancel %s --activation), then the update", u.Device, u.Outcome, u.Device)
	}
}

// finishRemovals does what a power cut or a failing disk left undone, and forgets removed
// images that no update speaks of any more.
func (s *HeadEnd) finishRemovals(now time.Time, out *han.Outbox) {
	for _, im := range s.store.RemovedImages() {
		if err := s.RemoveImage(now, out, im.FileHash); err != nil {
			s.fault(now, out, s.hub.EUI64(), err)
		}
	}
}
