// Package virtual runs a described home in virtual time, on transport/sim: as fast
// as the processor goes, and the same to the byte for the same seed.
package virtual

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/sim"
)

// Home is a home in virtual time.
type Home struct {
	*sim.World
	hubConfig hub.Config
	hub       *hub.Hub
	headEnd   *headend.HeadEnd
	store     *store.Store
	cache     *imagecache.Cache
	meters    map[han.EUI64]*meterOnChip
	displays  map[han.EUI64]*ihd.Display
	keys      home.Keyring
	supplier  headend.Security

	commits  uint64 // of the store
	starting bool   // a hub reads the store
	crashAt  uint64 // commit in which the hub loses power; 0 = none
	kept     bool   // after it, not before
}

type meterOnChip struct {
	chip        *flash.Chip
	slotSectors int
	node        han.Node
}

// New returns a home with a hub and nothing else.
func New(world sim.Config, config hub.Config) *Home {
	h := &Home{
		World: sim.New(world), hubConfig: config, store: store.NewMemory(), cache: imagecache.NewMemory(),
		meters: map[han.EUI64]*meterOnChip{}, displays: map[han.EUI64]*ihd.Display{},
		keys: home.SimulatedKeys(world.Seed),
	}
	h.supplier = must(h.keys.Supplier(config.Supplier, seal.Signed))
	h.hubConfig.Functions = must(h.keys.Functions(config, seal.Signed))
	h.store.Watched(h.commit)
	h.Add(h.buildHub(world.Start), h.buildHub)
	answers := world.Link
	answers.Latency = config.Battery.Radio.Latency
	h.SetLink(config.EUI64, answers)
	return h
}

// buildHub starts a hub on its store, as a restart does. What it says of it goes to
// the observer; a hub that starts has nothing to send.
func (h *Home) buildHub(now time.Time) han.Node {
	var out han.Outbox
	h.starting = true
	defer func() { h.starting = false }()
	h.headEnd = headend.New(headend.Config{Supplier: h.hubConfig.Supplier, Security: h.supplier}, h.store)
	h.hub = hub.New(h.hubConfig, h.store, h.cache, h.headEnd, now, &out)
	h.headEnd.Connect(now, &out, h.hub)
	for i := range out.Records {
		h.Record(&out.Records[i])
	}
	return h.hub
}

// must returns a value of the simulated keyring, which has all keys.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// hubCrash is what a commit panics with when the hub's power fails in it.
type hubCrash struct{ commit uint64 }

// Error implements error.
func (c hubCrash) Error() string { return fmt.Sprintf("power failed in commit %d", c.commit) }

// PowerFailed implements han.PowerFailure.
func (c hubCrash) PowerFailed() int64 { return int64(c.commit) }

// commit counts the store's commits and has the power fail in the one that CrashHub
// names. A hub that starts is left alone.
func (h *Home) commit() (done func(error)) {
	h.commits++
	if h.starting || h.crashAt == 0 || h.commits < h.crashAt {
		return func(error) {}
	}
	h.crashAt = 0
	if !h.kept {
		panic(hubCrash{h.commits})
	}
	return func(error) { panic(hubCrash{h.commits}) }
}

// Commits returns how many commits the hub's store has seen.
func (h *Home) Commits() uint64 { return h.commits }

// CrashHub has the hub lose its power in its n-th commit from now on, the first being 1:
// before the store has it, or after, when what depends on it is not sent yet.
func (h *Home) CrashHub(n uint64, after bool) { h.crashAt, h.kept = h.commits+n, after }

// Hub returns the hub that runs now; a restart makes another one.
func (h *Home) Hub() *hub.Hub { return h.hub }

// HeadEnd returns the supplier's end of the line to that hub.
func (h *Home) HeadEnd() *headend.HeadEnd { return h.headEnd }

// Store returns the hub's records.
func (h *Home) Store() *store.Store { return h.store }

