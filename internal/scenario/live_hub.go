package scenario

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/link"
	"github.com/commshub/commshub/transport/live"
)

// LiveHubOptions describe a hub process.
type LiveHubOptions struct {
	Config     hub.Config
	Dir        string // folder of its records and images, made if missing
	Broker     link.Broker
	Credential *pki.Credential
	// Speed is how many emulated seconds pass per second; 0 keeps that of the last
	// run, or real time.
	Speed float64
	// Start is the emulated time of a hub's very first start; zero means now.
	Start time.Time
	// Records and Frames see what happens; both are optional, may be called from
	// several goroutines one after the other, and must not block.
	Records func(r *trace.Record)
	Frames  func(now time.Time, f *han.Frame)
	// Started is called before the hub takes its first frame, with what it was
	// started on; it is where an observer is made.
	Started func(h *LiveHub)
	// Session is told that a device has a session, or not any more. It must not block.
	Session func(device han.EUI64, established bool)
	// Faults, if set, disturb the frames between the hub and its devices.
	Faults *Faults
	Log    *slog.Logger
}

// LiveHub is a hub that runs over MQTT and DTLS.
type LiveHub struct {
	Store *store.Store
	Cache *imagecache.Cache
	Clock *live.Clock
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
func StartHub(ctx context.Context, o LiveHubOptions) (*LiveHub, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start hub: %w", err)
	}
	records, err := store.Open(filepath.Join(o.Dir, "records.db"))
	if err != nil {
		return nil, fmt.Errorf("start hub: %w", err)
	}
	h := &LiveHub{Store: records, member: membership{store: records}, done: make(chan error, 1), ended: make(chan struct{})}
	if err := h.start(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("start hub: %w", err), h.closeStorage())
	}
	return h, nil
}

func (h *LiveHub) start(ctx context.Context, o LiveHubOptions) error {
	// The cache has no lock of its own; the store, opened first, has one.
	cache, err := imagecache.Open(filepath.Join(o.Dir, "images"))
	if err != nil {
		return err
	}
	h.Cache = cache
	_, before := h.Store.ClockAnchor()
	h.New = !before
	if h.Clock, err = resumeClock(h.Store, o.Speed, o.Start); err != nil {
		return err
	}
	if o.Started != nil {
		o.Started(h)
	}
	var first han.Outbox
	h.hub = hub.New(o.Config, h.Store, cache, h.Clock.Now(), &first)
	// Frames that come in before the driver exists have nobody to take them.
	var driver atomic.Pointer[live.Driver]
	h.link, err = link.DialHub(ctx, link.HubOptions{
		Broker: o.Broker, Hub: o.Config.EUI64,
		Certificate: certificate(o.Credential), Roots: o.Credential.Roots(),
		Authorise: h.member.authorise,
		Receive: o.Faults.around(func(f *han.Frame) han.EUI64 { return f.Src }, func(f han.Frame) {
			if d := driver.Load(); d != nil {
				d.Deliver(f)
			}
		}),
		Events: h.sessions.watch(linkEvents(o.Log), o.Session),
	})
	if err != nil {
		return err
	}
	h.driver = live.New(h.hub, live.Options{
		Clock: h.Clock,
		Send: o.Faults.around(func(f *han.Frame) han.EUI64 { return f.Dst }, func(f han.Frame) {
			_ = h.link.Send(f) // a frame that cannot be sent is lost
		}),
		Records: h.watchRecords(o.Records), Frames: o.Frames,
	})
	driver.Store(h.driver)
	for i := range first.Records {
		h.watchRecords(o.Records)(&first.Records[i])
	}
	a := h.Clock.Anchor()
	if err := h.link.PublishClock(link.Clock{Wall: a.Wall, Emulated: a.Emulated, Speed: a.Speed}); err != nil {
		return errors.Join(err, h.link.Close())
	}
	runCtx, cancel := context.WithCancel(ctx)
	h.cancel = cancel
	go func() {
		h.done <- h.driver.Run(runCtx)
		close(h.ended)
	}()
	return nil
}

// watchRecords ends the session of a device that leaves the device log.
func (h *LiveHub) watchRecords(next func(r *trace.Record)) func(r *trace.Record) {
	return func(r *trace.Record) {
		if r.Kind == trace.DeviceRemoved {
			// Not in this call: a frame of the device may be waiting for it to end.
			go h.link.Drop(han.EUI64(r.Peer))
			h.sessions.drop(han.EUI64(r.Peer))
		}
		if next != nil {
			next(r)
		}
	}
}

// Operate runs an operation on the hub between two of its calls.
func (h *LiveHub) Operate(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) error {
	var err error
	notRun := h.driver.Do(func(now time.Time, n han.Node, out *han.Outbox) { err = f(n.(*hub.Hub), now, out) })
	if notRun != nil {
		return notRun
	}
	return err
}

// Config returns the hub's configuration.
func (h *LiveHub) Config() hub.Config { return h.hub.Config() }

// Counters returns what the hub's link did.
func (h *LiveHub) Counters() link.Counters { return h.link.Counters() }

// Connected reports whether a device has a session.
func (h *LiveHub) Connected(device han.EUI64) bool { return h.sessions.connected(device) }

// BrokerUp reports whether the broker is connected.
func (h *LiveHub) BrokerUp() bool { return h.sessions.brokerUp() }

// WaitUp returns when the broker is connected.
func (h *LiveHub) WaitUp(ctx context.Context) error { return h.link.WaitUp(ctx) }

// Done returns a channel that yields the reason if the hub stops by itself.
func (h *LiveHub) Done() <-chan error { return h.done }

// Close stops the hub: sessions are closed, records are on disk.
func (h *LiveHub) Close() error {
	h.cancel()
	err := h.link.Close()
	<-h.ended // records must not go away under a running call
	return errors.Join(err, h.hub.Close(), h.closeStorage())
}

func (h *LiveHub) closeStorage() error {
	var err error
	if h.Cache != nil {
		err = h.Cache.Close()
	}
	return errors.Join(err, h.Store.Close())
}

// resumeClock returns the emulated clock: as it was stored, or begun now. A new
// speed takes effect from the present emulated time on.
func resumeClock(s *store.Store, speed float64, start time.Time) (*live.Clock, error) {
	wall := time.Now()
	a := live.Anchor{Wall: wall, Emulated: start, Speed: speed}
	stored, ok := s.ClockAnchor()
	switch {
	case ok && (speed == 0 || speed == storedSpeed(stored)):
		a = anchorOf(stored)
	case ok:
		a.Emulated = live.NewClock(anchorOf(stored)).At(wall)
	case start.IsZero():
		a.Emulated = wall
	}
	if a.Speed == 0 {
		a.Speed = 1
	}
	err := s.Commit(store.Put(store.ClockAnchor{
		Wall: a.Wall.UnixNano(), Emulated: a.Emulated.UnixNano(), Speed: int64(a.Speed*1000 + 0.5),
	}))
	return live.NewClock(a), err
}

func storedSpeed(c store.ClockAnchor) float64 { return float64(c.Speed) / 1000 }

func anchorOf(c store.ClockAnchor) live.Anchor {
	return live.Anchor{Wall: time.Unix(0, c.Wall), Emulated: time.Unix(0, c.Emulated).UTC(), Speed: storedSpeed(c)}
}
