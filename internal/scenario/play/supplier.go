package play

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/transport/sim"
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
	r.operate(func() error {
		p.image, p.orders = r.images[i], map[han.EUI64]int{}
		if err := r.sim.Upload(p.image); err != nil {
			return err
		}
		var devices []han.EUI64
		for _, name := range r.home.Distribute.To {
			d, _ := r.home.Device(name)
			r.byEUI64[uint64(d.EUI64)].distributed(r.sim, p.image)
			if _, there := r.sim.Hub().Device(d.Address()); there {
				devices = append(devices, d.Address())
			}
		}
		return p.offer(r, devices...)
	})
}

// offerAgain offers one meter the image distributed last.
func (p *supplier) offerAgain(r *run, eui han.EUI64) {
	r.operate(func() error {
		if p.image == nil { // the distribution still waits for the hub
			return sim.ErrOff
		}
		delete(p.orders, eui)
		return p.offer(r, eui)
	})
}

func (p *supplier) offer(r *run, devices ...han.EUI64) error {
	return r.sim.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.Distribute(now, out, headend.Distribution{Image: p.image.FileHash, Devices: devices, Downgrade: true})
	})
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
		state := u.State
		switch {
		case state.Ended():
		case state != store.UpdateTransferred:
			settled = false
		case r.home.Activate.Never, p.orders[eui] == maxOrders:
		default:
			settled = false
			p.order(r, eui)
		}
	}
	return settled
}

// order orders a meter to switch. If the hub has no power, or no room for one more
// message, it tries again.
func (p *supplier) order(r *run, eui han.EUI64) {
	a := headend.Activation{Device: eui, Hash: p.image.ImageHash}
	if at := r.home.Activate.When(r.home.Start.Time); at.After(r.sim.Now()) {
		a.At = at
	}
	err := r.sim.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.Activate(now, out, a) })
	if err != nil {
		r.sim.Schedule(r.sim.Now().Add(retryAfter), func() { r.look = true })
		return
	}
	p.orders[eui]++
	r.look = true
}
