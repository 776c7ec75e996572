package play

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/scenario/homefile"
)

// maxOrders is how often the supplier orders one meter to switch to one image.
const maxOrders = 5

// supplier distributes images and orders meters to switch.
type supplier struct {
	image  *imagecache.Image // distributed last
	orders map[han.EUI64]int // given for that image
}

// distribute offers an image to the meters named. Without a hub it tries again.
func (p *supplier) distribute(r *run, i *homefile.Image) {
	if !r.hubRuns(func() { p.distribute(r, i) }) {
		return
	}
	p.image, p.orders = r.images[i], map[han.EUI64]int{}
	must(r.sim.Upload(p.image))
	var devices []han.EUI64
	for _, name := range r.home.Distribute.To {
		d, _ := r.home.Device(name)
		devices = append(devices, d.Address())
		r.byEUI64[uint64(d.EUI64)].distributed(r.sim, p.image)
	}
	must(r.sim.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.Distribute(now, out, p.image.FileHash, devices)
	}))
	r.look = true
}

// hubRuns reports whether the hub has power; if not, again runs in a moment.
func (r *run) hubRuns(again func()) bool {
	if r.sim.Powered(r.config.EUI64) {
		return true
	}
	r.sim.Schedule(r.sim.Now().Add(retryAfter), again)
	return false
}

// act orders the meters that hold the image to switch. It reports whether all
// updates have come to their end.
func (p *supplier) act(r *run) (settled bool) {
	settled = true
	for _, w := range r.watches {
		if !w.target {
			continue
		}
		eui := w.device.Address()
		u, _ := r.sim.Store().Update(eui, p.image.FileHash)
		state := hub.UpdateState(u.State)
		switch {
		case state.Ended():
		case state != hub.UpdateTransferred:
			settled = false
		case r.home.Activate.Never, p.orders[eui] == maxOrders:
		default:
			settled = false
			p.order(r, eui)
		}
	}
	return settled
}

// order orders a meter to switch. Without a hub it tries again.
func (p *supplier) order(r *run, eui han.EUI64) {
	if !r.hubRuns(func() { r.look = true }) {
		return
	}
	a := hub.Activation{Device: eui, Hash: p.image.ImageHash}
	if at := r.home.Activate.When(r.home.Start.Time); at.After(r.sim.Now()) {
		a.At = at
	}
	p.orders[eui]++
	must(r.sim.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.Activate(now, out, a) }))
	r.look = true
}
