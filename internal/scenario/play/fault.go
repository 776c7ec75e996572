package play

import (
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/scenario/homefile"
)

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
	case f.Hub != nil:
		r.sim.Cut(r.config.EUI64, duration(f.Hub.Off))
	case f.Gap != nil:
		r.gap(f.Gap)
	case f.Newer != nil:
		r.supplier.distribute(r, f.Newer)
	case f.Low != nil:
		eui := r.address(f.Low.Device)
		set := r.byEUI64[uint64(eui)].set
		r.drain(eui, f.Low.Charge.Of(&set))
	case f.Cancel != nil:
		r.cancel(f.Cancel)
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
	if w := r.byEUI64[uint64(eui)]; w != nil {
		w.cuts++
	}
	r.sim.Cut(eui, duration(c.Off))
}

// gap cuts a node off for a while; without a device the hub, and with it everybody.
func (r *run) gap(g *homefile.Gap) {
	eui := r.config.EUI64
	if g.Device != nil {
		eui = r.address(*g.Device)
	}
	r.gaps[eui]++
	r.sim.Partition(eui, true)
	r.sim.Schedule(r.sim.Now().Add(duration(g.For)), func() {
		r.gaps[eui]--
		r.sim.Partition(eui, r.gaps[eui] > 0)
	})
}

// cancel has the supplier cancel an update. If it has ended there is none to cancel.
func (r *run) cancel(t *homefile.Target) {
	if !r.hubRuns(func() { r.cancel(t) }) {
		return
	}
	if r.supplier.image == nil { // the distribution still waits for the hub
		r.sim.Schedule(r.sim.Now().Add(retryAfter), func() { r.cancel(t) })
		return
	}
	eui := r.address(t.Device)
	if u, ok := r.sim.Store().Update(eui, r.supplier.image.FileHash); !ok || hub.UpdateState(u.State).Ended() {
		return
	}
	must(r.sim.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.CancelUpdate(now, out, eui) }))
}
