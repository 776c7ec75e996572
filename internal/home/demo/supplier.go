package demo

import (
	"context"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
)

// distribute offers the image to the meters that it is for and that have not had it yet.
func (h *Home) distribute(context.Context) error {
	var devices []han.EUI64
	for _, m := range h.meters {
		if _, had := h.update(m.eui); !had && h.isFor(m.eui) && m.before != h.opt.Image.Header.FileVersion {
			devices = append(devices, m.eui)
		}
	}
	if len(devices) == 0 {
		return nil
	}
	return h.hub.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.Distribute(now, out, headend.Distribution{Image: h.opt.Image.FileHash(), Devices: devices})
	})
}

func (h *Home) update(eui han.EUI64) (store.Update, bool) {
	return h.hub.Store.Update(eui, h.opt.Image.FileHash())
}

// Finish plays the supplier: it orders each meter to activate what it verified, and
// reports when all updates have ended. An error says that ctx was done before, or that
// it took longer than timeout on the wall clock; 0 is as long as it takes.
func (h *Home) Finish(ctx context.Context, timeout time.Duration) (Report, error) {
	if timeout > 0 {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		ctx = limited
	}
	// At the instant at which a meter has its image, however fast the clock runs.
	stop := h.hub.OrderWhenever(func() bool { return len(h.transferred()) > 0 }, h.activateTransferred)
	defer stop()
	err := h.wait(ctx, h.ended)
	return h.report(err, timeout), err
}

// Report reports how things are now.
func (h *Home) Report() Report { return h.report(nil, 0) }

// clockLayout is how emulated time is shown.
const clockLayout = "2006-01-02 15:04:05Z"

// transferred returns the meters whose image waits for the order to activate.
func (h *Home) transferred() []*meter {
	var waiting []*meter
	for _, m := range h.meters {
		if u, ok := h.update(m.eui); ok && u.State == store.UpdateTransferred {
			waiting = append(waiting, m)
		}
	}
	return waiting
}

// activateTransferred gives the order wherever an image waits for it.
func (h *Home) activateTransferred(e *headend.HeadEnd, now time.Time, out *han.Outbox) {
	for _, m := range h.transferred() {
		if err := e.Activate(now, out, headend.Activation{Device: m.eui, Hash: h.opt.Image.Hash()}); err != nil {
			h.opt.Say("activate: %v", err)
			continue
		}
		h.opt.Say("%s  the supplier orders the %s to activate (CS06)", now.Format(clockLayout), m.kind)
	}
}

// ended reports whether every update has come to an end.
func (h *Home) ended() bool {
	for _, m := range h.meters {
		if u, ok := h.update(m.eui); ok && !u.State.Ended() {
			return false
		}
	}
	return true
}
