package play

import (
	"errors"
	"slices"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/transport/sim"
)

// memories are the regions of a meter's flash that a scenario names.
var memories = [...]func(board.Map) flash.Region{
	homefile.Registers:   func(m board.Map) flash.Region { return m.MetrologyRegisters },
	homefile.Control:     func(m board.Map) flash.Region { return m.Control },
	homefile.Application: func(m board.Map) flash.Region { return m.Application },
}

// scheduleFaults enters the faults of the scenario.
func (r *run) scheduleFaults() {
	for i := range r.home.Faults {
		f := &r.home.Faults[i]
		left := 1
		forever := f.Every != nil && f.Times == 0
		if f.Every != nil && !forever {
			left = int(f.Times)
		}
		if !forever {
			r.pending += left
		}
		r.repeat(f, duration(f.At), left, forever)
	}
}

// repeat lets a fault happen at a time, and again as often as it shall.
func (r *run) repeat(f *homefile.Fault, at time.Duration, left int, forever bool) {
	r.schedule(at, func() {
		if !forever {
			r.pending--
			left--
		}
		r.happen(f)
		r.look = true
		if f.Every != nil && (forever || left > 0) {
			r.repeat(f, at+duration(*f.Every), left, forever)
		}
	})
}

// happen lets a fault happen now.
func (r *run) happen(f *homefile.Fault) {
	switch {
	case f.Cut != nil:
		r.cut(f.Cut)
	case f.Hub != nil && f.Hub.Commit != nil:
		r.sim.CrashHub(max(1, uint64(*f.Hub.Commit)), f.Hub.Moment == homefile.AfterCommit)
	case f.Hub != nil:
		r.sim.Cut(r.config.EUI64, duration(f.Hub.Off))
	case f.Apart != nil:
		r.partition(f.Apart)
	case f.Bad != nil:
		r.badLink(f.Bad)
	case f.Clock != nil:
		r.stepClock(f.Clock)
	case f.Flip != nil:
		r.sim.FlipBit(r.address(f.Flip.Device), memories[f.Flip.Region], uint64(f.Flip.Bit))
	case f.Newer != nil:
		r.supplier.distribute(r, f.Newer)
	case f.Low != nil:
		eui := r.address(f.Low.Device)
		set := r.byEUI64[uint64(eui)].set
		r.drain(eui, f.Low.Charge.Of(&set))
	case f.Cancel != nil:
		r.cancel(f.Cancel)
	case f.Undate != nil:
		eui := r.address(f.Undate.Device)
		r.operate(func() error {
			return r.sim.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
				return e.CancelActivation(now, out, eui)
			})
		})
	case f.Again != nil:
		r.supplier.offerAgain(r, r.address(f.Again.Device))
	case f.Remove != nil:
		r.remove(f.Remove)
	}
}

func (r *run) address(name homefile.Name) han.EUI64 {
	d, _ := r.home.Device(name)
	return d.Address()
}

func (r *run) cut(c *homefile.PowerCut) {
	eui := r.address(c.Device)
	if c.Operation != nil {
		chip := r.sim.Chip(eui)
		chip.CutAt(chip.Stats().Operations+int64(max(1, *c.Operation)), flash.CutTorn)
		return
	}
	r.sim.Cut(eui, duration(c.Off))
}

// partition cuts a node off for a while; without a device the hub, and with it everybody.
func (r *run) partition(g *homefile.Partition) {
	eui := r.config.EUI64
	if g.Device != nil {
		eui = r.address(*g.Device)
	}
	r.apart[eui]++
	r.sim.Partition(eui, true)
	r.sim.Schedule(r.sim.Now().Add(duration(g.For)), func() {
		r.apart[eui]--
		r.sim.Partition(eui, r.apart[eui] > 0)
	})
}

// badLink changes the quality of a link for a while. Of several at once the one that
// came last counts.
func (r *run) badLink(b *homefile.BadLink) {
	nodes := []han.EUI64{r.config.EUI64}
	if b.Device != nil {
		nodes = []han.EUI64{r.address(*b.Device)}
	} else {
		for i := range r.home.Devices {
			nodes = append(nodes, r.home.Devices[i].Address())
		}
	}
	for _, eui := range nodes {
		r.bad[eui] = append(r.bad[eui], b)
		r.setLink(eui)
	}
	r.sim.Schedule(r.sim.Now().Add(duration(b.For)), func() {
		for _, eui := range nodes {
			if i := slices.Index(r.bad[eui], b); i >= 0 {
				r.bad[eui] = slices.Delete(r.bad[eui], i, i+1)
			}
			r.setLink(eui)
		}
	})
}

// setLink gives a node the link that counts now.
func (r *run) setLink(eui han.EUI64) {
	l := r.link(r.home.Link)
	if n := len(r.bad[eui]); n > 0 {
		l = r.link(r.bad[eui][n-1].Link)
	}
	if eui == r.config.EUI64 {
		l.Latency = r.config.Battery.Radio.Latency
	}
	r.sim.SetLink(eui, l)
}

// stepClock moves a meter's clock, as soon as the meter runs.
func (r *run) stepClock(c *homefile.ClockStep) {
	if !r.sim.StepClock(r.address(c.Device), time.Duration(c.By)) {
		r.sim.Schedule(r.sim.Now().Add(retryAfter), func() { r.stepClock(c) })
	}
}

// cancel has the supplier cancel an update. If it has ended there is none to cancel.
func (r *run) cancel(t *homefile.Target) {
	eui := r.address(t.Device)
	r.operate(func() error {
		if r.supplier.image == nil { // the distribution still waits for the hub
			return sim.ErrOff
		}
		if u, ok := r.sim.Store().Update(eui, r.supplier.image.FileHash); !ok || u.State.Ended() {
			return nil
		}
		return r.sim.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.CancelUpdate(now, out, eui) })
	})
}

// remove takes a device out of the device log, and adds it again so much later. What is
// distributed at that time is offered to it then.
func (r *run) remove(m *homefile.Removal) {
	d, _ := r.home.Device(m.Device)
	eui := d.Address()
	r.operate(func() error {
		err := r.sim.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.RemoveDevice(now, out, eui) })
		if errors.Is(err, sim.ErrOff) {
			return err // and nothing is added before it was removed
		}
		r.pending++
		r.sim.Schedule(r.sim.Now().Add(duration(m.For)), func() {
			r.pending--
			r.add(d, eui)
		})
		return err
	})
}

// add puts a device back into the device log.
func (r *run) add(d *homefile.Device, eui han.EUI64) {
	r.operate(func() error {
		return r.sim.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
			return e.AddDevice(now, out, d.Entry())
		})
	})
	if w := r.byEUI64[uint64(eui)]; w != nil && w.target {
		r.supplier.offerAgain(r, eui)
	}
}

// enter puts a device into the device log, which comes before all else.
func (r *run) enter(d *homefile.Device) error {
	return r.sim.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.AddDevice(now, out, d.Entry()) })
}

// operate has something done on the hub: in a moment, if the hub has no power or loses
// it in the middle. The run is not over before. What the hub refuses is not done: to a
// supplier in the field that is an answer like any other.
func (r *run) operate(f func() error) {
	err := sim.ErrOff
	if r.sim.Powered(r.config.EUI64) {
		err = f()
	}
	switch {
	case errors.Is(err, sim.ErrOff):
		r.pending++
		r.sim.Schedule(r.sim.Now().Add(retryAfter), func() {
			r.pending--
			r.operate(f)
		})
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrUnknownDevice), errors.Is(err, store.ErrUnknownImage):
	default:
		must(err)
	}
	r.look = true
}
