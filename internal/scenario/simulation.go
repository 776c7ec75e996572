package scenario

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/transport/sim"
)

// Simulation is a home in virtual time.
type Simulation struct {
	*sim.World
	hubConfig hub.Config
	hub       *hub.Hub
	store     *store.Store
	cache     *imagecache.Cache
	meters    map[han.EUI64]*simulatedMeter
	displays  map[han.EUI64]*ihd.Display
}

type simulatedMeter struct {
	chip *flash.Chip
	node han.Node
}

// NewSimulation returns a home with a hub and nothing else.
func NewSimulation(world sim.Config, h hub.Config) *Simulation {
	s := &Simulation{
		World: sim.New(world), hubConfig: h, store: store.NewMemory(), cache: imagecache.NewMemory(),
		meters: map[han.EUI64]*simulatedMeter{}, displays: map[han.EUI64]*ihd.Display{},
	}
	s.Add(s.buildHub(world.Start), s.buildHub)
	answers := world.Link
	answers.Delay += h.Battery.Radio.Latency
	s.SetLink(h.EUI64, answers)
	return s
}

// buildHub starts a hub on its store, as a restart does.
func (s *Simulation) buildHub(now time.Time) han.Node {
	var out han.Outbox // a hub that starts has nothing to send
	s.hub = hub.New(s.hubConfig, s.store, s.cache, now, &out)
	return s.hub
}

// Hub returns the hub that runs now; a restart makes another one.
func (s *Simulation) Hub() *hub.Hub { return s.hub }

// Store returns the hub's records.
func (s *Simulation) Store() *store.Store { return s.store }

// Operate runs an operation on the hub that runs now.
func (s *Simulation) Operate(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) error {
	var err error
	notRun := s.Do(s.hubConfig.EUI64, func(now time.Time, n han.Node, out *han.Outbox) { err = f(n.(*hub.Hub), now, out) })
	if notRun != nil {
		return notRun
	}
	return err
}

// AddMeter adds a meter to the home and to the hub's device log.
func (s *Simulation) AddMeter(m Meter) error {
	sm := &simulatedMeter{chip: flash.New(meter.Geometry(m.SlotCapacity))}
	build := func(now time.Time) han.Node {
		if m.Kind == hub.KindGSME {
			sm.node = gsme.New(m.GSME(s.hubConfig), sm.chip, now)
		} else {
			sm.node = esme.New(m.ESME(s.hubConfig), sm.chip, now)
		}
		return sm.node
	}
	s.meters[m.EUI64] = sm
	if err := s.log(m.EUI64, m.Kind); err != nil {
		return err
	}
	s.Add(build(s.Now()), build)
	return nil
}

// AddDisplay adds an in-home display.
func (s *Simulation) AddDisplay(eui han.EUI64) error {
	if err := s.log(eui, hub.KindIHD); err != nil {
		return err
	}
	build := func(now time.Time) han.Node {
		s.displays[eui] = ihd.New(IHD(eui, s.hubConfig), now)
		return s.displays[eui]
	}
	s.Add(build(s.Now()), build)
	return nil
}

func (s *Simulation) log(eui han.EUI64, kind hub.Kind) error {
	return s.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.AddDevice(now, out, eui, kind) })
}

// Chip returns the flash part of a meter.
func (s *Simulation) Chip(eui han.EUI64) *flash.Chip { return s.meters[eui].chip }

// Display returns an in-home display.
func (s *Simulation) Display(eui han.EUI64) *ihd.Display { return s.displays[eui] }

// MeterStatus returns a meter as a test engineer with a debugger sees it.
func (s *Simulation) MeterStatus(eui han.EUI64) meter.Status {
	return s.chassis(eui).Status(s.Now())
}

// chassis returns the part that both kinds of meter are built on.
func (s *Simulation) chassis(eui han.EUI64) *meter.Chassis {
	switch n := s.meters[eui].node.(type) {
	case *gsme.Meter:
		return &n.Chassis
	case *esme.Meter:
		return &n.Chassis
	default:
		panic(fmt.Sprintf("scenario: %s is no meter", eui))
	}
}

// Ledger returns a meter's battery.
func (s *Simulation) Ledger(eui han.EUI64) *battery.Ledger { return s.chassis(eui).Ledger }

// Drain takes charge out of a meter's battery until no more than left is in it. It
// reports false if the meter does not run and could not keep it.
func (s *Simulation) Drain(eui han.EUI64, left battery.Charge) bool {
	c := s.chassis(eui)
	if !s.Powered(eui) || !c.On() {
		return false
	}
	c.Ledger.Drain(max(0, c.Ledger.Remaining()-left))
	c.KeepLedger()
	return true
}

// AtRest reports whether a meter is in the middle of nothing: no reboot, no
// firmware on trial, nothing to tell the supplier.
func (s *Simulation) AtRest(eui han.EUI64) bool {
	c := s.chassis(eui)
	if c.Bricked() {
		return true
	}
	if !s.Powered(eui) || !c.On() {
		return false
	}
	_, outgoing := c.Agent.Outgoing()
	return !outgoing && !c.Agent.WantsReboot() && !c.Trial()
}

// Upload puts an image into the hub's cache.
func (s *Simulation) Upload(im *imagecache.Image) error {
	if err := s.cache.Add(im); err != nil {
		return err
	}
	return s.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.RegisterImage(now, out, im.Entry, false)
	})
}
