package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// RegisterImage makes an image of the cache known. supplierVerified tells that
// its authorising signature was checked.
func (h *Hub) RegisterImage(now time.Time, out *han.Outbox, e imagecache.Entry, supplierVerified bool) error {
	if _, ok := h.store.ImageByFileHash(e.FileHash); ok {
		return nil
	}
	im := store.Image{
		FileHash: e.FileHash, ImageHash: e.ImageHash,
		Manufacturer: e.Header.Manufacturer, ImageType: e.Header.ImageType, FileVersion: e.Header.FileVersion,
		Size: e.Header.TotalSize, HasHardware: e.Header.HasHardware,
		HardwareMin: e.Header.HardwareMin, HardwareMax: e.Header.HardwareMax,
		HasDestination: e.Header.HasDestination, Destination: e.Header.Destination,
		Text: e.Header.Text, Layout: e.Layout, SupplierVerified: supplierVerified, AddedAt: now.UnixMicro(),
	}
	if err := h.store.Commit(store.Put(im)); err != nil {
		return fmt.Errorf("register image: %w", err)
	}
	h.record(out, trace.Record{At: now, Kind: trace.ImageCached, Version: im.FileVersion, Size: im.Size, Hash: im.FileHash})
	return nil
}

// header returns the parts of an image's OTA header that decide whom it fits.
func header(im store.Image) ota.ImageHeader {
	return ota.ImageHeader{
		ImageID: im.ID(), TotalSize: im.Size,
		HasHardware: im.HasHardware, HardwareMin: im.HardwareMin, HardwareMax: im.HardwareMax,
		HasDestination: im.HasDestination, Destination: im.Destination,
	}
}

// Distribute offers an image to devices (SRV 11.1). An image that a device was
// downloading or holding before is superseded. Either all devices get the offer
// or none; naming one twice changes nothing.
func (h *Hub) Distribute(now time.Time, out *han.Outbox, fileHash imagecache.Hash, devices []han.EUI64) error {
	im, ok := h.store.ImageByFileHash(fileHash)
	if !ok {
		return fmt.Errorf("distribute image %s: %w", fileHash, ErrUnknownImage)
	}
	var changes []store.Change
	var chosen []han.EUI64
	for _, eui := range devices {
		if slices.Contains(chosen, eui) {
			continue
		}
		chosen = append(chosen, eui)
		more, err := h.planUpdate(now, eui, im)
		if err != nil {
			return fmt.Errorf("distribute to %s: %w", eui, err)
		}
		changes = append(changes, more...)
	}
	if f, err := h.cache.Open(fileHash); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrUnknownImage
		}
		return fmt.Errorf("distribute image %s: %w", fileHash, err)
	} else if err := f.Close(); err != nil {
		return fmt.Errorf("distribute image %s: %w", fileHash, err)
	}
	if err := h.store.Commit(changes...); err != nil {
		return fmt.Errorf("distribute image %s: %w", fileHash, err)
	}
	sent := len(out.Frames)
	for _, eui := range chosen {
		h.startUpdate(now, out, h.devices[eui], im)
	}
	h.transmitted(now, out, sent)
	return nil
}

// planUpdate checks one device and returns the changes that start its update.
func (h *Hub) planUpdate(now time.Time, eui han.EUI64, im store.Image) ([]store.Change, error) {
	d, ok := h.devices[eui]
	switch {
	case !ok:
		return nil, ErrUnknownDevice
	case !Kind(d.log.Kind).TakesFirmware():
		return nil, fmt.Errorf("%w: %s devices take no firmware from the hub", ErrConflict, Kind(d.log.Kind))
	}
	var changes []store.Change
	if u, ok := h.current(eui); ok {
		if u.FileHash == im.FileHash {
			return nil, fmt.Errorf("%w: the update to %08X is %s", ErrConflict, im.FileVersion, UpdateState(u.State))
		}
		changes = append(changes, store.Put(with(h.figures(d, u), now, UpdateSuperseded, fmt.Sprintf("superseded by version %08X", im.FileVersion))))
	}
	u := store.Update{Device: eui, FileHash: im.FileHash, StartedAt: now.UnixMicro()}
	return append(changes, store.Put(with(u, now, UpdatePending, ""))), nil
}

