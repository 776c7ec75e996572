package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// RegisterImage makes an image of the cache known. supplierVerified tells that
// its authorising signature was checked.
func (h *Hub) RegisterImage(now time.Time, out *han.Outbox, e imagecache.Entry, supplierVerified bool) error {
	known, ok := h.store.ImageByFileHash(e.FileHash)
	// Records of before the flag was kept have none.
	if ok && !known.Damaged && !known.Removed && known.ForceReplace == (e.ForceReplace != 0) {
		return nil
	}
	if err := h.Holds(e.FileHash); errors.Is(err, store.ErrUnknownImage) {
		return fmt.Errorf("register image %s: %w: it was removed while it came in; upload it again", e.FileHash, store.ErrConflict)
	}
	im := store.Image{
		FileHash: e.FileHash, ImageHash: e.ImageHash,
		Manufacturer: e.Header.Manufacturer, ImageType: e.Header.ImageType, FileVersion: e.Header.FileVersion,
		Size: e.Header.TotalSize, HasHardware: e.Header.HasHardware,
		HardwareMin: e.Header.HardwareMin, HardwareMax: e.Header.HardwareMax,
		HasDestination: e.Header.HasDestination, Destination: e.Header.Destination,
		Text: e.Header.Text, Layout: e.Layout, ForceReplace: e.ForceReplace != 0, SupplierVerified: supplierVerified, AddedAt: now.UnixMicro(),
	}
	if err := h.store.Commit(store.Put(im)); err != nil {
		return fmt.Errorf("register image: %w", err)
	}
	h.record(out, trace.Record{At: now, Kind: trace.ImageCached, Version: im.FileVersion, Size: im.Size, Hash: im.FileHash})
	return nil
}

// RemoveImage drops an image. That it is to go is on record before its bytes go, so that
// what a power cut or a failing disk leaves undone is done when it is called again, and
// the image is there no more in between. With forget nothing stays on record of it.
// Removing what is not there does nothing.
func (h *Hub) RemoveImage(now time.Time, out *han.Outbox, fileHash imagecache.Hash, forget bool) error {
	im, ok := h.store.ImageByFileHash(fileHash)
	if !ok {
		return nil
	}
	if !im.Removed {
		im.Removed, im.Damaged = true, false
		if err := h.store.Commit(store.Put(im)); err != nil {
			return fmt.Errorf("remove image %s: %w", fileHash, err)
		}
		h.record(out, trace.Record{At: now, Kind: trace.ImageRemoved, Version: im.FileVersion, Size: im.Size, Hash: im.FileHash})
	}
	if err := h.cache.Remove(fileHash); err != nil {
		return fmt.Errorf("%w: it is not offered any more, and its bytes go when it is removed again or the hub starts", err)
	}
	if !forget {
		return nil
	}
	if err := h.store.Commit(store.Delete(im)); err != nil {
		return fmt.Errorf("remove image %s: %w", fileHash, err)
	}
	return nil
}

// Image returns what is known of an image, also of a removed one.
func (h *Hub) Image(fileHash imagecache.Hash) (store.Image, bool) {
	return h.store.ImageByFileHash(fileHash)
}

