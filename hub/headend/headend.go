// Package headend is the supplier's head end: it distributes images, gives orders
// to meters, counts its messages, and reads what meters and hubs answer.
//
//	Distribute, CancelUpdate      ┌──────────┐  Offer, Notify, Withdraw, Finish
//	Activate, CancelActivation ──►│ HeadEnd  │─────────────────────────────────► Hub
//	ReadVersion, TopUp, …         │          │  Send: a GBCS message, opaque
//	                              │          │◄─────────────────────────────────
//	                              └──────────┘  Received, TransferChanged, Expired, …
//	            orders, updates, inbox, originator counters
//
// A HeadEnd is the supplier's end of the line to one hub, which is behind the
// interface [Hub]; those of several hubs share a store, and with it the counters and
// the inbox. It is passive: it is called between two calls of the hub's driver, and
// puts its records into the hub's outbox. An operation is checked as a whole first;
// an error means that nothing changed.
//
// Its records are the updates, the orders, the inbox (alerts) and the originator
// counters. A device answers an order by its counter and use case, and nothing else
// moves it.
//
// What happens to head end and hub at once, such as a message that is queued and the
// update that it moves, is one transaction: each side hands the other the changes of
// its own records, and whoever the operation ends with commits them together.
package headend

import (
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// Hub is a communications hub as the supplier reaches it over the WAN.
type Hub interface {
	EUI64() han.EUI64
	// Device returns an entry of the device log.
	Device(device han.EUI64) (store.Device, bool)
	// Function tells which of the hub's own functions has an identifier.
	Function(eui han.EUI64) (gbcs.Roles, bool)
	// CheckDevice tells why a device cannot be added, nil if it can. AddDevice and
	// RemoveDevice are for outside devices, which are in no device log.
	CheckDevice(d store.Device) error
	// Restorable returns those of the devices that are not in the device log, as they can be
	// added again, or why they cannot.
	Restorable(devices []han.EUI64) ([]store.Device, error)
	AddDevice(now time.Time, out *han.Outbox, d store.Device) error
	RemoveDevice(now time.Time, out *han.Outbox, device han.EUI64) error
	// CHF is the identifier of the hub's own function that keeps the device log. Serve has
	// it take the messages that wait for it now.
	CHF() han.EUI64
	Serve(now time.Time, out *han.Outbox, function han.EUI64) error
	// RegisterImage makes an image of the cache known; verified tells that its
	// authorising signature was checked. Image returns what is known of one, Holds an error if it cannot be served.
	RegisterImage(now time.Time, out *han.Outbox, e imagecache.Entry, verified bool) error
	Image(fileHash imagecache.Hash) (store.Image, bool)
	// RemoveImage drops an image, or what an earlier call left of it; with forget nothing
	// stays on record of it.
	RemoveImage(now time.Time, out *han.Outbox, fileHash imagecache.Hash, forget bool) error
	Holds(fileHash imagecache.Hash) error
	// Quarantine puts an image aside that cannot be served. The change makes it one to be
	// put in again.
	Quarantine(fileHash imagecache.Hash) ([]store.Change, error)

	// Send queues a GBCS message for a device. Its sequence is the originator counter,
	// by which Delivered and Expired speak of it. The changes are committed along with
	// it, or nothing is.
	Send(now time.Time, out *han.Outbox, device han.EUI64, m gasproxy.Message, along ...store.Change) error

	// Raise and TransferEnded return the changes by which the hub tells what it has to say of a
	// device or of itself, the latter of an image that it had for a device (CCS08). They are
	// committed with what is told, and before the next.
	Raise(now time.Time, device han.EUI64, code gbcs.AlertCode, text string) []store.Change
	TransferEnded(now time.Time, device han.EUI64, version uint32, outcome gbcs.TransferOutcome, text string) []store.Change

	// Foresee returns an update whose download did not begin with what the whole of it is
	// expected to take, if that can be said of its device.
	Foresee(now time.Time, u store.Update) store.Update
	// Offer makes an image the one meant for a device, in place of any before it.
	Offer(device han.EUI64, fileHash imagecache.Hash, terms otaserver.Terms) error
	// Notify tells a device that listens of what is offered to it.
	Notify(now time.Time, out *han.Outbox, device han.EUI64)
	// Withdraw ends the offer to a device, and aborts its download.
	Withdraw(now time.Time, out *han.Outbox, device han.EUI64)
	// Finish ends the offer to a device that needs it no more.
	Finish(device han.EUI64)
	// Served returns what a device has of its download and what was served since
	// TakeServed returned the same.
	Served(device han.EUI64) otaserver.Served
	TakeServed(device han.EUI64) otaserver.Served

	// HeardBridged keeps what a bridge tells of a device outside the HAN, with changes
	// that are committed along.
	HeardBridged(now time.Time, device han.EUI64, heard bool, version *uint32, along ...store.Change) error
}

// HeadEnd is a supplier's end of the line to one hub.
type HeadEnd struct {
	cfg     Config
	store   *store.Store
	hub     Hub
	bridged map[han.EUI64]Progress // how far outside devices got, by their bridges' last reports
}

// New returns the head end of a supplier, with what its store holds. It has no hub
// before Connect is called.
func New(cfg Config, records *store.Store) *HeadEnd {
	return &HeadEnd{cfg: cfg, store: records, bridged: map[han.EUI64]Progress{}}
}

// Connect gives the head end a hub that has started. What devices had not
// downloaded yet is offered again, and what removals left half done is done.
func (s *HeadEnd) Connect(now time.Time, out *han.Outbox, h Hub) {
	s.hub = h
	s.finishRemovals(now, out)
	for _, im := range s.store.Images() {
		s.examine(now, out, im)
	}
	for _, u := range s.store.Updates() {
		s.resume(now, out, u)
	}
}

func (s *HeadEnd) record(out *han.Outbox, r trace.Record) {
	r.Node = uint64(s.hub.EUI64())
	out.Record(r)
}

// fault records why something could not be done for a device.
func (s *HeadEnd) fault(now time.Time, out *han.Outbox, device han.EUI64, err error) {
	s.record(out, trace.Record{At: now, Kind: trace.FrameRefused, Peer: uint64(device), Text: err.Error()})
}
