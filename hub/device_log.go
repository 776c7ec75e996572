package hub

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// DeviceLogSize is how many devices a device log holds (CHTS).
const DeviceLogSize = 16

// logChange is what adding, removing or restoring devices changes. It is decided as a whole
// before anything happens.
type logChange struct {
	changes []store.Change
	raised  alert
	// done takes it into memory and records it, once it is committed.
	done func(now time.Time, out *han.Outbox)
}

// AddDevice adds a device without a command: to the device log that a hub begins with, or
// an outside device, which is beside it. It raises alert 0x8F12. Its address, kind and
// install code are given, the rest of the entry is the hub's to fill. Divergence: from then
// on its certificate lets it in; CBKE and the joining window are not played.
func (h *Hub) AddDevice(now time.Time, out *han.Outbox, d store.Device) error {
	if err := h.CheckDevice(d); err != nil {
		return fmt.Errorf("add device %s: %w", d.EUI64, err)
	}
	if d.Kind == store.KindBridged {
		return h.addBridged(now, out, d.EUI64)
	}
	if err := h.change(now, out, h.adding(now, added(d), d)); err != nil {
		return fmt.Errorf("add device %s: %w", d.EUI64, err)
	}
	return nil
}

// CheckDevice tells why a device cannot be added, nil if it can.
func (h *Hub) CheckDevice(d store.Device) error {
	if !d.Kind.Known() {
		return fmt.Errorf("%s is no kind of device", d.Kind)
	}
	if err := h.CheckAddress(d.EUI64); err != nil {
		return err
	}
	_, there := h.devices[d.EUI64]
	switch {
	case there:
		return fmt.Errorf("%w: it is in the device log already", store.ErrConflict)
	case d.Kind == store.KindBridged && d.HasInstallCode:
		return fmt.Errorf("%w: a bridged device does not join, and has no install code", store.ErrConflict)
	case d.Kind != store.KindBridged && h.logged() >= DeviceLogSize:
		return fmt.Errorf("%w: the device log is full (%d entries)", store.ErrConflict, DeviceLogSize)
	default:
		return nil
	}
}

// logged returns how many devices are in the device log.
func (h *Hub) logged() int { return len(h.order) - h.bridgedCount() }

// log returns the device log, sorted by identifier.
func (h *Hub) log() []store.Device {
	all := make([]store.Device, 0, len(h.order)+1)
	for _, eui := range h.order {
		if d := h.devices[eui].log; d.Kind != store.KindBridged {
			all = append(all, d)
		}
	}
	return all
}

// backup makes what an alert says of a device log: its devices, and the hashes of their link
// keys. Divergence: DTLS stands for the link key of a device without an install code; its
// hash is all zero.
func (h *Hub) backup(devices []store.Device) func(gbcs.AlertHead) gbcs.Payload {
	logged := make([]gbcs.LoggedDevice, len(devices))
	for i, d := range devices {
		logged[i].Device = d.EUI64
		if d.HasInstallCode {
			logged[i].LinkKeyHash = installcode.New(d.InstallCode).HashedKey()
		}
	}
	return func(head gbcs.AlertHead) gbcs.Payload {
		return gbcs.DeviceLogChangedAlert{AlertHead: head, ExtendedPAN: h.cfg.EUI64, Devices: logged}
	}
}

// change makes a change to the device log by itself.
func (h *Hub) change(now time.Time, out *han.Outbox, c logChange) error {
	if err := h.store.Commit(c.changes...); err != nil {
		return err
	}
	c.done(now, out)
	return nil
}

// adding returns what adding devices changes, which were found possible: one alert tells it.
func (h *Hub) adding(now time.Time, raised alert, devices ...store.Device) logChange {
	entries := make([]store.Device, len(devices))
	for i, d := range devices {
		entries[i] = store.Device{
			EUI64: d.EUI64, Kind: d.Kind, HasInstallCode: d.HasInstallCode, InstallCode: d.InstallCode, AddedAt: now.UnixMicro(), Endpoint: 1,
		}
	}
	raised.payload = h.backup(append(h.log(), entries...))
	c := logChange{raised: raised, changes: h.alerted(now, raised)}
	for _, entry := range entries {
		c.changes = append(c.changes, store.Put(entry))
	}
	c.done = func(now time.Time, out *han.Outbox) {
		for _, entry := range entries {
			h.admit(now, entry)
			h.record(out, trace.Record{At: now, Kind: trace.DeviceAdded, Peer: uint64(entry.EUI64), Text: entry.Kind.String()})
		}
		h.recordAlert(now, out, raised)
	}
	return c
}

// added is the alert that a device was added.
func added(d store.Device) alert {
	return alert{device: d.EUI64, code: gbcs.AlertCHFDeviceLogChanged, text: d.Kind.String() + " added"}
}

// CheckAddress refuses what cannot be the address of a device: none, and those of the hub's functions.
func (h *Hub) CheckAddress(eui han.EUI64) error {
	if eui == 0 || h.function(eui) != nil {
		return errors.New("this is not the address of a device")
	}
	return nil
}

// admit takes a device of the device log into memory.
func (h *Hub) admit(now time.Time, entry store.Device) {
	d := &device{log: entry}
	d.mirror, _ = h.store.Mirror(entry.EUI64)
	d.held = h.readingsOf(entry.EUI64).Held
	h.devices[entry.EUI64] = d
	h.order = append(h.order, entry.EUI64)
	slices.Sort(h.order)
	switch entry.Kind {
	case store.KindGSME:
		h.proxy.AddMeter(entry.EUI64, h.joinOf(entry))
	case store.KindBridged:
		// Nothing of the HAN's is kept for it.
	default:
		d.readings = h.readingsOf(entry.EUI64)
		h.restoreTunnel(now, d)
	}
}

