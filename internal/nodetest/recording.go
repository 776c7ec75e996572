package nodetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/scenario"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// State is where in the life of a home a node is.
type State uint8

// The states.
const (
	Joined State = iota
	Downloading
	Waiting
	Updating
	NumStates
)

var stateNames = [...]string{"joined", "downloading", "waiting", "updating"}

// String returns the state's name.
func (s State) String() string { return stateNames[s] }

// Start and End are when the recording begins and ends.
var (
	Start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	End   = Start.Add(4 * time.Hour)
)

var (
	factory = testimage.GB(testimage.Options{Version: 1, Sequence: 1, PayloadSize: 64})
	// Image is what the home is updated to.
	Image = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 1200})))
)

// Config returns the hub's configuration in the recording: a gas meter needs two
// windows for the image.
func Config() hub.Config {
	cfg := hub.DefaultConfig()
	cfg.Policy = gasproxy.Blocks(20)
	return cfg
}

// Meter describes a meter of the recording.
func Meter(kind hub.Kind) scenario.Meter {
	eui := scenario.DefaultESME
	if kind == hub.KindGSME {
		eui = scenario.DefaultGSME
	}
	m := scenario.NewMeter(eui, kind, testimage.Policy(bootloader.TrustSigned), factory)
	m.SupplierKey = &testimage.Supplier().PublicKey
	m.SlotCapacity = 4096
	return m
}

// Chip returns a blank part for a meter of the recording.
func Chip() *flash.Chip { return flash.New(meter.Geometry(4096)) }

// GSME returns a new gas meter as it is in the recording, on a blank part.
func GSME() *gsme.Meter { return gsme.New(Meter(hub.KindGSME).GSME(Config()), Chip(), Start) }

// ESME returns a new electricity meter as it is in the recording, on a blank part.
func ESME() *esme.Meter { return esme.New(Meter(hub.KindESME).ESME(Config()), Chip(), Start) }

// IHD returns a new display as it is in the recording.
func IHD() *ihd.Display { return ihd.New(scenario.IHD(scenario.DefaultIHD, Config()), Start) }

// Hub returns a new hub as it is in the recording, with nothing in its device log.
func Hub(records *store.Store) *hub.Hub {
	cache := imagecache.NewMemory()
	if err := cache.Add(Image); err != nil {
		panic(err)
	}
	var out han.Outbox
	return hub.New(Config(), records, cache, Start, &out)
}

// Recording is a short life of a home.
type Recording struct {
	inputs map[han.EUI64][]Input
	sent   map[han.EUI64][]han.Frame
	marks  map[han.EUI64]*[NumStates]time.Time
}

// Record plays the home, once.
var Record = sync.OnceValue(record)

// Until returns a node's inputs up to the moment at which it reached a state, and
// those after it. The hub is as far as its gas meter.
func (r *Recording) Until(node han.EUI64, s State) (before, after []Input) {
	all := r.inputs[node]
	for i := range all {
		if all[i].At.After(r.mark(node, s)) {
			return all[:i], all[i:]
		}
	}
	return all, nil
}

func (r *Recording) mark(node han.EUI64, s State) time.Time {
	if m, ok := r.marks[node]; ok {
		return m[s]
	}
	return r.marks[scenario.DefaultGSME][s]
}

// Inputs returns all inputs of a node.
func (r *Recording) Inputs(node han.EUI64) []Input { return r.inputs[node] }

// Sent returns all frames that a node sent.
func (r *Recording) Sent(node han.EUI64) []han.Frame { return r.sent[node] }

// Bring plays a node up to a state and returns what it was called with after it
// in the recording.
func (r *Recording) Bring(tb testing.TB, node han.Node, s State) (p *Player, after []Input) {
	before, after := r.Until(node.EUI64(), s)
	p = &Player{TB: tb, Node: node, Now: Start}
	p.Play(before)
	p.Advance(r.mark(node.EUI64(), s))
	return p, after
}

