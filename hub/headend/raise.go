package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// raised is what the hub tells of what the head end finds: the changes that are committed
// with it, and what is recorded then.
type raised struct {
	changes []store.Change
	record  trace.Record
}

// raise has the hub say what a device cannot say itself.
func (s *HeadEnd) raise(now time.Time, eui han.EUI64, code gbcs.AlertCode, text string) raised {
	return raised{s.hub.Raise(now, eui, code, text), recordOf(now, code, text)}
}

// transferEnded has the hub say how it fared with an update's image (CCS08).
func (s *HeadEnd) transferEnded(now time.Time, u store.Update, outcome gbcs.TransferOutcome, text string) raised {
	return raised{s.hub.TransferEnded(now, u.Device, s.versionOf(u), outcome, text), recordOf(now, outcome.Alert(), text)}
}

// discarded is transferEnded of an image that the hub had for a device, and has no more.
func (s *HeadEnd) discarded(now time.Time, u store.Update, why string) raised {
	return s.transferEnded(now, u, gbcs.TransferImageDiscarded, fmt.Sprintf("%s: %s", gbcs.TransferImageDiscarded, why))
}

func recordOf(now time.Time, code gbcs.AlertCode, text string) trace.Record {
	return trace.Record{At: now, Kind: trace.AlertRaised, Code: uint32(code), Text: fmt.Sprintf("%s: %s", code, text)}
}

// tell puts what is raised into the inbox, with the changes that it is about.
func (s *HeadEnd) tell(out *han.Outbox, r raised, along ...store.Change) error {
	if err := s.store.Commit(append(along, r.changes...)...); err != nil {
		return err
	}
	s.record(out, r.record)
	return nil
}
