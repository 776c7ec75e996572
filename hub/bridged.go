package hub

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// MaxBridged is how many outside devices a hub knows besides its device log.
const MaxBridged = 256

// heardInterval is how much later than the stored one a sign of life is before it
// is stored.
const heardInterval = time.Minute

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
	State   UpdateState
	Outcome string
	Offset  uint32 // bytes the device took
	Windows uint32
	Blocks  uint32
}

// ReportBridged takes a bridge's report. Telling the same again changes nothing.
func (h *Hub) ReportBridged(now time.Time, out *han.Outbox, r BridgedReport) error {
	d, ok := h.devices[r.Device]
	switch {
	case !ok:
		return fmt.Errorf("report on %s: %w", r.Device, ErrUnknownDevice)
	case Kind(d.log.Kind) != KindBridged:
		return fmt.Errorf("report on %s: %w: it is a %s of the HAN and speaks for itself", r.Device, ErrConflict, Kind(d.log.Kind))
	}
	changes, entry := h.heardBridged(now, d, r)
	var records []trace.Record
	if r.FileHash != (imagecache.Hash{}) {
		more, rec, err := h.moveBridged(now, r)
		if err != nil {
			return fmt.Errorf("report on %s: %w", r.Device, err)
		}
		changes, records = append(changes, more...), rec
	}
	if len(changes) > 0 {
		if err := h.store.Commit(changes...); err != nil {
			return fmt.Errorf("report on %s: %w", r.Device, err)
		}
	}
	d.log = entry
	d.bridged = Progress{Offset: r.Offset, Windows: r.Windows, Blocks: r.Blocks}
	for _, rec := range records {
		h.record(out, rec)
	}
	return nil
}

// addBridged makes an outside device known. The device log does not change.
func (h *Hub) addBridged(now time.Time, out *han.Outbox, eui han.EUI64) error {
	if h.bridgedCount() >= MaxBridged {
		return fmt.Errorf("add device %s: %w: there are %d bridged devices, and no more are taken", eui, ErrConflict, MaxBridged)
	}
	entry := store.Device{EUI64: eui, Kind: uint8(KindBridged), AddedAt: now.UnixMicro()}
	if err := h.store.Commit(store.Put(entry)); err != nil {
		return fmt.Errorf("add device %s: %w", eui, err)
	}
	h.admit(now, entry)
	h.record(out, trace.Record{At: now, Kind: trace.DeviceAdded, Peer: uint64(eui), Text: KindBridged.String()})
	return nil
}

func (h *Hub) bridgedCount() int {
	n := 0
	for _, d := range h.devices {
		if Kind(d.log.Kind) == KindBridged {
			n++
		}
	}
	return n
}

// heardBridged returns the device's entry after a report, and the change if it is
// worth storing.
func (h *Hub) heardBridged(now time.Time, d *device, r BridgedReport) ([]store.Change, store.Device) {
	entry := d.log
	if r.Known {
		entry.FirmwareVersion = r.Version
	}
	if r.Heard && now.UnixMicro()-entry.LastHeard >= heardInterval.Microseconds() {
		entry.LastHeard = now.UnixMicro()
	}
	if entry == d.log {
		return nil, entry
	}
	return []store.Change{store.Put(entry)}, entry
}

// moveBridged returns the changes that bring an update where the report says it
// is, with the alert that its end raises.
func (h *Hub) moveBridged(now time.Time, r BridgedReport) ([]store.Change, []trace.Record, error) {
	u, ok := h.store.Update(r.Device, r.FileHash)
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("%w: it has no update to image %s", ErrConflict, r.FileHash)
	case UpdateState(u.State) == r.State && u.Outcome == r.Outcome && u.Windows == r.Windows:
		return nil, nil, nil
	case UpdateState(u.State).Ended():
		return nil, nil, fmt.Errorf("%w: its update to %08X is %s", ErrConflict, h.versionOf(u), UpdateState(u.State))
	case r.State > UpdateTransferred && r.State != UpdateActivated && r.State != UpdateFailed:
		return nil, nil, fmt.Errorf("%w: a bridge does not make an update %s", ErrConflict, r.State)
	}
	u.Windows, u.Blocks = r.Windows, r.Blocks
	changes := []store.Change{store.Put(with(u, now, r.State, r.Outcome))}
	if !r.State.Ended() {
		return changes, nil, nil
	}
	rec := trace.Record{At: now, Kind: trace.TransferDone, Peer: uint64(r.Device), Version: h.versionOf(u)}
	code, text := gbcs.AlertFirmwareTransferSuccess, fmt.Sprintf("runs version %08X", h.versionOf(u))
	if r.State == UpdateFailed {
		code, text = gbcs.AlertFirmwareTransferFail, r.Outcome
		rec.Kind, rec.Text = trace.TransferFailed, r.Outcome
	}
	alert, more := h.ownAlert(now, r.Device, code, text)
	raised := trace.Record{At: now, Kind: trace.AlertRaised, Code: uint32(alert.Code), Text: alert.Text}
	return append(changes, more...), []trace.Record{rec, raised}, nil
}
