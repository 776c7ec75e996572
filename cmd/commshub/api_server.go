package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/dashboard"
	"github.com/commshub/commshub/hub/metrics"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/scenario"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/link"
	"github.com/commshub/commshub/transport/live"
)

// apiServer is the REST interface of a hub in this process.
type apiServer struct {
	token string   // "" for none
	hosts []string // names it may be called by
	// supplierIn is the folder with the supplier's key, which checks uploads with an
	// authorising signature; "" takes them unchecked.
	supplierIn string
	log        *slog.Logger
	// devices are those that run in this process too. The map is complete before the
	// interface is asked for any of them.
	devices func(eui han.EUI64) *scenario.LiveDevice

	observer *observe.Observer
	metrics  *metrics.Metrics
	faults   *scenario.Faults
	http     *http.Server
	api      *api.API
	failed   chan error
}

// observe has the hub that will be started with the options watched; with lab, its
// links can be disturbed. It is called before serve.
func (s *apiServer) observe(o *scenario.LiveHubOptions, lab bool) {
	records, frames := o.Records, o.Frames
	s.metrics = metrics.New()
	o.Started = func(h *scenario.LiveHub) {
		s.observer = observe.New(o.Config, h.Store, h.Clock.Now())
		h.Store.Watched(s.metrics.Commit)
	}
	o.Records = func(r *trace.Record) {
		s.observer.Record(r)
		if records != nil {
			records(r)
		}
	}
	o.Frames = func(now time.Time, f *han.Frame) {
		s.observer.Frame(now, f)
		if frames != nil {
			frames(now, f)
		}
	}
	o.Session = func(device han.EUI64, established bool) {
		if established {
			s.observer.SessionStarted(device)
			return
		}
		s.observer.Touch(device)
	}
	if lab {
		s.faults = scenario.NewFaults(uint64(time.Now().UnixNano()))
		o.Faults = s.faults
	}
}

// apiURL returns a URL for the interface that works on this machine.
func apiURL(listener net.Listener) string {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + listener.Addr().String()
}

// serve serves the REST interface of a hub on a listener.
func (s *apiServer) serve(listener net.Listener, h *scenario.LiveHub) error {
	backend := api.Backend{
		Page: dashboard.Handler(),
		Operate: func(f func(*hub.Hub, time.Time, *han.Outbox) error) error {
			err := h.Operate(f)
			if errors.Is(err, live.ErrStopped) {
				err = errors.Join(api.ErrStopped, err)
			}
			return err
		},
		Store: h.Store, Cache: h.Cache, Observer: s.observer, Config: h.Config(), Version: version,
		Clock: func() api.Clock {
			a := h.Clock.Anchor()
			return api.Clock{Now: h.Clock.Now().UTC(), Speed: a.Speed, Wall: a.Wall.UTC(), Emulated: a.Emulated.UTC()}
		},
		Token: s.token, Hosts: s.hosts, Connected: h.Connected, BrokerUp: h.BrokerUp, Node: s.node, Lab: s.lab(), Log: s.log,
		Metrics: s.metrics.Handler(), Answered: s.metrics.Answered,
	}
	if s.supplierIn != "" {
		key, err := signerKey(s.supplierIn, pki.RoleSupplier)
		if err != nil {
			return err
		}
		backend.SupplierKey = key
	}
	s.api = api.New(backend)
	s.metrics.Watch(s.sources(h))
	s.http = &http.Server{
		Handler: s.api, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, WriteTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ConnContext: boundSendBuffer,
	}
	s.failed = make(chan error, 1)
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return nil
}

// sources are where the metrics of a hub come from.
func (s *apiServer) sources(h *scenario.LiveHub) metrics.Sources {
	return metrics.Sources{
		Store: h.Store, Observer: s.observer, Now: h.Clock.Now, Link: func() metrics.Link { return linkMetrics(h.Counters()) },
		Battery: s.battery, Connected: h.Connected, BrokerUp: h.BrokerUp, Readers: s.api.Readers, Version: version, Commit: api.Commit(),
	}
}

