package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// examine puts an image aside whose bytes are not what they were, and tells the supplier,
// who has it: it is wanted again. The updates to it have failed. A fault that passes
// changes nothing.
func (s *HeadEnd) examine(now time.Time, out *han.Outbox, im store.Image) {
	why := s.hub.Holds(im.FileHash)
	if why == nil || im.Damaged {
		return
	}
	changes, err := s.hub.Quarantine(im.FileHash)
	if err == nil {
		text := fmt.Sprintf("firmware %08X cannot be served: %v; upload the image again", im.FileVersion, why)
		err = s.tell(out, s.raise(now, s.hub.EUI64(), gbcs.AlertNonVolatileMemory, text), changes...)
	}
	if err != nil {
		s.fault(now, out, s.hub.EUI64(), err)
	}
	for _, u := range s.store.Updates() {
		if u.FileHash != im.FileHash || !u.State.Offered() {
			continue
		}
		u = with(s.figures(u), now, store.UpdateFailed, fmt.Sprintf("the hub has lost the image: %v", why))
		if err := s.tell(out, s.transferEnded(now, u, gbcs.TransferImageDiscarded, u.Outcome), store.Put(u)); err != nil {
			s.fault(now, out, u.Device, err)
			continue
		}
		s.record(out, trace.Record{At: now, Kind: trace.TransferFailed, Peer: uint64(u.Device), Version: im.FileVersion, Text: u.Outcome})
		s.hub.Finish(u.Device)
	}
}
