package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// What an update's outcome says if the device runs its image before, or without, an
// answer to an order to activate.
const (
	runsAlready = "the device runs this version already"
	runsNow     = "the device says that it runs this version"
)

// with returns u in another state.
func with(u store.Update, now time.Time, s store.UpdateState, outcome string) store.Update {
	u.State, u.ChangedAt, u.Outcome = s, now.UnixMicro(), outcome
	return u
}

// current returns the update of a device that has not ended. There is at most one.
func (s *HeadEnd) current(eui han.EUI64) (store.Update, bool) { return s.store.CurrentUpdate(eui) }

// held returns the update of a device that holds an image and did not activate it
// yet, if its image is the one named.
func (s *HeadEnd) held(eui han.EUI64, hash ota.ImageHash) (store.Update, bool) {
	u, ok := s.current(eui)
	if !ok || !u.State.Holds() {
		return store.Update{}, false
	}
	im, ok := s.hub.Image(u.FileHash)
	return u, ok && im.ImageHash == hash
}

// resume offers again, after a start of the hub, what was being downloaded.
func (s *HeadEnd) resume(now time.Time, out *han.Outbox, u store.Update) {
	d, ok := s.hub.Device(u.Device)
	if !ok || !u.State.Offered() || d.Kind == store.KindBridged {
		return
	}
	err := s.offer(u)
	if err == nil {
		return
	}
	s.fault(now, out, u.Device, fmt.Errorf("image of the update: %w", err))
	if err := s.store.Commit(store.Put(with(u, now, store.UpdateFailed, err.Error()))); err != nil {
		s.fault(now, out, u.Device, err)
	}
}

// offer has the hub offer the image of an update.
func (s *HeadEnd) offer(u store.Update) error {
	terms := otaserver.Terms{Started: time.UnixMicro(u.StartedAt).UTC(), Has: s.has(u), Downgrade: u.Downgrade}
	if u.NotBefore != 0 {
		terms.NotBefore = time.UnixMicro(u.NotBefore).UTC()
	}
	return s.hub.Offer(u.Device, u.FileHash, terms)
}

// has returns what a device has of an update's file by the record: the file that it was
// given last is what its memory holds.
func (s *HeadEnd) has(u store.Update) otaserver.Has {
	last := s.lastGiven(u.Device)
	switch {
	case last.Given == 0:
		return otaserver.HasUnknown
	case last.FileHash != u.FileHash:
		return otaserver.HasOther
	case last.Whole:
		return otaserver.HasWhole
	default:
		return otaserver.HasPart
	}
}

// lastGiven returns the update that a device was given blocks of last, if any.
func (s *HeadEnd) lastGiven(eui han.EUI64) (last store.Update) {
	for _, u := range s.store.UpdatesOf(eui) {
		if u.Given > last.Given {
			last = u
		}
	}
	return last
}

// WindowOver implements hub.Supplier: the figures of the update in hand are stored
// once per window, never per block.
func (s *HeadEnd) WindowOver(now time.Time, eui han.EUI64) error {
	u, ok := s.current(eui)
	if !ok {
		return nil
	}
	before := u
	u = s.figures(u)
	if u == before {
		return nil
	}
	u.ChangedAt = now.UnixMicro()
	return s.store.Commit(store.Put(u))
}

// figures brings an update's figures up to date from the hub's. The blocks served
// since the last time, be it for the first, count as one more window.
func (s *HeadEnd) figures(u store.Update) store.Update {
	p := s.hub.TakeServed(u.Device)
	if p.Blocks+p.Repeats > 0 {
		u.Windows++
	}
	u.Blocks += p.Blocks
	u.Retries += p.Repeats
	return u
}

// Progress are the figures of an update up to this instant.
type Progress struct {
	Offset  uint32 // bytes that the device has, by what was served since the hub started
	Windows uint32
	Blocks  uint32
	Repeats uint32
	Pages   uint32 // page requests since the hub started
}

// Progress returns the figures of an update, those not stored yet included.
func (s *HeadEnd) Progress(u store.Update) Progress {
	d, ok := s.hub.Device(u.Device)
	if !ok || u.State.Ended() {
		return Progress{Windows: u.Windows, Blocks: u.Blocks, Repeats: u.Retries}
	}
	if d.Kind == store.KindBridged {
		b := s.bridged[u.Device]
		return Progress{Offset: b.Offset, Windows: max(u.Windows, b.Windows), Blocks: max(u.Blocks, b.Blocks)}
	}
	p := s.hub.Served(u.Device)
	out := Progress{Offset: p.Bytes, Windows: u.Windows, Blocks: u.Blocks + p.Blocks, Repeats: u.Retries + p.Repeats, Pages: p.Pages}
	if p.Blocks+p.Repeats > 0 {
		out.Windows++
	}
	return out
}

