package nodetest

import (
	"sync"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// Image is what the home is updated to.
var Image = must(imagecache.NewImage(devicetest.Image))

// Config returns the hub's configuration in the recording: a gas meter needs two
// windows for the image.
func Config() hub.Config {
	cfg := hub.DefaultConfig()
	cfg.Policy = gasproxy.Blocks(20)
	return WithKeys(cfg)
}

// WithKeys returns a configuration with keys for the hub's own functions.
func WithKeys(cfg hub.Config) hub.Config {
	cfg.Functions = must(keys.Functions(cfg, seal.Signed))
	return cfg
}

// keys are those of the recording, and of the devices of package devicetest.
var keys = home.SimulatedKeys(devicetest.KeySeed)

// SupplierSecurity returns what the supplier protects its messages with.
func SupplierSecurity() headend.Security {
	return must(keys.Supplier(devicetest.Supplier, seal.Signed))
}

// Meter describes a meter of the recording.
func Meter(kind store.Kind) home.Meter {
	eui := home.DefaultESME
	if kind == store.KindGSME {
		eui = home.DefaultGSME
	}
	m := home.NewMeter(eui, kind, testimage.Policy(bootloader.TrustSigned), devicetest.Factory)
	m.SupplierKey = &testimage.Supplier().PublicKey
	m.Security = must(keys.Security(eui, devicetest.Supplier, seal.Signed))
	m.SlotCapacity = devicetest.SlotCapacity
	return m
}

// Hub returns a new hub as it is in the recording, with nothing in its device log.
func Hub(records *store.Store) SuppliedHub {
	cache := imagecache.NewMemory()
	if err := cache.Add(Image); err != nil {
		panic(err)
	}
	var out han.Outbox
	return Supply(records, cache, devicetest.Start, &out)
}

// Supply starts a hub on its records and images, with its supplier.
func Supply(records *store.Store, cache *imagecache.Cache, now time.Time, out *han.Outbox) SuppliedHub {
	e := headend.New(headend.Config{Supplier: Config().Supplier, Security: SupplierSecurity()}, records)
	h := SuppliedHub{Hub: hub.New(Config(), records, cache, e, now, out), HeadEnd: e}
	e.Connect(now, out, h.Hub)
	return h
}

// Record plays the home, once.
var Record = sync.OnceValue(record)

// Recording is a short life of a home, with what each node said in it.
type Recording struct {
	*devicetest.Recording
	sent map[han.EUI64][]han.Frame
}

// Sent returns all frames that a node sent.
func (r *Recording) Sent(node han.EUI64) []han.Frame { return r.sent[node] }

// recorder is a home being recorded.
type recorder struct {
	*Recording
	home *virtual.Home
}

func record() *Recording {
	r := recorder{Recording: &Recording{
		Recording: devicetest.NewRecording(home.DefaultGSME, home.DefaultESME), sent: map[han.EUI64][]han.Frame{},
	}}
	r.home = virtual.New(sim.Config{
		Start: devicetest.Start, Seed: 1, Link: radio.Link{Params: phy.Band2G4()}, Observer: han.Observer{Record: r.mind, Frame: r.carry},
	}, Config())
	for _, kind := range []store.Kind{store.KindESME, store.KindGSME} {
		m := Meter(kind)
		r.added(m.EUI64, kind)
		r.demand(r.home.AddMeter(m))
	}
	r.added(home.DefaultIHD, store.KindIHD)
	r.demand(r.home.AddDisplay(home.DefaultIHD))
	r.home.Run(devicetest.Start.Add(time.Minute))
	r.demand(r.home.Upload(Image))
	r.note(func(h SuppliedHub, now time.Time, out *han.Outbox) error {
		return h.RegisterImage(now, out, Image.Entry, false)
	})
	both := []han.EUI64{home.DefaultESME, home.DefaultGSME}
	r.order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.Distribute(now, out, headend.Distribution{Image: Image.FileHash, Devices: both})
	})
	r.home.Run(devicetest.Start.Add(100 * time.Minute))
	for _, eui := range both {
		r.order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.ReadVersion(now, out, eui) })
		r.order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
			return e.Activate(now, out, headend.Activation{Device: eui, Hash: Image.ImageHash})
		})
	}
	r.home.Run(devicetest.End)
	return r.Recording
}

// mind marks the states that a record tells of.
func (r recorder) mind(rec *trace.Record) {
	node := han.EUI64(rec.Node)
	switch rec.Kind {
	case trace.MirrorUpdated:
		r.Mark(han.EUI64(rec.Peer), devicetest.Joined, rec.At.Add(time.Second), false)
	case trace.BlockReceived:
		if rec.Offset < 10*otaserver.DefaultBlockSize {
			r.Mark(node, devicetest.Downloading, rec.At, true)
		}
	case trace.ImageVerified:
		r.Mark(node, devicetest.Waiting, rec.At, false)
	case trace.ActivationReceived:
		r.Mark(node, devicetest.Updating, rec.At, false)
	default:
	}
}

// carry writes down a frame for its sender and for its receiver.
func (r recorder) carry(now time.Time, f *han.Frame, fate han.Fate) {
	g := *f
	g.Payload = append([]byte(nil), f.Payload...)
	r.sent[f.Src] = append(r.sent[f.Src], g)
	r.Insert(f.Dst, devicetest.Input{At: now.Add(fate.Delay[0]), Frame: g})
}

func (r recorder) note(f func(h SuppliedHub, now time.Time, out *han.Outbox) error) {
	r.Insert(Config().EUI64, devicetest.Input{At: r.home.Now(), Operate: func(node han.Node, now time.Time, out *han.Outbox) error {
		return f(node.(SuppliedHub), now, out)
	}})
}

func (r recorder) added(eui han.EUI64, kind store.Kind) {
	r.note(func(h SuppliedHub, now time.Time, out *han.Outbox) error {
		return h.AddDevice(now, out, store.Device{EUI64: eui, Kind: kind})
	})
}

func (r recorder) order(f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error) {
	r.note(func(h SuppliedHub, now time.Time, out *han.Outbox) error { return f(h.HeadEnd, now, out) })
	r.demand(r.home.Order(f))
}

func (r recorder) demand(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