// startUpdate offers the image to one device. A sleeping meter learns of it at
// its next heartbeat, one that listens at once.
func (h *Hub) startUpdate(now time.Time, out *han.Outbox, d *device, im store.Image) {
	eui := d.log.EUI64
	h.record(out, trace.Record{At: now, Kind: trace.DistributionStarted, Peer: uint64(eui),
		Version: im.FileVersion, Size: im.Size, Hash: im.FileHash})
	if Kind(d.log.Kind) == KindBridged {
		d.bridged = Progress{}
		return // the bridge looks for it
	}
	if err := h.offer(d, im.FileHash, now); err != nil {
		h.fault(now, out, eui, err)
		return
	}
	if Kind(d.log.Kind) != KindGSME {
		h.server.Notify(now, out, zcl.Peer{Node: eui, Endpoint: d.log.Endpoint})
	}
}

// CancelUpdate ends the distribution to a device: a download in progress is
// answered with ABORT from now on. A device that holds the image already keeps
// it until another one comes, but its update counts as cancelled. Once an order to
// activate is on its way this is too late: the device would switch all the same.
func (h *Hub) CancelUpdate(now time.Time, out *han.Outbox, eui han.EUI64) error {
	d, ok := h.devices[eui]
	if !ok {
		return fmt.Errorf("cancel update of %s: %w", eui, ErrUnknownDevice)
	}
	u, ok := h.current(eui)
	if !ok {
		return fmt.Errorf("cancel update of %s: %w: there is none", eui, ErrConflict)
	}
	switch UpdateState(u.State) {
	case UpdateActivating:
		return fmt.Errorf("cancel update of %s: %w: the order to activate is on its way", eui, ErrConflict)
	case UpdateDated:
		return fmt.Errorf("cancel update of %s: %w: the device is to activate %s; cancel that first", eui, ErrConflict, u.Outcome)
	default:
	}
	if err := h.store.Commit(store.Put(with(h.figures(d, u), now, UpdateCancelled, "cancelled by the supplier"))); err != nil {
		return fmt.Errorf("cancel update of %s: %w", eui, err)
	}
	h.server.Withdraw(eui)
	if err := d.closeImage(); err != nil {
		h.fault(now, out, eui, err)
	}
	h.record(out, trace.Record{At: now, Kind: trace.DistributionCancelled, Peer: uint64(eui),
		Version: h.versionOf(u), Text: "cancelled by the supplier"})
	return nil
}

// Activation is an order to activate firmware.
type Activation struct {
	Device han.EUI64
	// Hash is the Manufacturer Image Hash to name in the command.
	Hash ota.ImageHash
	// At is when the device shall switch; zero means at once.
	At time.Time
}

// HeldImage returns the hash of the image that a device's current update is
// about, for an order that does not name one.
func (h *Hub) HeldImage(eui han.EUI64) (ota.ImageHash, error) {
	d, ok := h.devices[eui]
	if !ok {
		return ota.ImageHash{}, fmt.Errorf("device %s: %w", eui, ErrUnknownDevice)
	}
	if kind := Kind(d.log.Kind); !kind.IsMeter() {
		return ota.ImageHash{}, fmt.Errorf("device %s: %w: %s devices take no firmware from the hub", eui, ErrConflict, kind)
	}
	u, ok := h.current(eui)
	if !ok {
		return ota.ImageHash{}, fmt.Errorf("device %s: %w: no update is under way, so name the image's hash", eui, ErrConflict)
	}
	im, _ := h.store.ImageByFileHash(u.FileHash)
	return im.ImageHash, nil
}

