package headend

import (
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// Distribution is an image for devices.
type Distribution struct {
	Image   imagecache.Hash // of its OTA file
	Devices []han.EUI64
	// Downgrade: also to a device that runs a newer version. Without it such a
	// distribution is refused, and one that turns out to be so at the device's query
	// fails before the first block.
	Downgrade bool
}

// Distribute offers an image to devices (SRV 11.1). An image that a device was
// downloading or holding before is superseded; one that an order to activate is out for,
// only by an image with the force-replace flag, an assumption: what the flag asks of a
// hub is not public. The order stays out: a device that takes it in time switches, and asks
// for the new image then; one that began with the new image answers that it holds the
// other no more. Either all devices get the offer or none; naming one twice changes nothing.
func (s *HeadEnd) Distribute(now time.Time, out *han.Outbox, d Distribution) error {
	fileHash := d.Image
	im, ok := s.hub.Image(fileHash)
	if !ok || im.Removed {
		return fmt.Errorf("distribute image %s: %w", fileHash, store.ErrUnknownImage)
	}
	var changes []store.Change
	var chosen []han.EUI64
	var superseded []store.Update // whose image the hub has no more for its device
	for _, eui := range d.Devices {
		if slices.Contains(chosen, eui) {
			continue
		}
		chosen = append(chosen, eui)
		more, err := s.planUpdate(now, eui, im, d.Downgrade)
		if err != nil {
			return fmt.Errorf("distribute to %s: %w", eui, err)
		}
		changes = append(changes, more...)
		if u, ok := s.current(eui); ok && u.State.Offered() {
			superseded = append(superseded, u)
		}
	}
	if err := s.hub.Holds(fileHash); err != nil {
		return fmt.Errorf("distribute image %s: %w", fileHash, err)
	}
	if err := s.store.Commit(changes...); err != nil {
		return fmt.Errorf("distribute image %s: %w", fileHash, err)
	}
	for _, u := range superseded {
		if err := s.tell(out, s.discarded(now, u, fmt.Sprintf("superseded by version %08X", im.FileVersion))); err != nil {
			s.fault(now, out, u.Device, err)
		}
	}
	for _, eui := range chosen {
		s.startUpdate(now, out, eui, im)
	}
	return nil
}

// planUpdate checks one device and returns the changes that start its update.
func (s *HeadEnd) planUpdate(now time.Time, eui han.EUI64, im store.Image, downgrade bool) ([]store.Change, error) {
	d, ok := s.hub.Device(eui)
	switch {
	case !ok:
		return nil, store.ErrUnknownDevice
	case !d.Kind.TakesFirmware():
		return nil, fmt.Errorf("%w: %s devices take no firmware from the hub", store.ErrConflict, d.Kind)
	// A bridged device's network has an order of its own for it.
	case d.FirmwareVersion > im.FileVersion && !downgrade && d.Kind != store.KindBridged:
		return nil, fmt.Errorf("%w: %w", store.ErrConflict, otaserver.Downgrade(d.FirmwareVersion, im.FileVersion))
	}
	var changes []store.Change
	if u, ok := s.current(eui); ok {
		if u.FileHash == im.FileHash {
			return nil, fmt.Errorf("%w: the update to %08X is %s", store.ErrConflict, im.FileVersion, u.State)
		}
		if why := s.bound(u); why != "" && !im.ForceReplace {
			return nil, fmt.Errorf("%w: %s; image %08X has no force-replace flag to take the place of %08X before", store.ErrConflict, why, im.FileVersion, s.versionOf(u))
		}
		changes = append(changes, store.Put(with(s.figures(u), now, store.UpdateSuperseded, fmt.Sprintf("superseded by version %08X", im.FileVersion))))
	}
	old, _ := s.store.Update(eui, im.FileHash)
	u := store.Update{Device: eui, FileHash: im.FileHash, StartedAt: now.UnixMicro(), Given: old.Given, Whole: old.Whole, Downgrade: downgrade}
	return append(changes, store.Put(s.hub.Foresee(now, with(u, now, store.UpdatePending, "")))), nil
}

// startUpdate offers the image to one device.
func (s *HeadEnd) startUpdate(now time.Time, out *han.Outbox, eui han.EUI64, im store.Image) {
	s.record(out, trace.Record{At: now, Kind: trace.DistributionStarted, Peer: uint64(eui),
		Version: im.FileVersion, Size: im.Size, Hash: im.FileHash})
	if d, _ := s.hub.Device(eui); d.Kind == store.KindBridged {
		delete(s.bridged, eui)
		return // the bridge looks for it
	}
	u, _ := s.store.Update(eui, im.FileHash)
	if err := s.offer(u); err != nil {
		s.fault(now, out, eui, err)
		return
	}
	s.hub.Notify(now, out, eui)
}

// cancelled is what becomes of an update that the supplier cancels.
const cancelled = "cancelled by the supplier"

// CancelUpdate ends the distribution to a device: a download in progress is
// answered with ABORT from now on. A device that holds the image already keeps
// it until another one comes, but its update counts as cancelled. Once an order to
// activate is on its way this is too late: the device would switch all the same.
func (s *HeadEnd) CancelUpdate(now time.Time, out *han.Outbox, eui han.EUI64) error {
	if _, ok := s.hub.Device(eui); !ok {
		return fmt.Errorf("cancel update of %s: %w", eui, store.ErrUnknownDevice)
	}
	u, ok := s.current(eui)
	if !ok {
		return fmt.Errorf("cancel update of %s: %w: there is none", eui, store.ErrConflict)
	}
	if why := s.bound(u); why != "" {
		return fmt.Errorf("cancel update of %s: %w: %s", eui, store.ErrConflict, why)
	}
	var told raised
	if u.State.Offered() {
		told = s.discarded(now, u, cancelled)
	}
	if err := s.store.Commit(append(told.changes, store.Put(with(s.figures(u), now, store.UpdateCancelled, cancelled)))...); err != nil {
		return fmt.Errorf("cancel update of %s: %w", eui, err)
	}
	s.hub.Withdraw(now, out, eui)
	if told.changes != nil {
		s.record(out, told.record)
	}
	s.record(out, trace.Record{At: now, Kind: trace.DistributionCancelled, Peer: uint64(eui),
		Version: s.versionOf(u), Text: cancelled})
	return nil
}

// bound returns why an update must not be cancelled: the device would switch all the
// same. It is "" if nothing keeps it.
func (s *HeadEnd) bound(u store.Update) string {
	switch {
	case u.State == store.UpdateActivating:
		return "the order to activate is on its way"
	case u.State != store.UpdateDated:
		return ""
	case s.cancelling(u):
		return "the order to cancel the dated activation is on its way"
	default:
		return fmt.Sprintf("the device is to activate it (%s); cancel that first", u.Outcome)
	}
}
