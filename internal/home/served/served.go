// Package served runs a hub and its faces in one process: the hub over MQTT and DTLS,
// the REST interface with its page and its metrics on a listener, and faults for
// whoever asked for them.
package served

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/dashboard"
	"github.com/commshub/commshub/hub/metrics"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/live"
	driver "github.com/commshub/commshub/transport/live"
)

// Options describe a hub and how it is served.
type Options struct {
	Hub live.HubOptions
	// DeviceLog are the devices in the log of a new hub.
	DeviceLog []home.Device
	// Listener is where the interface answers. It is closed with the hub, and when
	// Start fails.
	Listener net.Listener
	Version  string   // of the program, as the interface tells it
	Token    string   // that changes need; "" for none
	Hosts    []string // names besides localhost by which the interface may be called
	// Lab lets faults be ordered.
	Lab bool
	// Device, if set, returns a device that runs in this process, or nil.
	Device func(eui han.EUI64) *live.Device
}

// Hub is a hub that is served.
type Hub struct {
	*live.Hub

	opt      Options
	observer *observe.Observer
	metrics  *metrics.Metrics
	faults   *live.Faults
	http     *http.Server
	api      *api.API
	failed   chan error
	beside   atomic.Pointer[func() string]
	keeping  keeping
	stopKeep context.CancelFunc
	kept     chan struct{} // closed when keepHistory has ended
}

// Start starts a hub and serves it. It runs until Close is called or ctx is done;
// see also Done and Failed.
func Start(ctx context.Context, o Options) (*Hub, error) {
	h := &Hub{opt: o, metrics: metrics.New(), failed: make(chan error, 1), kept: make(chan struct{})}
	if o.Lab {
		h.faults = live.NewFaults(uint64(time.Now().UnixNano()))
	}
	run := o.Hub
	run.Faults = h.faults
	run.Observe = func(l *live.Hub) han.Observer {
		h.observer = observe.New(o.Hub.Config, l.Store, l.Clock.Now())
		l.Store.Watched(h.keeping.watch(h.metrics.Commit, o.Hub.Log))
		l.Store.Accompany(h.observer.Along)
		watch := h.observer.Watch()
		if o.Hub.Observe != nil {
			watch = han.Observers(watch, o.Hub.Observe(l))
		}
		return watch
	}
	var err error
	if h.Hub, err = live.StartHub(ctx, run); err != nil {
		return nil, errors.Join(err, o.Listener.Close())
	}
	if h.New {
		if err := h.fillDeviceLog(); err != nil {
			return nil, errors.Join(err, o.Listener.Close(), h.Hub.Close())
		}
	}
	h.serve()
	var keeping context.Context
	keeping, h.stopKeep = context.WithCancel(context.WithoutCancel(ctx)) // until Close, which writes the rest
	go h.keepHistory(keeping, o.Hub.Log)
	return h, nil
}

func (h *Hub) fillDeviceLog() error {
	return h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		for _, d := range h.opt.DeviceLog {
			if err := hb.AddDevice(now, out, store.Device{EUI64: d.EUI64, Kind: d.Kind}); err != nil {
				return fmt.Errorf("device %s=%s: %w", d.Kind, d.EUI64, err)
			}
		}
		return nil
	})
}

// serve serves the interface.
func (h *Hub) serve() {
	h.api = api.New(api.Backend{
		Page: dashboard.Handler(), Operate: h.operate,
		HeadEnd: h.HeadEnd, Store: h.Store, Cache: h.Cache, Observer: h.observer, Config: h.Config(), Version: h.opt.Version, Encrypted: h.opt.Hub.StorageKey != nil,
		Clock: h.clock, Control: h.Clock, Now: h.Clock.Now,
		Token: h.opt.Token, Hosts: h.opt.Hosts,
		Home: homeID(h.Config().EUI64, h.opt.Hub.HeadEnd.Key), Beside: h.besideTrouble,
		Connected: h.Connected, BrokerUp: h.BrokerUp, BrokerReason: h.BrokerReason, Unkept: h.keeping.failing, Node: h.node, Lab: h.lab(), Log: h.opt.Hub.Log,
		Metrics: h.metrics.Handler(), Answered: h.metrics.Answered,
	})
	h.metrics.Watch(h.sources())
	h.http = &http.Server{
		Handler: h.api, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnContext: boundSendBuffer,
	}
	go func() {
		if err := h.http.Serve(h.opt.Listener); !errors.Is(err, http.ErrServerClosed) {
			h.failed <- err
		}
	}()
}

// homeID returns what no other home has: made of the hub's EUI64 and of the key of the
// home's own supplier, so that homes differ that have the published EUI64s.
func homeID(eui han.EUI64, supplier *ecdsa.PublicKey) string {
	id := []byte(eui.String())
	if supplier != nil {
		if key, err := x509.MarshalPKIXPublicKey(supplier); err == nil {
			id = append(id, key...)
		}
	}
	sum := sha256.Sum256(id)
	return hex.EncodeToString(sum[:8])
}

// Beside has the health of the hub tell of the trouble of what runs beside it.
func (h *Hub) Beside(trouble func() string) { h.beside.Store(&trouble) }

func (h *Hub) besideTrouble() string {
	if trouble := h.beside.Load(); trouble != nil {
		return (*trouble)()
	}
	return ""
}

func (h *Hub) operate(f func(*hub.Hub, time.Time, *han.Outbox) error) error {
	err := h.Operate(f)
	if errors.Is(err, driver.ErrStopped) {
		err = errors.Join(api.ErrStopped, err)
	}
	return err
}

func (h *Hub) clock() api.Clock {
	a := h.Clock.Anchor()
	c := api.Clock{
		Now: h.Clock.Now().UTC(), Speed: a.Speed, Paused: a.Paused, Wall: a.Wall.UTC(), Emulated: a.Emulated.UTC(),
		WallBound: []han.EUI64{}, Silent: []han.EUI64{},
	}
	if next, ok := h.Clock.Next(); ok {
		c.Next = &next
	}
	for _, p := range h.Clock.Holders() {
		switch {
		case !p.KeepsTime:
			c.WallBound = append(c.WallBound, p.Device)
		case p.Silent:
			c.Silent = append(c.Silent, p.Device)
		}
	}
	return c
}

// sendBuffer is how much the kernel keeps for a client that reads nothing, in bytes.
const sendBuffer = 128 << 10

func boundSendBuffer(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(sendBuffer) // the kernel's own bound stays if this fails
	}
	return ctx
}

// URL returns a URL for the interface that works on this machine.
func (h *Hub) URL() string {
	address := h.opt.Listener.Addr().String()
	host, port, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + address
}

// DeviceObserver returns what has the faces told what devices of this process record.
func (h *Hub) DeviceObserver() han.Observer { return han.Observer{Record: h.observer.Record} }

// Failed returns a channel that yields the reason if the interface stops by itself.
func (h *Hub) Failed() <-chan error { return h.failed }

// Close stops the hub. Streams end, and requests in hand may finish for a moment.
func (h *Hub) Close() error {
	h.api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := h.http.Shutdown(ctx)
	if err != nil {
		err = h.http.Close()
	}
	h.stopKeep()
	<-h.kept
	return errors.Join(err, h.Hub.Close())
}

func (h *Hub) device(eui han.EUI64) *live.Device {
	if h.opt.Device == nil {
		return nil
	}
	return h.opt.Device(eui)
}

func (h *Hub) node(eui han.EUI64, look func(now time.Time, n han.Node)) bool {
	d := h.device(eui)
	if d != nil {
		d.Node(look)
	}
	return d != nil
}
