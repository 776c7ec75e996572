package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// BridgedReport is what a bridge tells of an outside device: one that is no member
// of the HAN and takes firmware over somebody else's protocol.
type BridgedReport struct {
	Device han.EUI64
	Heard  bool // the device gave a sign of life
	// Version is the firmware it runs, if Known.
	Version uint32
	Known   bool
	// FileHash names the update that the rest is about; zero if there is none.
	FileHash imagecache.Hash
	// State is pending, downloading, transferred, activated or failed.
	State   store.UpdateState
	Outcome string
	Offset  uint32 // bytes the device took
	Windows uint32
	Blocks  uint32
}

// ReportBridged takes a bridge's report. Telling the same again changes nothing.
func (s *HeadEnd) ReportBridged(now time.Time, out *han.Outbox, r BridgedReport) error {
	d, ok := s.hub.Device(r.Device)
	switch {
	case !ok:
		return fmt.Errorf("report on %s: %w", r.Device, store.ErrUnknownDevice)
	case d.Kind != store.KindBridged:
		return fmt.Errorf("report on %s: %w: it is a %s of the HAN and speaks for itself", r.Device, store.ErrConflict, d.Kind)
	}
	var changes []store.Change
	var records []trace.Record
	if r.FileHash != (imagecache.Hash{}) {
		var err error
		if changes, records, err = s.moveBridged(now, r); err != nil {
			return fmt.Errorf("report on %s: %w", r.Device, err)
		}
	}
	var version *uint32
	if r.Known {
		version = &r.Version
	}
	if err := s.hub.HeardBridged(now, r.Device, r.Heard, version, changes...); err != nil {
		return fmt.Errorf("report on %s: %w", r.Device, err)
	}
	s.bridged[r.Device] = Progress{Offset: r.Offset, Windows: r.Windows, Blocks: r.Blocks}
	for _, rec := range records {
		s.record(out, rec)
	}
	return nil
}

// moveBridged returns the changes that bring an update where the report says it
// is, with the alert that its end raises.
func (s *HeadEnd) moveBridged(now time.Time, r BridgedReport) ([]store.Change, []trace.Record, error) {
	u, ok := s.store.Update(r.Device, r.FileHash)
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("%w: it has no update to image %s", store.ErrConflict, r.FileHash)
	case u.State == r.State && u.Outcome == r.Outcome && u.Windows == r.Windows:
		return nil, nil, nil
	case u.State.Ended():
		return nil, nil, fmt.Errorf("%w: its update to %08X is %s", store.ErrConflict, s.versionOf(u), u.State)
	case r.State > store.UpdateTransferred && r.State != store.UpdateActivated && r.State != store.UpdateFailed:
		return nil, nil, fmt.Errorf("%w: a bridge does not make an update %s", store.ErrConflict, r.State)
	}
	u.Windows, u.Blocks = r.Windows, r.Blocks
	changes := []store.Change{store.Put(with(u, now, r.State, r.Outcome))}
	if !r.State.Ended() {
		return changes, nil, nil
	}
	rec := trace.Record{At: now, Kind: trace.TransferDone, Peer: uint64(r.Device), Version: s.versionOf(u)}
	outcome, text := gbcs.TransferSuccess, fmt.Sprintf("runs version %08X", s.versionOf(u))
	if r.State == store.UpdateFailed {
		outcome, text = gbcs.TransferFailure, r.Outcome
		rec.Kind, rec.Text = trace.TransferFailed, r.Outcome
	}
	told := s.transferEnded(now, u, outcome, text)
	return append(changes, told.changes...), []trace.Record{rec, told.record}, nil
}
