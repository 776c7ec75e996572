// Package api is the hub's REST interface: what the command line, the page and
// scripts use to see and steer a running hub. The OpenAPI 3.1 description is made
// from this code and served at /openapi.json, readable at /docs.
//
//	request ──► guard ──► body, idempotency ──► operation ──► hub, between two calls
//	            host, origin, token             huma
//
// Errors are RFC 9457 problems whose detail is one line for a person. Times are
// emulated time in RFC 3339, UTC. Device identifiers are 16 hex digits, hashes 64.
// What happens is told at /events as server-sent events; see stream.go.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
)

// Backend is the hub behind the interface. The functions may be called from any
// goroutine.
type Backend struct {
	// Operate runs an operation on the hub between two of its calls.
	Operate func(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) error
	// HeadEnd is the supplier's end of the line to the hub; but for Authorise it is
	// called within Operate alone.
	HeadEnd *headend.HeadEnd
	// Clock returns the emulated clock, Control moves it; nil if it cannot be moved.
	Clock   func() Clock
	Control ClockControl
	// Now returns the emulated instant, also in the middle of an operation or of a
	// condition that the clock runs until, where Clock must not be called; nil takes
	// Clock's.
	Now   func() time.Time
	Store *store.Store
	Cache *imagecache.Cache
	// Observer looks on; it is fed by the hub's driver.
	Observer  *observe.Observer
	Config    hub.Config
	Version   string
	Encrypted bool // what is kept is encrypted at rest
	// Home is what no other home has, also not one with the same EUI64s.
	Home string

	// Token is what a request that changes something has to bear; empty for none.
	Token string
	// Hosts are names that the Host header may have, besides localhost and IP addresses.
	Hosts []string
	// Connected reports whether a device has a DTLS session, BrokerUp whether the
	// hub has its broker, and since when, on the wall clock; BrokerReason why it has
	// none, "" for no reason known. Nil means nobody knows.
	Connected    func(device han.EUI64) bool
	BrokerUp     func() (up bool, since time.Time)
	BrokerReason func() string
	// Beside returns why a bridge that runs beside the hub cannot do its work; "" if it can.
	Beside func() string
	// Unkept returns why records cannot be written at present; nil if they can.
	Unkept func() error
	// Node looks at a device that runs in this process, between two of its calls,
	// and reports whether there is one. n is nil while its power is off.
	Node func(device han.EUI64, look func(now time.Time, n han.Node)) bool
	// Lab injects faults; nil if the hub was not started for that.
	Lab *Lab

	// Metrics serves /metrics, Page the page at /. Both are optional.
	Metrics http.Handler
	Page    http.Handler
	// Answered is told of each request that was answered, by the pattern of its route.
	Answered func(method, route string, status int, took time.Duration)
	Log      *slog.Logger
	// BodyTimeout is how long the body of a request may take, an upload's next part
	// too; default 30 s.
	BodyTimeout time.Duration
	// Patience is how long a reader of the event stream may take nothing; default 15 s.
	Patience time.Duration
}

// API is the handler of the whole interface.
type API struct {
	Backend
	http.Handler

	instance  string // of this run
	started   time.Time
	events    *eventRing
	traffic   *eventRing // frames, which nobody reads twice
	readers   readers
	failures  map[string][]int // by operation, the statuses it can fail with
	described huma.API

	stop    context.CancelFunc
	stopped chan struct{}
}

// New returns the interface. Close ends its streams.
func New(b Backend) *API {
	b.fillIn()
	ctx, cancel := context.WithCancel(context.Background())
	a := &API{
		Backend: b, instance: newInstance(), started: time.Now().UTC(),
		failures: map[string][]int{}, stop: cancel, stopped: make(chan struct{}),
	}
	a.events, a.traffic = newEventRing(a.instance), newEventRing("")
	a.traffic.maxCount = 64
	mux := http.NewServeMux()
	a.described = humago.New(mux, describe(b.Version))
	a.registerHub()
	a.registerClock()
	a.registerDevices()
	a.registerImages(mux)
	a.registerImageFile(mux)
	a.registerUpdates()
	a.registerSupplier()
	a.registerOrders()
	a.registerCounters()
	a.registerMessages()
	a.registerMirror()
	a.registerBridged()
	a.registerBattery()
	a.registerTraffic()
	a.registerCapture(mux)
	a.registerLab()
	a.registerStream(mux)
	a.registerPages(mux)
	a.documentFailures()
	a.Handler = a.guard(mux)
	go a.publish(ctx)
	return a
}

// fillIn gives what a backend leaves out a meaning.
func (b *Backend) fillIn() {
	if b.Now == nil {
		b.Now = func() time.Time { return b.Clock().Now }
	}
	if b.Observer == nil {
		b.Observer = observe.New(b.Config, b.Store, b.Clock().Now)
	}
	if b.Connected == nil {
		b.Connected = func(han.EUI64) bool { return false }
	}
	if b.BrokerUp == nil {
		b.BrokerUp = func() (bool, time.Time) { return true, time.Time{} }
	}
	if b.BrokerReason == nil {
		b.BrokerReason = func() string { return "" }
	}
	if b.Beside == nil {
		b.Beside = func() string { return "" }
	}
	if b.Unkept == nil {
		b.Unkept = func() error { return nil }
	}
	if b.Node == nil {
		b.Node = func(han.EUI64, func(time.Time, han.Node)) bool { return false }
	}
	if b.Answered == nil {
		b.Answered = func(string, string, int, time.Duration) {}
	}
	if b.Log == nil {
		b.Log = slog.New(slog.DiscardHandler)
	}
	if b.BodyTimeout == 0 {
		b.BodyTimeout = 30 * time.Second
	}
	if b.Patience == 0 {
		b.Patience = 15 * time.Second
	}
}

// Close ends all streams and the goroutine that feeds them.
func (a *API) Close() {
	a.stop()
	<-a.stopped
	a.events.close()
	a.traffic.close()
}

// now returns the emulated instant.
func (b *Backend) now() time.Time { return b.Now() }

// operate runs an operation and turns its error into a problem.
func (b *Backend) operate(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) error {
	if err := b.Operate(f); err != nil {
		return problem(err)
	}
	return nil
}

// instant returns a stored time, or nil for none.
func instant(unixMicro int64) *time.Time {
	if unixMicro == 0 {
		return nil
	}
	t := time.UnixMicro(unixMicro).UTC()
	return &t
}

// optional returns a time, or nil for the zero one.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