// Operate runs an operation on the hub that runs now.
func (h *Home) Operate(f func(hb *hub.Hub, now time.Time, out *han.Outbox) error) error {
	var err error
	notRun := h.Do(h.hubConfig.EUI64, func(now time.Time, n han.Node, out *han.Outbox) { err = f(n.(*hub.Hub), now, out) })
	if notRun != nil {
		return notRun
	}
	return err
}

// Order runs an operation of the supplier on the hub that runs now.
func (h *Home) Order(f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error) error {
	return h.Operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error { return f(h.headEnd, now, out) })
}

// AddMeter adds a meter to the home, and to the hub's device log if it is not there.
func (h *Home) AddMeter(m home.Meter) error {
	return h.AddMeterOn(m, flash.New(meter.Geometry(m.SlotCapacity)))
}

// AddMeterOn is AddMeter with a flash part that may be another than usual, and need not be
// blank.
func (h *Home) AddMeterOn(m home.Meter, chip *flash.Chip) error {
	sm := &meterOnChip{chip: chip, slotSectors: bootloader.SlotSectors(m.SlotCapacity, chip.Geometry().SectorSize)}
	m.Security = must(h.keys.Security(m.EUI64, h.hubConfig.Supplier, m.Messages))
	build := func(now time.Time) han.Node {
		if m.Kind == store.KindGSME {
			sm.node = gsme.New(m.GSME(h.hubConfig), sm.chip, now)
		} else {
			sm.node = esme.New(m.ESME(h.hubConfig), sm.chip, now)
		}
		return sm.node
	}
	h.meters[m.EUI64] = sm
	if err := h.log(m.EUI64, m.Kind); err != nil {
		return err
	}
	h.Add(build(h.Now()), build)
	return nil
}

// AddDisplay adds an in-home display, likewise.
func (h *Home) AddDisplay(eui han.EUI64) error { return h.AddDisplayWith(home.IHD(eui, h.hubConfig)) }

// AddDisplayWith adds an in-home display of another character.
func (h *Home) AddDisplayWith(cfg ihd.Config) error {
	eui := cfg.EUI64
	if err := h.log(eui, store.KindIHD); err != nil {
		return err
	}
	build := func(now time.Time) han.Node {
		h.displays[eui] = ihd.New(cfg, now)
		return h.displays[eui]
	}
	h.Add(build(h.Now()), build)
	return nil
}

func (h *Home) log(eui han.EUI64, kind store.Kind) error {
	return h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		if _, there := hb.Device(eui); there {
			return nil
		}
		return hb.AddDevice(now, out, store.Device{EUI64: eui, Kind: kind})
	})
}

// Chip returns the flash part of a meter.
func (h *Home) Chip(eui han.EUI64) *flash.Chip { return h.meters[eui].chip }

// Display returns an in-home display.
func (h *Home) Display(eui han.EUI64) *ihd.Display { return h.displays[eui] }

// MeterStatus returns a meter as a test engineer with a debugger sees it.
func (h *Home) MeterStatus(eui han.EUI64) meter.Status {
	return h.chassis(eui).Status(h.Now())
}

// chassis returns the part that both kinds of meter are built on.
func (h *Home) chassis(eui han.EUI64) *meter.Chassis {
	switch n := h.meters[eui].node.(type) {
	case *gsme.Meter:
		return &n.Chassis
	case *esme.Meter:
		return &n.Chassis
	default:
		panic(fmt.Sprintf("virtual: %s is no meter", eui))
	}
}

// Ledger returns a meter's battery.
func (h *Home) Ledger(eui han.EUI64) *battery.Ledger { return h.chassis(eui).Ledger }

// DaysLeft returns how many days the rest of a gas meter's cell lasts if all are
// ordinary; ok is false of another device, and of a meter that has no power.
func (h *Home) DaysLeft(eui han.EUI64) (days float64, ok bool) {
	m, ok := h.meters[eui].node.(*gsme.Meter)
	if !ok || !m.On() {
		return 0, false
	}
	return float64(m.Ledger.Remaining()) / float64(max(1, m.OrdinaryDay())), true
}

