package hub

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// MaxBridged is how many outside devices a hub knows besides its device log.
const MaxBridged = 256

// heardInterval is how much later than the stored one a sign of life is before it
// is stored.
const heardInterval = time.Minute

// addBridged makes an outside device known. The device log does not change.
func (h *Hub) addBridged(now time.Time, out *han.Outbox, eui han.EUI64) error {
	if h.bridgedCount() >= MaxBridged {
		return fmt.Errorf("add device %s: %w: there are %d bridged devices, and no more are taken", eui, store.ErrConflict, MaxBridged)
	}
	entry := store.Device{EUI64: eui, Kind: store.KindBridged, AddedAt: now.UnixMicro()}
	if err := h.store.Commit(store.Put(entry)); err != nil {
		return fmt.Errorf("add device %s: %w", eui, err)
	}
	h.admit(now, entry)
	h.record(out, trace.Record{At: now, Kind: trace.DeviceAdded, Peer: uint64(eui), Text: store.KindBridged.String()})
	return nil
}

func (h *Hub) bridgedCount() int {
	n := 0
	for _, d := range h.devices {
		if d.log.Kind == store.KindBridged {
			n++
		}
	}
	return n
}

// HeardBridged keeps what a bridge tells of an outside device: whether it gave a
// sign of life, and the firmware it runs if that is known. The changes of the
// supplier's records are committed along with it. Telling the same again changes
// nothing.
func (h *Hub) HeardBridged(now time.Time, device han.EUI64, heard bool, version *uint32, along ...store.Change) error {
	d, ok := h.devices[device]
	if !ok {
		return store.ErrUnknownDevice
	}
	entry := d.log
	if version != nil {
		entry.FirmwareVersion = *version
	}
	if heard && now.UnixMicro()-entry.LastHeard >= heardInterval.Microseconds() {
		entry.LastHeard = now.UnixMicro()
	}
	if entry != d.log {
		along = append(along, store.Put(entry))
	}
	if err := h.store.Commit(along...); err != nil {
		return err
	}
	d.log = entry
	return nil
}