// Activate sends a device the order to switch (CS06, SRV 11.3). Whether it holds
// the image named is the device's to say.
func (h *Hub) Activate(now time.Time, out *han.Outbox, a Activation) error {
	execution, at := gbcs.ExecuteNow, zcl.UTCTime(0)
	if !a.At.IsZero() {
		execution, at = gbcs.ExecuteAt, zcl.UTCTimeOf(a.At)
	}
	if err := h.sendActivate(now, out, a.Device, a.Hash, execution, at); err != nil {
		return fmt.Errorf("activate firmware of %s: %w", a.Device, err)
	}
	return nil
}

// CancelActivation sends a device the order to drop a dated activation (CS06
// dated 9999-12-31).
func (h *Hub) CancelActivation(now time.Time, out *han.Outbox, eui han.EUI64) error {
	hash, err := h.HeldImage(eui)
	if err == nil {
		err = h.sendActivate(now, out, eui, hash, gbcs.ExecuteCancel, 0)
	}
	if err != nil {
		return fmt.Errorf("cancel activation: %w", err)
	}
	return nil
}

func (h *Hub) sendActivate(now time.Time, out *han.Outbox, eui han.EUI64, hash ota.ImageHash, execution gbcs.Execution, at zcl.UTCTime) error {
	d, ok := h.devices[eui]
	switch {
	case !ok:
		return ErrUnknownDevice
	case Kind(d.log.Kind) == KindBridged:
		return fmt.Errorf("%w: a bridged device switches by itself", ErrConflict)
	case !Kind(d.log.Kind).IsMeter():
		return fmt.Errorf("%w: %s devices take no firmware from the hub", ErrConflict, Kind(d.log.Kind))
	}
	var changes []store.Change
	if u, ok := h.current(eui); ok && UpdateState(u.State).holds() {
		switch execution {
		case gbcs.ExecuteNow:
			u = with(u, now, UpdateActivating, "")
		case gbcs.ExecuteAt:
			u = with(u, now, UpdateDated, "at "+at.Time().Format(time.RFC3339))
		case gbcs.ExecuteCancel:
			u = with(u, now, UpdateTransferred, "activation cancelled")
		}
		changes = append(changes, store.Put(u))
	}
	return h.sendCommand(now, out, d, gbcs.CodeActivateFirmware, func(counter uint64) []byte {
		return gbcs.ActivateFirmwareCommand{
			ImageHash: hash, OriginatorCounter: counter, Execution: execution, ExecutionTime: at,
		}.Append(nil)
	}, changes...)
}

// ReadVersion asks a meter which firmware it runs (GCS38 for a GSME, ECS52 for an
// ESME). The answer comes into the inbox.
func (h *Hub) ReadVersion(now time.Time, out *han.Outbox, eui han.EUI64) error {
	d, ok := h.devices[eui]
	switch {
	case !ok:
		return fmt.Errorf("read firmware version of %s: %w", eui, ErrUnknownDevice)
	case !Kind(d.log.Kind).IsMeter():
		return fmt.Errorf("read firmware version of %s: %w: %s devices have none that the hub can read", eui, ErrConflict, Kind(d.log.Kind))
	}
	if kind := Kind(d.log.Kind); !kind.IsMeter() {
		return fmt.Errorf("read firmware version of %s: %w: %s devices are not asked", eui, ErrConflict, kind)
	}
	code := gbcs.CodeReadESMEFirmwareVersion
	payload := func(counter uint64) []byte {
		return gbcs.ReadESMEFirmwareVersionCommand{InvokeID: gbcs.InvokeIDOf(counter)}.Append(nil)
	}
	if Kind(d.log.Kind) == KindGSME {
		code = gbcs.CodeReadGSMEFirmwareVersion
		payload = func(uint64) []byte { return gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil) }
	}
	if err := h.sendCommand(now, out, d, code, payload); err != nil {
		return fmt.Errorf("read firmware version of %s: %w", eui, err)
	}
	return nil
}
