package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/link"
	"github.com/commshub/commshub/transport/live"
	"github.com/commshub/commshub/transport/radio"
)

// HubOptions describe a hub process.
type HubOptions struct {
	Config     hub.Config
	Dir        string      // folder of its records and images, made if missing
	StorageKey *atrest.Key // that they are encrypted with; nil for none
	Broker     Broker
	Credential *pki.Credential
	// Keys are those for GBCS messages, and Messages which messages are taken.
	Keys     home.Keyring
	Messages seal.Policy
	// HeadEnd says which images are taken; its Supplier is that of Config.
	HeadEnd headend.Config
	// Speed is how many emulated seconds pass per second; 0 keeps that of the last
	// run, or real time.
	Speed float64
	// Start is the emulated time of a hub's very first start; zero means now.
	Start time.Time
	// Paused has the clock stand until it is told to run.
	Paused bool
	// Standstill says what the clock did while the hub was stopped.
	Standstill Standstill
	// Seed is that of the radio links' dice, and Link what goes wrong with what the hub
	// sends; its times follow from the radio of the configuration's parameter set.
	Seed uint64
	Link fault.Link
	// Observe, if set, is called before the hub takes its first frame, with what it
	// was started on, and returns who looks on.
	Observe func(h *Hub) han.Observer
	// Faults, if set, disturb the frames between the hub and its devices.
	Faults *Faults
	Log    *slog.Logger
}

// Hub is a hub that runs over MQTT and DTLS.
type Hub struct {
	Store *store.Store
	Cache *imagecache.Cache
	Clock *live.Schedule
	// HeadEnd is the supplier's; but for Authorise and Log it is called within Operate and Order
	// alone.
	HeadEnd *headend.HeadEnd
	// New tells that the hub had no records before.
	New bool

	hub      *hub.Hub
	member   membership
	sessions sessions
	driver   *live.Driver
	link     *link.Hub
	done     chan error
	ended    chan struct{} // closed when the driver makes no further call
	cancel   context.CancelFunc
}

// StartHub starts a hub on its folder. It runs until Close is called or ctx is done.
func StartHub(ctx context.Context, o HubOptions) (*Hub, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start hub: %w", err)
	}
	if err := lostRecords(o.Dir); err != nil {
		return nil, fmt.Errorf("start hub: %w", err)
	}
	records, err := store.Open(filepath.Join(o.Dir, recordsFile), o.StorageKey)
	if err != nil {
		return nil, fmt.Errorf("start hub: %w", err)
	}
	h := &Hub{Store: records, sessions: sessions{since: time.Now()}, member: membership{store: records}, done: make(chan error, 1), ended: make(chan struct{})}
	if err := h.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("start hub: %w", err), h.closeStorage())
	}
	return h, nil
}

// protect gives the supplier and the hub's functions their keys for GBCS messages.
func (o *HubOptions) protect() (err error) {
	o.HeadEnd.Supplier = o.Config.Supplier
	if o.HeadEnd.Security, err = o.Keys.Supplier(o.Config.Supplier, o.Messages); err != nil {
		return err
	}
	o.Config.Functions, err = o.Keys.Functions(o.Config, o.Messages)
	return err
}

// protectWaiting signs the orders that wait bare for their devices: those of the release before,
// whose devices have no keys yet. In a home that makes its own they are made now.
func (o *HubOptions) protectWaiting(records *store.Store) error {
	supplier := o.HeadEnd
	if o.Messages == seal.Signed {
		supplier.Security.Party = func(device han.EUI64) (seal.Party, bool) {
			if p, ok := o.Keys.Device(device); ok {
				return p, true
			}
			if _, err := o.Keys.Own(device); err != nil {
				return seal.Party{}, false // where no root's key is, they are provisioned
			}
			return o.Keys.Device(device)
		}
	}
	return headend.ProtectWaiting(supplier, records)
}

func (h *Hub) start(ctx context.Context, o HubOptions) error {
	if err := o.protect(); err != nil {
		return err
	}
	if err := o.protectWaiting(h.Store); err != nil {
		return err
	}
	// The cache has no lock of its own; the store, opened first, has one.
	cache, err := imagecache.Open(filepath.Join(o.Dir, imagesFolder), o.StorageKey)
	if err != nil {
		return err
	}
	h.Cache = cache
	_, before := h.Store.ClockAnchor()
	h.New = !before
	anchor, err := resumeClock(h.Store, o)
	if err != nil {
		return err
	}
	h.Clock = live.NewSchedule(anchor, h.clockMoved)
	var observer han.Observer
	if o.Observe != nil {
		observer = o.Observe(h)
	}
	observer = han.Observers(han.Observer{Record: h.endSession, Session: h.sessions.set}, observer)
	h.driver = live.New(h.Clock, o.Config.EUI64, h.driverOptions(o, observer))
	part := func(device han.EUI64) {
		go h.driver.Part(device) // a call of the driver may be waiting for this one
	}
	parts := han.Observer{Session: func(device han.EUI64, established bool) {
		if !established {
			part(device)
		}
	}}
	notices := observedNotices(h.sessions.watch(linkNotices(o.Log)), han.Observers(parts, observer))
	notices.Gone = part
	notices.Unproven = func(device han.EUI64, inARow int) {
		go h.joiningFailed(o.Log, device, inARow) // likewise
	}
	h.link, err = link.DialHub(ctx, link.HubOptions{
		Broker: o.Broker, Hub: o.Config.EUI64,
		Certificate: certificate(o.Credential), Roots: o.Credential.Roots(),
		InstallKey: h.member.installKey,
		Authorise:  h.member.authorise,
		Receive:    link.Receivers{Frame: h.driver.Deliver, Stamp: h.driver.Sync},
		Notices:    notices,
	})
	if err != nil {
		return err
	}
	h.driver.Start()
	if err := h.publish(h.Clock.Anchor()); err != nil {
		return errors.Join(err, h.link.Close())
	}
	runCtx, cancel := context.WithCancel(ctx)
	h.cancel = cancel
	go h.Clock.Run(runCtx)
	go func() {
		h.done <- h.driver.Run(runCtx)
		close(h.ended)
	}()
	return nil
}