// joinOf returns what the store holds of a gas meter for the proxy.
func (h *Hub) joinOf(entry store.Device) gasproxy.Join {
	j := gasproxy.Join{
		MirrorEndpoint: entry.MirrorEndpoint, TunnelID: entry.TunnelID,
		Period: time.Duration(entry.Period) * time.Microsecond,
	}
	if m, ok := h.store.Mirror(entry.EUI64); ok {
		j.Mirror = gasproxy.Mirror{Readings: h.readingsOf(entry.EUI64), UpdatedAt: time.UnixMicro(m.UpdatedAt).UTC()}
	}
	for _, m := range h.store.MessagesOf(entry.EUI64) {
		j.Mailbox = append(j.Mailbox, mailboxMessage(m))
	}
	return j
}

// RemoveDevice drops a device without a command, with everything that waits for it, and
// raises alert 0x8F12.
func (h *Hub) RemoveDevice(now time.Time, out *han.Outbox, eui han.EUI64) error {
	d, ok := h.devices[eui]
	if !ok {
		return fmt.Errorf("remove device %s: %w", eui, store.ErrUnknownDevice)
	}
	if err := h.change(now, out, h.removing(now, d)); err != nil {
		return fmt.Errorf("remove device %s: %w", eui, err)
	}
	return nil
}

// removing returns what dropping a device changes.
func (h *Hub) removing(now time.Time, d *device) (c logChange) {
	eui := d.log.EUI64
	c.changes = h.supplier.Removed(eui)
	// A bridged device is in no device log that could change.
	bridged := d.log.Kind == store.KindBridged
	waiting := h.store.MessagesOf(eui)
	c.raised = alert{device: eui, code: gbcs.AlertCHFDeviceLogChanged, text: d.log.Kind.String() + " removed"}
	if len(waiting) > 0 {
		c.raised.text += fmt.Sprintf(", messages dropped with it: %d", len(waiting))
	}
	if !bridged {
		left := slices.DeleteFunc(h.log(), func(e store.Device) bool { return e.EUI64 == eui })
		c.raised.payload = h.backup(left)
		c.changes = append(c.changes, h.alerted(now, c.raised)...)
		c.changes = append(c.changes, store.Put(h.withFormer(d.log)))
	}
	c.changes = append(c.changes, store.Delete(d.log), store.Delete(store.Mirror{Device: eui}))
	for _, m := range waiting {
		c.changes = append(c.changes, store.Delete(m))
	}
	for _, q := range h.store.QuarantineOf(eui) {
		c.changes = append(c.changes, store.Delete(q))
	}
	c.done = func(now time.Time, out *han.Outbox) {
		h.forget(now, out, d)
		h.record(out, trace.Record{At: now, Kind: trace.DeviceRemoved, Peer: uint64(eui)})
		if !bridged {
			h.recordAlert(now, out, c.raised)
		}
	}
	return c
}

// forget drops a device from memory.
func (h *Hub) forget(now time.Time, out *han.Outbox, d *device) {
	eui := d.log.EUI64
	h.proxy.RemoveMeter(eui)
	h.server.Withdraw(eui)
	if err := d.closeImage(); err != nil {
		h.fault(now, out, eui, err)
	}
	delete(h.devices, eui)
	h.order = slices.DeleteFunc(h.order, func(e han.EUI64) bool { return e == eui })
}

// The supplier is told that a device cannot join after so many tries in a row, since one
// may be lost on the way, and then not again for a while: a wrong code is tried for ever.
const (
	triesTold   = 3
	quietOfJoin = time.Hour
)

// JoiningFailed takes it that a device has tried its install code so many times in a row
// and has not proved it. It raises alert 0x8F48, once an hour for each device.
func (h *Hub) JoiningFailed(now time.Time, out *han.Outbox, eui han.EUI64, inARow int) error {
	d, ok := h.devices[eui]
	if !ok || inARow < triesTold || (!d.joinAlert.IsZero() && now.Sub(d.joinAlert) < quietOfJoin) {
		return nil
	}
	raised := alert{device: eui, code: gbcs.AlertDeviceJoiningFailed, text: fmt.Sprintf("install code not proved, %d tries in a row", inARow)}
	if err := h.store.Commit(h.alerted(now, raised)...); err != nil {
		return fmt.Errorf("tell that %s did not join: %w", eui, err)
	}
	d.joinAlert = now
	h.recordAlert(now, out, raised)
	return nil
}

func (h *Hub) keepDevice(d *device, entry store.Device) error {
	if err := h.store.Commit(store.Put(entry)); err != nil {
		return err
	}
	d.log = entry
	return nil
}

// Device returns an entry of the device log.
func (h *Hub) Device(eui han.EUI64) (store.Device, bool) {
	d, ok := h.devices[eui]
	if !ok {
		return store.Device{}, false
	}
	return d.log, true
}

// learn keeps what a device says of itself when it asks for an image.
func (h *Hub) learn(d *device, q ota.QueryNextImageRequest) error {
	entry := d.log
	entry.Manufacturer, entry.ImageType = q.Current.Manufacturer, q.Current.ImageType
	entry.FirmwareVersion = q.Current.FileVersion
	if q.HasHardware {
		entry.HasHardware, entry.HardwareVersion = true, q.HardwareVersion
	}
	if entry == d.log {
		return nil
	}
	return h.keepDevice(d, entry)
}