// recorder is a home being recorded.
type recorder struct {
	*Recording
	home *scenario.Simulation
}

func record() *Recording {
	r := recorder{Recording: &Recording{
		inputs: map[han.EUI64][]Input{}, sent: map[han.EUI64][]han.Frame{},
		marks: map[han.EUI64]*[NumStates]time.Time{scenario.DefaultGSME: {}, scenario.DefaultESME: {}},
	}}
	r.home = scenario.NewSimulation(sim.Config{
		Start: Start, Seed: 1, Link: radio.Link{Params: phy.Band2G4()}, Records: r.mind, Frames: r.carry,
	}, Config())
	for _, kind := range []hub.Kind{hub.KindESME, hub.KindGSME} {
		m := Meter(kind)
		r.added(m.EUI64, kind)
		r.demand(r.home.AddMeter(m))
	}
	r.added(scenario.DefaultIHD, hub.KindIHD)
	r.demand(r.home.AddDisplay(scenario.DefaultIHD))
	r.home.Run(Start.Add(time.Minute))
	r.demand(r.home.Upload(Image))
	r.note(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.RegisterImage(now, out, Image.Entry, false)
	})
	both := []han.EUI64{scenario.DefaultESME, scenario.DefaultGSME}
	r.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.Distribute(now, out, Image.FileHash, both)
	})
	r.home.Run(Start.Add(100 * time.Minute))
	for _, eui := range both {
		r.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.ReadVersion(now, out, eui) })
		r.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
			return h.Activate(now, out, hub.Activation{Device: eui, Hash: Image.ImageHash})
		})
	}
	r.home.Run(End)
	for eui, all := range r.inputs {
		r.inputs[eui] = slices.DeleteFunc(all, func(in Input) bool { return in.At.After(End) })
	}
	for eui, marks := range r.marks {
		for s, at := range marks {
			if at.IsZero() {
				panic(fmt.Sprintf("nodetest: %s was never %s", eui, State(s)))
			}
		}
	}
	return r.Recording
}

// after is how long after its record a state is reached.
var after = [NumStates]time.Duration{Joined: time.Second}

// mind marks the states that a record tells of.
func (r recorder) mind(rec *trace.Record) {
	set := func(node uint64, s State, again bool) {
		if m := r.marks[han.EUI64(node)]; m != nil && (again || m[s].IsZero()) {
			m[s] = rec.At.Add(after[s])
		}
	}
	switch rec.Kind {
	case trace.MirrorUpdated:
		set(rec.Peer, Joined, false)
	case trace.BlockReceived:
		if rec.Offset < 10*otaserver.DefaultBlockSize {
			set(rec.Node, Downloading, true)
		}
	case trace.ImageVerified:
		set(rec.Node, Waiting, false)
	case trace.ActivationReceived:
		set(rec.Node, Updating, false)
	default:
	}
}

// carry writes down a frame for its sender and for its receiver.
func (r recorder) carry(now time.Time, f *han.Frame, fate radio.Fate) {
	g := *f
	g.Payload = append([]byte(nil), f.Payload...)
	r.sent[f.Src] = append(r.sent[f.Src], g)
	r.insert(f.Dst, Input{At: now.Add(fate.Delay[0]), Frame: g})
}

// insert keeps a node's inputs in the order in which they come to it.
func (r recorder) insert(node han.EUI64, in Input) {
	all := append(r.inputs[node], in)
	for i := len(all) - 1; i > 0 && all[i].At.Before(all[i-1].At); i-- {
		all[i], all[i-1] = all[i-1], all[i]
	}
	r.inputs[node] = all
}

func (r recorder) note(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) {
	r.insert(Config().EUI64, Input{At: r.home.Now(), Operate: f})
}

func (r recorder) added(eui han.EUI64, kind hub.Kind) {
	r.note(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.AddDevice(now, out, eui, kind) })
}

func (r recorder) operate(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) {
	r.note(f)
	r.demand(r.home.Operate(f))
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