// joiningFailed has the hub tell its supplier of a device that did not prove its install code.
func (h *Hub) joiningFailed(log *slog.Logger, device han.EUI64, inARow int) {
	err := h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		return hb.JoiningFailed(now, out, device, inARow)
	})
	if err != nil && log != nil {
		log.Warn("the supplier was not told of a device that did not join", "peer", device, "reason", err)
	}
}

// driverOptions returns how the hub's node is driven.
func (h *Hub) driverOptions(o HubOptions, observer han.Observer) live.Options {
	return live.Options{
		Link: home.HubLink(o.Link, o.Config), Dice: radio.Dice(o.Seed, o.Config.EUI64),
		Send:     func(f han.Frame, st *han.Stamp) error { return h.link.Send(f, st) },
		Sync:     func(to han.EUI64, st han.Stamp) { _ = h.link.SendStamp(to, &st) }, // it asks again
		Silent:   silence(o.Log),
		Observer: observer, Disturb: o.Faults.disturb(o.Config.EUI64), Lasting: true,
		Build: func(now time.Time) han.Node {
			var first han.Outbox
			h.HeadEnd = headend.New(o.HeadEnd, h.Store)
			h.hub = hub.New(o.Config, h.Store, h.Cache, h.HeadEnd, now, &first)
			h.HeadEnd.Connect(now, &first, h.hub)
			for i := range first.Records {
				observer.Record(&first.Records[i])
			}
			return h.hub
		},
	}
}

// endSession ends the session of a device that leaves the device log.
func (h *Hub) endSession(r *trace.Record) {
	if r.Kind == trace.DeviceRemoved {
		// Not in this call: a frame of the device may be waiting for it to end.
		go h.link.Drop(han.EUI64(r.Peer))
		h.sessions.set(han.EUI64(r.Peer), false)
	}
}

// Operate runs an operation on the hub between two of its calls.
func (h *Hub) Operate(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) error {
	var err error
	notRun := h.driver.Do(func(now time.Time, n han.Node, out *han.Outbox) { err = f(n.(*hub.Hub), now, out) })
	if notRun != nil {
		return notRun
	}
	return err
}

// Order runs an operation of the supplier between two calls of the hub.
func (h *Hub) Order(f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error) error {
	return h.Operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error { return f(h.HeadEnd, now, out) })
}

// OrderAt runs an operation of the supplier at an emulated instant; failed, if not nil,
// is told its error.
func (h *Hub) OrderAt(at time.Time, f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error, failed func(error)) {
	h.driver.DoAt(at, func(now time.Time, _ han.Node, out *han.Outbox) {
		if err := f(h.HeadEnd, now, out); err != nil && failed != nil {
			failed(err)
		}
	})
}

// OrderWhenever runs an operation of the supplier after anything that made due true, at
// the same instant, until stop is called. due is asked after each event in the home.
func (h *Hub) OrderWhenever(due func() bool, f func(e *headend.HeadEnd, now time.Time, out *han.Outbox)) (stop func()) {
	return h.driver.Whenever(due, func(now time.Time, _ han.Node, out *han.Outbox) { f(h.HeadEnd, now, out) })
}

// Config returns the hub's configuration.
func (h *Hub) Config() hub.Config { return h.hub.Config() }

// Counters returns what the hub's link did.
func (h *Hub) Counters() link.Counters { return h.link.Counters() }

// Connected reports whether a device has a session.
func (h *Hub) Connected(device han.EUI64) bool { return h.sessions.connected(device) }

// BrokerUp reports whether the broker is connected, and since when, on the wall clock,
// that is so.
func (h *Hub) BrokerUp() (up bool, since time.Time) { return h.sessions.brokerUp() }

// BrokerReason returns why the broker is not connected, "" if it is or nobody knows.
func (h *Hub) BrokerReason() string { return h.sessions.brokerReason() }

// WaitUp returns when the broker is connected.
func (h *Hub) WaitUp(ctx context.Context) error { return h.link.WaitUp(ctx) }

// Done returns a channel that yields the reason if the hub stops by itself.
func (h *Hub) Done() <-chan error { return h.done }

// Close stops the hub: sessions are closed, records are on disk, the clock's position
// among them.
func (h *Hub) Close() error {
	h.cancel()
	err := h.link.Close()
	<-h.ended // records must not go away under a running call
	return errors.Join(err, h.hub.Close(), keepClock(h.Store, h.Clock), h.closeStorage())
}

func (h *Hub) closeStorage() error {
	var err error
	if h.Cache != nil {
		err = h.Cache.Close()
	}
	return errors.Join(err, h.Store.Close())
}