// Holds returns an error if an image cannot be served.
func (h *Hub) Holds(fileHash imagecache.Hash) error {
	f, err := h.cache.Open(fileHash)
	if errors.Is(err, fs.ErrNotExist) {
		return store.ErrUnknownImage
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Quarantine puts an image aside that cannot be served, and returns the change that makes
// it one to be put in again.
func (h *Hub) Quarantine(fileHash imagecache.Hash) ([]store.Change, error) {
	im, ok := h.store.ImageByFileHash(fileHash)
	if !ok {
		return nil, store.ErrUnknownImage
	}
	if err := h.cache.Quarantine(fileHash); err != nil {
		return nil, err
	}
	im.Damaged = true
	return []store.Change{store.Put(im)}, nil
}

// header returns the parts of an image's OTA header that decide whom it fits.
func header(im store.Image) ota.ImageHeader {
	return ota.ImageHeader{
		ImageID: im.ID(), TotalSize: im.Size,
		HasHardware: im.HasHardware, HardwareMin: im.HardwareMin, HardwareMax: im.HardwareMax,
		HasDestination: im.HasDestination, Destination: im.Destination,
	}
}

// Offer makes an image the one meant for a device, in place of any before it. A
// sleeping meter learns of it at its next heartbeat.
func (h *Hub) Offer(device han.EUI64, fileHash imagecache.Hash, terms otaserver.Terms) error {
	d, ok := h.devices[device]
	if !ok {
		return store.ErrUnknownDevice
	}
	im, ok := h.store.ImageByFileHash(fileHash)
	if !ok {
		return store.ErrUnknownImage
	}
	file, err := h.cache.Open(fileHash)
	if err != nil {
		return err
	}
	if err := d.closeImage(); err != nil {
		return err
	}
	d.image = file
	d.takenBlocks, d.takenRepeats = 0, 0
	h.server.Offer(device, otaserver.Offer{Header: header(im), FileHash: fileHash, Image: file, Terms: terms})
	return nil
}

// Notify tells a device that listens at once of what is offered to it.
func (h *Hub) Notify(now time.Time, out *han.Outbox, device han.EUI64) {
	d, ok := h.devices[device]
	if !ok || d.log.Kind == store.KindGSME {
		return
	}
	sent := len(out.Frames)
	h.server.Notify(now, out, zcl.Peer{Node: device, Endpoint: d.log.Endpoint})
	h.transmitted(now, out, sent)
}

// Withdraw ends the offer to a device: a download in progress is answered with
// ABORT from now on.
func (h *Hub) Withdraw(now time.Time, out *han.Outbox, device han.EUI64) {
	h.server.Withdraw(device)
	if d, ok := h.devices[device]; ok {
		if err := d.closeImage(); err != nil {
			h.fault(now, out, device, err)
		}
	}
}

// Finish stops offering what a device needs no more; its figures stay.
func (h *Hub) Finish(device han.EUI64) { h.server.Finish(device) }

// Served returns the figures of a device's download: what it has, and what was
// served since TakeServed was called last.
func (h *Hub) Served(device han.EUI64) otaserver.Served {
	p := h.server.Served(device)
	if d, ok := h.devices[device]; ok {
		p.Blocks -= d.takenBlocks
		p.Repeats -= d.takenRepeats
	}
	return p
}

// endWindow has the supplier count what was served to a gas meter that was told to
// wait, so that it is known even if the hub is killed while the meter sleeps.
func (h *Hub) endWindow(now time.Time, out *han.Outbox, d *device) {
	if !d.toldToWait {
		return
	}
	d.toldToWait = false
	if err := h.supplier.WindowOver(now, d.log.EUI64); err != nil {
		h.fault(now, out, d.log.EUI64, err)
	}
}

// TakeServed returns the same figures, which count as known to the supplier from
// then on. Divergence: that is at the end of a window, so that one in which the hub is
// killed is missing from the counts.
func (h *Hub) TakeServed(device han.EUI64) otaserver.Served {
	p := h.Served(device)
	if d, ok := h.devices[device]; ok {
		d.takenBlocks += p.Blocks
		d.takenRepeats += p.Repeats
	}
	return p
}

// Expected reckons what the rest of a gas meter's download will take, with the
// loss measured so far, and says why the pacing may not hold what it promises; doubt is ""
// if it will. It reports false for what is no download of a gas meter in progress.
func (h *Hub) Expected(now time.Time, u store.Update) (p gasproxy.Prediction, doubt string, ok bool) {
	l, ok := h.Load(now, u)
	if !ok {
		return gasproxy.Prediction{}, "", false
	}
	policy := h.proxy.Policy()
	return gasproxy.Predict(policy, l), gasproxy.Doubt(policy, l), true
}

// Foresee returns an update whose download did not begin with what the whole of it is
// expected to take, with the loss that was measured before. It returns it unchanged if it
// is none of a gas meter, or of one of which no window was seen: its rhythm is not known.
func (h *Hub) Foresee(now time.Time, u store.Update) store.Update {
	l, ok := h.load(now, u, 0)
	if !ok || !l.Heard {
		return u
	}
	p := gasproxy.Predict(h.proxy.Policy(), l)
	u.ForeseenAt = now.UnixMicro()
	if !p.Never {
		const tenths = 10
		u.ForeseenCompletesAt, u.ForeseenWindows = p.CompletesAt.UnixMicro(), uint32(min(math.Round(p.Windows*tenths), math.MaxUint32))
		u.ForeseenCharge, u.ForeseenRadioOn = int64(p.Charge), p.RadioOn.Microseconds()
	}
	return u
}

// Load returns what Expected starts from, to ask what if.
func (h *Hub) Load(now time.Time, u store.Update) (gasproxy.Load, bool) {
	p := h.server.Served(u.Device)
	if p.Blocks+p.Repeats == 0 && u.State == store.UpdateDownloading { // the hub was restarted, and the device did not ask yet
		p.Bytes = u.Blocks * uint32(h.cfg.BlockSize)
	}
	return h.load(now, u, p.Bytes)
}

// load returns what a prediction starts from for a device that has so many bytes.
func (h *Hub) load(now time.Time, u store.Update, has uint32) (gasproxy.Load, bool) {
	d, ok := h.devices[u.Device]
	if !ok || d.log.Kind != store.KindGSME || !u.State.Offered() {
		return gasproxy.Load{}, false
	}
	im, ok := h.store.ImageByFileHash(u.FileHash)
	if !ok {
		return gasproxy.Load{}, false
	}
	l, ok := h.proxy.Load(now, u.Device, gasproxy.Transfer{
		Total: im.Size, Served: min(im.Size, has),
		Size: h.cfg.BlockSize, Most: max(h.cfg.BlockSize, h.cfg.PlanBlockSize), Started: time.UnixMicro(u.StartedAt).UTC(),
	})
	if wait := time.UnixMicro(u.NotBefore).Sub(l.Next); ok && wait > 0 { // the next attempt begins with a later window
		l.Open, l.Next = 0, l.Next.Add((wait+l.Period-1)/l.Period*l.Period)
	}
	return l, ok
}