// Drain takes charge out of a meter's battery until no more than left is in it. It
// reports false if the meter does not run and could not keep it.
func (h *Home) Drain(eui han.EUI64, left battery.Charge) bool {
	return h.touch(eui, func(c *meter.Chassis, now time.Time, out *han.Outbox) {
		c.Ledger.Drain(max(0, c.Ledger.Remaining()-left))
		c.KeepLedger()
		out.Record(trace.Record{At: now, Node: uint64(eui), Kind: fault.BatteryLow.Record(), Charge: int64(c.Ledger.Remaining())})
	})
}

// touch does something to a meter from outside, which may lose its power in it like in
// any other call. It reports false if the meter does not run, or not any more.
func (h *Home) touch(eui han.EUI64, f func(c *meter.Chassis, now time.Time, out *han.Outbox)) bool {
	c := h.chassis(eui)
	if !h.Powered(eui) || !c.On() {
		return false
	}
	return h.Do(eui, func(now time.Time, _ han.Node, out *han.Outbox) { f(c, now, out) }) == nil
}

// Type has digits typed at a gas meter. It reports false if the meter does not run, or not
// any more.
func (h *Home) Type(eui han.EUI64, digits string) (k gsme.Keyed, ok bool) {
	m, gas := h.meters[eui].node.(*gsme.Meter)
	ran := h.touch(eui, func(_ *meter.Chassis, now time.Time, out *han.Outbox) {
		if gas {
			k, ok = m.Type(now, out, digits)
		}
	})
	return k, ok && ran
}

// StepClock moves a meter's clock. It reports false if the meter does not run.
func (h *Home) StepClock(eui han.EUI64, by time.Duration) bool {
	return h.touch(eui, func(c *meter.Chassis, now time.Time, _ *han.Outbox) {
		c.Clock.Set(now, c.Clock.Read(now).Add(by))
		c.Agent.ClockSet()
	})
}

// FlipBit turns a bit of a meter's flash over, of one region, whether the meter runs or
// not. Bits are counted from the region's start, and anew behind its end.
func (h *Home) FlipBit(eui han.EUI64, region func(board.Map) flash.Region, bit uint64) {
	m := h.meters[eui]
	r := region(board.Cut(m.chip, m.slotSectors))
	bit %= 8 * uint64(r.Size())
	at := r.Offset() + int(bit/8)
	m.chip.Flip(at, uint8(bit%8))
	h.Record(&trace.Record{At: h.Now(), Node: uint64(eui), Kind: trace.BitFlipped, Offset: uint32(at)})
}

// Vitals are what a meter must never lose, for whoever looks after each event.
type Vitals struct {
	On       bool // the application runs
	Bricked  bool
	Version  uint32
	Register uint64
	Left     battery.Charge
}

// Vitals returns those of a meter. Of one that does not run only Bricked is told.
func (h *Home) Vitals(eui han.EUI64) Vitals {
	c := h.chassis(eui)
	if c.Bricked() || !h.Powered(eui) || !c.On() {
		return Vitals{Bricked: c.Bricked()}
	}
	return Vitals{
		On: true, Version: c.Agent.Running().ID.FileVersion, Register: c.Metrology.Register(h.Now()), Left: c.Ledger.Remaining(),
	}
}

// AtRest reports whether a meter is in the middle of nothing: no reboot, no
// firmware on trial, nothing to tell the supplier.
func (h *Home) AtRest(eui han.EUI64) bool {
	c := h.chassis(eui)
	if c.Bricked() {
		return true
	}
	if !h.Powered(eui) || !c.On() {
		return false
	}
	_, outgoing := c.Remote.Outgoing()
	return !outgoing && !c.Agent.WantsReboot() && !c.Trial()
}

// Upload puts an image into the hub's cache.
func (h *Home) Upload(im *imagecache.Image) error {
	if err := h.cache.Add(im); err != nil {
		return err
	}
	a, err := h.headEnd.Authorise(im.Entry, h.cache, true) // a scenario may say how a damaged image ends
	if err != nil {
		return err
	}
	return h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.RegisterImage(now, out, a) })
}
