package hub

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// DeviceLogSize is how many devices a device log holds (CHTS).
const DeviceLogSize = 16

// Kind is a device's type, numbered as CCS01 adds it to the device log.
type Kind uint8

// The kinds that may be in the device log.
const (
	KindESME   Kind = 0
	KindGSME   Kind = 1
	KindHCALCS Kind = 13
	KindIHD    Kind = 128
	KindCAD    Kind = 130
	KindPPMID  Kind = 132
	// KindBridged is a device outside the HAN that a bridge speaks for. It is known
	// beside the device log, not in it: CCS01 has no such type, and no frame is
	// taken from it.
	KindBridged Kind = 255
)

var kindNames = map[Kind]string{
	KindESME: "ESME", KindGSME: "GSME", KindHCALCS: "HCALCS", KindIHD: "IHD", KindCAD: "CAD", KindPPMID: "PPMID",
	KindBridged: "BRIDGED",
}

// String returns the kind as GBCS writes it.
func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// ParseKind reads a kind, in either case.
func ParseKind(s string) (Kind, error) {
	for k, name := range kindNames {
		if equalFold(name, s) {
			return k, nil
		}
	}
	return 0, fmt.Errorf("device kind %q: want one of ESME, GSME, HCALCS, IHD, CAD, PPMID, BRIDGED", s)
}

// equalFold compares ASCII without regard to case.
func equalFold(a, b string) bool {
	return len(a) == len(b) && slices.EqualFunc([]byte(a), []byte(b), func(x, y byte) bool { return x|0x20 == y|0x20 })
}

// IsMeter reports whether the kind is a meter, which takes firmware over the HAN
// and orders in GBCS messages.
func (k Kind) IsMeter() bool { return k == KindESME || k == KindGSME }

// TakesFirmware reports whether images can be distributed to the kind.
func (k Kind) TakesFirmware() bool { return k.IsMeter() || k == KindBridged }

// Errors that callers tell apart.
var (
	ErrUnknownDevice = errors.New("not in the device log")
	ErrUnknownImage  = errors.New("not in the image cache")
	ErrConflict      = errors.New("not possible now")
)

// AddDevice adds a device to the device log (CCS01) and raises alert 0x8F12.
func (h *Hub) AddDevice(now time.Time, out *han.Outbox, eui han.EUI64, kind Kind) error {
	if _, known := kindNames[kind]; !known {
		return fmt.Errorf("add device %s: %s is no kind of device", eui, kind)
	}
	if err := h.CheckAddress(eui); err != nil {
		return fmt.Errorf("add device %s: %w", eui, err)
	}
	if _, there := h.devices[eui]; there {
		return fmt.Errorf("add device %s: %w: it is in the device log already", eui, ErrConflict)
	}
	if kind == KindBridged {
		return h.addBridged(now, out, eui)
	}
	if n := len(h.order) - h.bridgedCount(); n >= DeviceLogSize {
		return fmt.Errorf("add device %s: %w: the device log is full (%d entries)", eui, ErrConflict, DeviceLogSize)
	}
	entry := store.Device{EUI64: eui, Kind: uint8(kind), AddedAt: now.UnixMicro(), Endpoint: 1}
	alert, changes := h.ownAlert(now, eui, gbcs.AlertCHFDeviceLogChanged, fmt.Sprintf("%s added", kind))
	if err := h.store.Commit(append(changes, store.Put(entry))...); err != nil {
		return fmt.Errorf("add device %s: %w", eui, err)
	}
	h.admit(now, entry)
	h.record(out, trace.Record{At: now, Kind: trace.DeviceAdded, Peer: uint64(eui), Text: kind.String()})
	h.recordAlert(now, out, alert)
	return nil
}

// CheckAddress refuses what cannot be the address of a device: none, and the hub's.
func (h *Hub) CheckAddress(eui han.EUI64) error {
	if eui == h.cfg.EUI64 || eui == 0 {
		return errors.New("this is not the address of a device")
	}
	return nil
}

// admit takes a device of the device log into memory.
func (h *Hub) admit(now time.Time, entry store.Device) {
	h.devices[entry.EUI64] = &device{log: entry}
	h.order = append(h.order, entry.EUI64)
	slices.Sort(h.order)
	switch Kind(entry.Kind) {
	case KindGSME:
		h.proxy.AddMeter(entry.EUI64, h.joinOf(entry))
	case KindBridged:
		// Nothing of the HAN's is kept for it.
	default:
		h.restoreTunnel(now, h.devices[entry.EUI64])
	}
}