// TransferChanged implements hub.Supplier: it moves the update of a device on what
// the OTA server learned.
func (s *HeadEnd) TransferChanged(now time.Time, out *han.Outbox, eui han.EUI64, r otaserver.Result) error {
	u, ok := s.current(eui)
	if !ok {
		return nil
	}
	version := s.versionOf(u)
	rec := trace.Record{At: now, Peer: uint64(eui), Version: version}
	var told raised
	switch r.News {
	case otaserver.NewsNone:
		return nil
	case otaserver.NewsStarted:
		u = with(u, now, store.UpdateDownloading, r.Reason)
		if u.ForeseenAt == 0 { // its device had not been heard when it was distributed
			u = s.hub.Foresee(now, u)
		}
	case otaserver.NewsServing:
		if u.State == store.UpdatePending {
			u = with(u, now, store.UpdateDownloading, u.Outcome)
		}
		u.Given, u.Whole = s.lastGiven(eui).Given+1, false
	case otaserver.NewsUnfit:
		u = with(s.figures(u), now, store.UpdateFailed, r.Reason)
		rec.Kind, rec.Text = trace.TransferFailed, r.Reason
		outcome := gbcs.TransferImageDiscarded
		if r.Hardware {
			outcome = gbcs.TransferHardwareVersionMismatch
		}
		told = s.transferEnded(now, u, outcome, r.Reason)
	case otaserver.NewsRunning:
		u = with(s.figures(u), now, store.UpdateActivated, runsAlready)
	case otaserver.NewsDone:
		u.Whole = true
		if u = s.figures(u); u.State.Offered() { // its receipt may have come before
			u = with(u, now, store.UpdateTransferred, "")
		}
		rec.Kind = trace.TransferDone
	case otaserver.NewsFailed:
		why := fmt.Sprintf("the device gave up: %s", r.Status)
		if u = s.figures(u); passing(r.Status) {
			u, told = s.again(now, u, why)
		} else {
			u = with(u, now, store.UpdateFailed, why)
		}
		rec.Kind, rec.Code, rec.Text = trace.TransferFailed, uint32(r.Status), u.Outcome
	case otaserver.NewsUnreadable:
		if im, ok := s.hub.Image(u.FileHash); ok {
			s.examine(now, out, im)
		}
		return nil
	case otaserver.NewsRefused:
		u, told = s.again(now, s.figures(u), r.Reason)
		rec.Kind, rec.Text = trace.TransferFailed, u.Outcome
	}
	if err := s.store.Commit(append(told.changes, store.Put(u))...); err != nil {
		return err
	}
	if rec.Kind != 0 {
		s.record(out, rec)
	}
	if told.changes != nil {
		s.record(out, told.record)
	}
	if (r.News == otaserver.NewsFailed || r.News == otaserver.NewsRefused) && u.State.Offered() {
		return s.offer(u)
	}
	s.settleOffer(eui)
	return nil
}

// Runs implements hub.Supplier: a device that runs the version of its update needs it no
// more, whether it answered an order or not.
func (s *HeadEnd) Runs(now time.Time, eui han.EUI64, version uint32) error {
	u, ok := s.current(eui)
	if !ok || !u.State.Holds() || s.versionOf(u) != version {
		return nil
	}
	return s.store.Commit(store.Put(with(u, now, store.UpdateActivated, runsNow)))
}

// settleOfferSince stops offering what a device needs no more, and offers what it needs
// again, after what moved its update from what it was before.
func (s *HeadEnd) settleOfferSince(eui han.EUI64, before store.Update) error {
	if u, ok := s.current(eui); ok && before.State.Holds() && u.State.Offered() && u.FileHash == before.FileHash {
		return s.offer(u)
	}
	s.settleOffer(eui)
	return nil
}

// settleOffer stops offering what a device needs no more.
func (s *HeadEnd) settleOffer(eui han.EUI64) {
	if u, ok := s.current(eui); !ok || !u.State.Offered() {
		s.hub.Finish(eui)
	}
}

func (s *HeadEnd) versionOf(u store.Update) uint32 {
	im, _ := s.hub.Image(u.FileHash)
	return im.FileVersion
}

// receipt moves an update on a Firmware Distribution Receipt Alert, which may
// come before the Upgrade End Request, or without it.
func (s *HeadEnd) receipt(now time.Time, eui han.EUI64, a gbcs.DistributionReceiptAlert) []store.Change {
	u, ok := s.current(eui)
	if !ok || !u.State.Offered() {
		return nil
	}
	im, ok := s.hub.Image(u.FileHash)
	if !ok || im.ImageHash != a.ImageHash {
		return nil
	}
	u = s.figures(u)
	if a.Code == gbcs.AlertFirmwareVerificationSuccessful {
		if now.Before(time.UnixMicro(u.NotBefore)) {
			return nil // of what the device was told to drop: nothing was served to it since
		}
		u.Whole = true
		return []store.Change{store.Put(with(u, now, store.UpdateTransferred, ""))}
	}
	return []store.Change{store.Put(with(u, now, store.UpdateFailed, fmt.Sprintf("%04X %s", uint16(a.Code), a.Code)))}
}

// Removed implements hub.Supplier: nothing is distributed to a device that leaves,
// and no order is kept of it.
func (s *HeadEnd) Removed(eui han.EUI64) []store.Change {
	delete(s.bridged, eui)
	var changes []store.Change
	for _, u := range s.store.UpdatesOf(eui) {
		changes = append(changes, store.Delete(u))
	}
	for _, o := range s.store.OrdersOf(eui) {
		changes = append(changes, store.Delete(o))
	}
	return changes
}