func linkMetrics(c link.Counters) metrics.Link {
	return metrics.Link{
		HandshakesStarted: c.DTLS.HandshakesStarted, HandshakesCompleted: c.DTLS.HandshakesCompleted,
		HandshakesFailed: c.DTLS.HandshakesFailed, Refused: c.DTLS.Refused,
		RecordsSent: c.DTLS.RecordsSent, RecordsReceived: c.DTLS.RecordsReceived, DatagramsDropped: c.DTLS.DatagramsDropped,
		FramesRefused: c.FramesRefused, BrokerConnections: c.MQTT.Connected,
		MessagesSent: c.MQTT.Sent, MessagesReceived: c.MQTT.Received, MessagesDropped: c.MQTT.Dropped,
	}
}

// battery returns what the interface knows of a battery, in base units.
func (s *apiServer) battery(eui han.EUI64) (metrics.Battery, bool) {
	b, err := s.api.Battery(eui)
	if err != nil {
		return metrics.Battery{}, false
	}
	out := metrics.Battery{HasRemaining: b.Percent != nil, HasLife: b.DaysLeft != nil}
	if b.Percent != nil {
		out.Remaining = float64(*b.Percent) / 100
	}
	if b.DaysLeft != nil {
		out.Life = time.Duration(*b.DaysLeft) * 24 * time.Hour
	}
	if b.Causes != nil {
		out.Coulombs = map[string]float64{}
		for _, c := range b.Causes {
			out.Coulombs[c.Cause] = float64(c.Nanocoulombs) / 1e9
		}
	}
	return out, true
}

// sendBuffer is how much the kernel keeps for a client that reads nothing, in bytes.
const sendBuffer = 128 << 10

func boundSendBuffer(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetWriteBuffer(sendBuffer) // the kernel's own bound stays if this fails
	}
	return ctx
}

// device returns a device that runs in this process, or nil.
func (s *apiServer) device(eui han.EUI64) *scenario.LiveDevice {
	if s.devices == nil {
		return nil
	}
	return s.devices(eui)
}

func (s *apiServer) node(eui han.EUI64, look func(now time.Time, n han.Node)) bool {
	d := s.device(eui)
	if d != nil {
		d.Node(look)
	}
	return d != nil
}

// lab returns what injects faults, nil if nobody asked for it.
func (s *apiServer) lab() *api.Lab {
	if s.faults == nil {
		return nil
	}
	return &api.Lab{
		Faults: func() []api.Fault {
			all := []api.Fault{}
			for _, f := range s.faults.Status() {
				all = append(all, faultOf(f))
			}
			return all
		},
		SetLink: func(eui han.EUI64, f *api.LinkFault) {
			if f == nil {
				s.faults.Heal(eui)
				return
			}
			fault := scenario.LinkFault{Drop: f.DropPercent / 100, Corrupt: f.CorruptPercent / 100, Delay: time.Duration(f.Delay) * time.Millisecond}
			if f.Frames != nil {
				fault.Frames = *f.Frames
			}
			s.faults.Set(eui, fault)
		},
		CutPower: func(eui han.EUI64) bool {
			d := s.device(eui)
			if d != nil {
				d.CutPower()
			}
			return d != nil
		},
		Drain: func(eui han.EUI64, percent uint8) bool {
			d := s.device(eui)
			return d != nil && d.Drain(percent)
		},
	}
}

func faultOf(f scenario.FaultStatus) api.Fault {
	out := api.Fault{
		Device: f.Device, DropPercent: f.Fault.Drop * 100, CorruptPercent: f.Fault.Corrupt * 100,
		Delay: int(f.Fault.Delay.Milliseconds()), Dropped: f.Dropped, Corrupted: f.Corrupted, Delayed: f.Delayed,
	}
	if f.Fault.Frames > 0 {
		out.FramesLeft = &f.Fault.Frames
	}
	return out
}

// stop ends the streams and lets requests in hand finish for a moment.
func (s *apiServer) stop() error {
	s.api.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}
