package hub

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// UpdateState is how far the distribution of an image to a device got.
type UpdateState uint8

// The states, in the order of a life without trouble; the last four are ends.
const (
	UpdatePending     UpdateState = iota // offered, the device did not ask yet
	UpdateDownloading                    // the device took the offer
	UpdateTransferred                    // the device has the image and found it good
	UpdateActivating                     // Activate Firmware is on its way
	UpdateDated                          // the device will activate at a time
	UpdateActivated                      // the device runs the image
	UpdateFailed
	UpdateCancelled
	UpdateSuperseded // another image took its place
)

var updateStateNames = [...]string{
	"pending", "downloading", "transferred", "activating", "dated",
	"activated", "failed", "cancelled", "superseded",
}

// String returns the state as the API writes it.
func (s UpdateState) String() string {
	if int(s) < len(updateStateNames) {
		return updateStateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// UpdateStateNames returns the names of all states, in order.
func UpdateStateNames() []string { return slices.Clone(updateStateNames[:]) }

// Ended reports whether nothing more will happen.
func (s UpdateState) Ended() bool { return s >= UpdateActivated }

// offered reports whether the device may still download.
func (s UpdateState) offered() bool { return s <= UpdateDownloading }

// holds reports whether the device holds the image and did not activate it yet.
func (s UpdateState) holds() bool { return s >= UpdateTransferred && s <= UpdateDated }

// with returns u in another state.
func with(u store.Update, now time.Time, s UpdateState, outcome string) store.Update {
	u.State, u.ChangedAt, u.Outcome = uint8(s), now.UnixMicro(), outcome
	return u
}

// current returns the update of a device that has not ended. There is at most one.
func (h *Hub) current(eui han.EUI64) (store.Update, bool) {
	for _, u := range h.store.UpdatesOf(eui) {
		if !UpdateState(u.State).Ended() {
			return u, true
		}
	}
	return store.Update{}, false
}

// DatedAt returns when a device will activate, of an update that is dated.
func DatedAt(u store.Update) (time.Time, bool) {
	if UpdateState(u.State) != UpdateDated {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, u.Outcome[strings.LastIndexByte(u.Outcome, ' ')+1:])
	return at, err == nil
}

// resumeUpdate offers again, after a start of the hub, what was being downloaded.
func (h *Hub) resumeUpdate(now time.Time, out *han.Outbox, u store.Update) {
	d, ok := h.devices[u.Device]
	if !ok || !UpdateState(u.State).offered() || Kind(d.log.Kind) == KindBridged {
		return
	}
	err := h.offer(d, u.FileHash, time.UnixMicro(u.StartedAt).UTC())
	if err == nil {
		return
	}
	h.fault(now, out, u.Device, fmt.Errorf("image of the update: %w", err))
	if err := h.store.Commit(store.Put(with(u, now, UpdateFailed, err.Error()))); err != nil {
		h.fault(now, out, u.Device, err)
	}
}

// offer opens the image and makes it the one meant for a device.
func (h *Hub) offer(d *device, fileHash [32]byte, started time.Time) error {
	im, ok := h.store.ImageByFileHash(fileHash)
	if !ok {
		return ErrUnknownImage
	}
	file, err := h.cache.Open(fileHash)
	if err != nil {
		return err
	}
	if err := d.closeImage(); err != nil {
		return err
	}
	d.image = file
	d.windowBlocks, d.windowRepeats = 0, 0
	h.server.Offer(d.log.EUI64, otaserver.Offer{
		Header: header(im), FileHash: fileHash, Image: file, Started: started,
	})
	return nil
}

// ImageWaiting implements gasproxy.Communications.
func (h *Hub) ImageWaiting(eui han.EUI64) bool { return h.server.Waiting(eui) }

// WindowOpened implements gasproxy.Communications: the figures of the update in
// hand are stored once per window, never per block.
func (h *Hub) WindowOpened(now time.Time, _ *han.Outbox, eui han.EUI64) error {
	if h.server.Progress(eui) == (otaserver.Progress{}) {
		return nil // nothing was served, as in nearly all windows of a life
	}
	d := h.devices[eui]
	u, ok := h.current(eui)
	if !ok {
		return nil
	}
	before := u
	u = h.figures(d, u)
	if u == before {
		return nil
	}
	u.ChangedAt = now.UnixMicro()
	return h.store.Commit(store.Put(u))
}

// figures brings an update's figures up to date from the server's. The blocks
// served since the last time count as one more window.
func (h *Hub) figures(d *device, u store.Update) store.Update {
	p := h.server.Progress(d.log.EUI64)
	if p.Blocks > d.windowBlocks {
		u.Windows++
		u.Blocks += p.Blocks - d.windowBlocks
		d.windowBlocks = p.Blocks
	}
	u.Retries += p.Repeats - d.windowRepeats
	d.windowRepeats = p.Repeats
	return u
}

// Progress are the figures of an update up to this instant.
type Progress struct {
	Offset  uint32 // bytes served since the hub started
	Windows uint32
	Blocks  uint32
	Repeats uint32
	Pages   uint32 // page requests since the hub started
}

// Progress returns the figures of an update, those not stored yet included.
func (h *Hub) Progress(u store.Update) Progress {
	d, ok := h.devices[u.Device]
	if !ok || UpdateState(u.State).Ended() {
		return Progress{Windows: u.Windows, Blocks: u.Blocks, Repeats: u.Retries}
	}
	if Kind(d.log.Kind) == KindBridged {
		return Progress{Offset: d.bridged.Offset, Windows: max(u.Windows, d.bridged.Windows), Blocks: max(u.Blocks, d.bridged.Blocks)}
	}
	p := h.server.Progress(u.Device)
	out := Progress{Offset: p.Offset, Windows: u.Windows, Blocks: u.Blocks, Repeats: u.Retries + p.Repeats - d.windowRepeats, Pages: p.Pages}
	if p.Blocks > d.windowBlocks {
		out.Windows++
		out.Blocks += p.Blocks - d.windowBlocks
	}
	return out
}

// updateEvent moves the update of a device on what the OTA server learned.
func (h *Hub) updateEvent(now time.Time, out *han.Outbox, d *device, r otaserver.Result) error {
	u, ok := h.current(d.log.EUI64)
	if !ok {
		return nil
	}
	version := h.versionOf(u)
	rec := trace.Record{At: now, Peer: uint64(d.log.EUI64), Version: version}
	switch r.Event {
	case otaserver.EventNone:
		return nil
	case otaserver.EventStarted:
		u = with(u, now, UpdateDownloading, "")
	case otaserver.EventUnfit:
		u = with(u, now, UpdateFailed, r.Reason)
		rec.Kind, rec.Text = trace.TransferFailed, r.Reason
	case otaserver.EventRunning:
		u = with(u, now, UpdateActivated, "the device runs this version already")
	case otaserver.EventDone:
		u = with(h.figures(d, u), now, max(UpdateTransferred, UpdateState(u.State)), "")
		rec.Kind = trace.TransferDone
	case otaserver.EventFailed:
		u = with(h.figures(d, u), now, UpdateFailed, fmt.Sprintf("the device gave up: %s", r.Status))
		rec.Kind, rec.Code, rec.Text = trace.TransferFailed, uint32(r.Status), u.Outcome
	}
	if err := h.store.Commit(store.Put(u)); err != nil {
		return err
	}
	if rec.Kind != 0 {
		h.record(out, rec)
	}
	h.settleOffer(d)
	return nil
}

// settleOffer stops offering what a device needs no more.
func (h *Hub) settleOffer(d *device) {
	if u, ok := h.current(d.log.EUI64); !ok || !UpdateState(u.State).offered() {
		h.server.Finish(d.log.EUI64)
	}
}

func (h *Hub) versionOf(u store.Update) uint32 {
	im, _ := h.store.ImageByFileHash(u.FileHash)
	return im.FileVersion
}

// receipt moves an update on a Firmware Distribution Receipt Alert, which may
// come before the Upgrade End Request, or without it.
func (h *Hub) receipt(now time.Time, d *device, a gbcs.DistributionReceiptAlert) []store.Change {
	u, ok := h.current(d.log.EUI64)
	if !ok || !UpdateState(u.State).offered() {
		return nil
	}
	im, ok := h.store.ImageByFileHash(u.FileHash)
	if !ok || im.ImageHash != a.ImageHash {
		return nil
	}
	u = h.figures(d, u)
	if a.Code == gbcs.AlertFirmwareVerificationSuccessful {
		return []store.Change{store.Put(with(u, now, UpdateTransferred, ""))}
	}
	return []store.Change{store.Put(with(u, now, UpdateFailed, fmt.Sprintf("%04X %s", uint16(a.Code), a.Code)))}
}

// activationResponse moves an update on the response to Activate Firmware.
func (h *Hub) activationResponse(now time.Time, d *device, r gbcs.ActivateFirmwareResponse) ([]store.Change, string) {
	if !r.Accepted {
		return h.activationOutcome(now, d, r.Outcome)
	}
	u, ok := h.current(d.log.EUI64)
	if !ok {
		return nil, "accepted"
	}
	if UpdateState(u.State) == UpdateDated {
		return []store.Change{store.Put(with(u, now, UpdateDated, "accepted, "+u.Outcome))}, "accepted for later"
	}
	return nil, "accepted"
}

// activationOutcome moves an update on the outcome of an activation.
func (h *Hub) activationOutcome(now time.Time, d *device, o gbcs.ActivationOutcome) ([]store.Change, string) {
	text := fmt.Sprintf("activation: %s, runs version %08X", o.Code, o.FirmwareVersion)
	u, ok := h.current(d.log.EUI64)
	if !ok || !UpdateState(u.State).holds() {
		return nil, text
	}
	switch o.Code {
	case gbcs.ActivationSuccess:
		u = with(u, now, UpdateActivated, text)
	case gbcs.ActivationFailure:
		u = with(u, now, UpdateFailed, text)
	case gbcs.ActivationNoImageHeld, gbcs.ActivationHashMismatch:
		u = with(u, now, UpdateTransferred, text)
	}
	return []store.Change{store.Put(u)}, text
}

// activationUndelivered puts an update back whose Activate Firmware command never
// reached the device.
func (h *Hub) activationUndelivered(now time.Time, eui han.EUI64) []store.Change {
	u, ok := h.current(eui)
	if !ok || !UpdateState(u.State).holds() {
		return nil
	}
	return []store.Change{store.Put(with(u, now, UpdateTransferred, "the device did not fetch the Activate Firmware command"))}
}

// Expected reckons what the rest of a gas meter's download will take, with the
// loss measured so far. It reports false for what is no download of a gas meter in
// progress.
func (h *Hub) Expected(now time.Time, u store.Update) (gasproxy.Prediction, bool) {
	l, ok := h.Load(now, u)
	if !ok {
		return gasproxy.Prediction{}, false
	}
	return gasproxy.Predict(h.proxy.Policy(), l), true
}

// Load returns what Expected starts from, to ask what if.
func (h *Hub) Load(now time.Time, u store.Update) (gasproxy.Load, bool) {
	d, ok := h.devices[u.Device]
	if !ok || Kind(d.log.Kind) != KindGSME || !UpdateState(u.State).offered() {
		return gasproxy.Load{}, false
	}
	im, ok := h.store.ImageByFileHash(u.FileHash)
	if !ok {
		return gasproxy.Load{}, false
	}
	p := h.server.Progress(u.Device)
	if p.Blocks == 0 { // the hub was restarted, and the device did not ask yet
		p.Offset = min(im.Size, u.Blocks*uint32(h.cfg.BlockSize))
	}
	return h.proxy.Load(now, u.Device, gasproxy.Transfer{
		Total: im.Size, Offset: p.Offset,
		Size: h.cfg.BlockSize, Most: max(h.cfg.BlockSize, h.cfg.PlanBlockSize), Started: time.UnixMicro(u.StartedAt).UTC(),
	})
}