// joinOf returns what the store holds of a gas meter for the proxy.
func (h *Hub) joinOf(entry store.Device) gasproxy.Join {
	j := gasproxy.Join{
		MirrorEndpoint: entry.MirrorEndpoint, TunnelID: entry.TunnelID,
		Period: time.Duration(entry.Period) * time.Microsecond,
	}
	if m, ok := h.store.Mirror(entry.EUI64); ok {
		j.Mirror.UpdatedAt = time.UnixMicro(m.UpdatedAt).UTC()
		for _, a := range m.Attributes {
			v := zcl.Value{Type: zcl.DataType(a.Type), Number: a.Number, Bytes: a.Bytes}
			j.Mirror.Attributes = append(j.Mirror.Attributes, zcl.Attribute{ID: a.ID, Value: v})
		}
	}
	for _, m := range h.store.MessagesOf(entry.EUI64) {
		if messageState(m.State) == messageQueued {
			j.Mailbox = append(j.Mailbox, mailboxMessage(m))
		}
	}
	return j
}

// RemoveDevice drops a device from the device log (CCS02), with everything that
// waits for it, and raises alert 0x8F12.
func (h *Hub) RemoveDevice(now time.Time, out *han.Outbox, eui han.EUI64) error {
	d, ok := h.devices[eui]
	if !ok {
		return fmt.Errorf("remove device %s: %w", eui, ErrUnknownDevice)
	}
	// A bridged device is in no device log that could change.
	bridged := Kind(d.log.Kind) == KindBridged
	var alert store.Alert
	var changes []store.Change
	if !bridged {
		alert, changes = h.ownAlert(now, eui, gbcs.AlertCHFDeviceLogChanged, fmt.Sprintf("%s removed", Kind(d.log.Kind)))
	}
	changes = append(changes, store.Delete(d.log), store.Delete(store.Mirror{Device: eui}))
	for _, m := range h.store.MessagesOf(eui) {
		changes = append(changes, store.Delete(m))
	}
	for _, u := range h.store.UpdatesOf(eui) {
		changes = append(changes, store.Delete(u))
	}
	if err := h.store.Commit(changes...); err != nil {
		return fmt.Errorf("remove device %s: %w", eui, err)
	}
	h.proxy.RemoveMeter(eui)
	h.server.Withdraw(eui)
	if err := d.closeImage(); err != nil {
		h.fault(now, out, eui, err)
	}
	delete(h.devices, eui)
	h.order = slices.DeleteFunc(h.order, func(e han.EUI64) bool { return e == eui })
	h.record(out, trace.Record{At: now, Kind: trace.DeviceRemoved, Peer: uint64(eui)})
	if !bridged {
		h.recordAlert(now, out, alert)
	}
	return nil
}

// KeepJoin implements gasproxy.Communications.
func (h *Hub) KeepJoin(eui han.EUI64, j gasproxy.Join) error {
	d := h.devices[eui]
	entry := d.log
	entry.MirrorEndpoint, entry.TunnelID, entry.Period = j.MirrorEndpoint, j.TunnelID, j.Period.Microseconds()
	return h.keepDevice(d, entry)
}

func (h *Hub) keepDevice(d *device, entry store.Device) error {
	if err := h.store.Commit(store.Put(entry)); err != nil {
		return err
	}
	d.log = entry
	return nil
}

// KeepMirror implements gasproxy.Communications: it stores the readings and, from
// them, the firmware version that the meter runs.
func (h *Hub) KeepMirror(now time.Time, eui han.EUI64, m *gasproxy.Mirror) error {
	// The proxy never changes an attribute's bytes, it replaces them.
	return h.keepReadings(now, h.devices[eui], m.Attributes)
}

// keepReadings stores readings. Their bytes are the store's from here on.
func (h *Hub) keepReadings(now time.Time, d *device, attributes []zcl.Attribute) error {
	mirror := store.Mirror{
		Device: d.log.EUI64, UpdatedAt: now.UnixMicro(), Attributes: make([]store.MirrorAttribute, len(attributes)),
	}
	entry := d.log
	for i := range attributes {
		a, kept := &attributes[i], &mirror.Attributes[i]
		kept.ID, kept.Type, kept.Number, kept.Bytes = a.ID, uint8(a.Value.Type), a.Value.Number, a.Value.Bytes
		if version, ok := firmwareVersion(a); ok {
			entry.FirmwareVersion = version
		}
	}
	if entry == d.log {
		return h.store.Commit(store.PutOwn(mirror))
	}
	if err := h.store.Commit(store.PutOwn(mirror), store.Put(entry)); err != nil {
		return err
	}
	d.log = entry
	return nil
}
