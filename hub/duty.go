package hub

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// The hub's transmitter shares one duty cycle among all devices. From the critical
// state on, block requests are answered with WAIT_FOR_DATA, so that what is left
// of the hour goes to messages and readings; in the regulated state nothing is
// sent at all.

// Duty is how near the hub's transmitter is to its limits.
type Duty struct {
	State  phy.DutyState
	Spent  time.Duration // on the air within the last hour
	Limits phy.DutyLimits
	Until  time.Time // when blocks are served again; zero if they are now
}

// Duty returns the state of the hub's own duty cycle.
func (h *Hub) Duty(now time.Time) Duty {
	d := Duty{State: h.duty.State(now), Spent: h.duty.Spent(now), Limits: h.duty.Limits()}
	if d.State != phy.DutyNormal {
		d.Until = h.silentUntil(now)
	}
	return d
}

// silentUntil returns when half of the critical share is free again. Not before:
// each wait costs a device an exchange.
func (h *Hub) silentUntil(now time.Time) time.Time {
	return h.duty.NormalAt(now, h.duty.Limits().Critical/2)
}

// serverPort is the hub as its OTA server sees it.
type serverPort struct{ *Hub }

var _ otaserver.Pacer = serverPort{}

// Admit implements otaserver.Pacer: the hub's duty cycle comes first, for every
// device, and then the pacing policy, for gas meters.
func (h serverPort) Admit(now time.Time, device han.EUI64, a ota.Ask) (size int, until time.Time) {
	var notBefore time.Time
	if limits := h.duty.Limits(); limits.Critical > 0 && h.duty.State(now) != phy.DutyNormal {
		notBefore = h.silentUntil(now)
	}
	if d := h.devices[device]; d != nil && d.log.Kind == store.KindGSME {
		size, until = h.proxy.Admit(now, device, a, notBefore)
		d.toldToWait = size == 0
		return size, until
	}
	if !notBefore.IsZero() {
		return 0, notBefore
	}
	return a.Size, time.Time{}
}

// Spacing implements otaserver.Pacer: a child that polls for each block is busy for
// as long as its radio is.
func (h serverPort) Spacing(size int) time.Duration {
	c := h.cfg.Battery.Radio.Fetch(ota.BlockOverhead + size)
	return c.RadioOn() + c.Backoff
}

// acknowledged accounts the acknowledgement of a frame that came.
func (h *Hub) acknowledged(now time.Time, size int) {
	if h.limited() {
		h.duty.Add(now, h.cfg.Battery.Radio.ParentHear(size))
	}
}

func (h *Hub) limited() bool { return h.duty.Limits().Regulated > 0 }

// transmitted accounts the frames that a call put into the outbox from the given
// one on. In the regulated state they are dropped instead, as the band demands.
func (h *Hub) transmitted(now time.Time, out *han.Outbox, from int) {
	if !h.limited() {
		return
	}
	if h.duty.State(now) == phy.DutyRegulated && len(out.Frames) > from {
		h.discard(now, out, from)
	}
	for i := from; i < len(out.Frames); i++ {
		h.duty.Add(now, h.cfg.Battery.Radio.ParentSend(len(out.Frames[i].Payload)))
	}
	if state := h.duty.State(now); state != h.band {
		h.dutyChanged(now, out, state)
	}
}

// discard drops what must not be sent. Devices ask again.
func (h *Hub) discard(now time.Time, out *han.Outbox, from int) {
	for i := from; i < len(out.Frames); i++ {
		h.fault(now, out, out.Frames[i].Dst, fmt.Errorf("%s", gbcs.AlertMessageDiscardedByDutyCycle))
	}
	out.Frames = out.Frames[:from]
}

// dutyAlerts are the hub's alerts on entering and leaving a state.
var dutyAlerts = [...]struct{ entered, left gbcs.AlertCode }{
	phy.DutyCritical:  {gbcs.AlertCriticalDutyCycle, gbcs.AlertCriticalDutyCycleEnded},
	phy.DutyRegulated: {gbcs.AlertRegulatedDutyCycle, gbcs.AlertRegulatedDutyCycleEnded},
}

// dutyChanged tells the supplier and the trace of a change of state. The change is
// noticed at the next frame.
func (h *Hub) dutyChanged(now time.Time, out *han.Outbox, state phy.DutyState) {
	code := dutyAlerts[state].entered
	if state < h.band {
		code = dutyAlerts[h.band].left
	}
	h.band = state
	h.record(out, trace.Record{At: now, Kind: trace.DutyCycle, Text: state.String(), Took: h.duty.Spent(now)})
	raised := alert{device: h.cfg.CHF, code: code, text: fmt.Sprintf("%v on the air within an hour", h.duty.Spent(now).Round(time.Millisecond))}
	if err := h.store.Commit(h.alerted(now, raised)...); err != nil {
		h.fault(now, out, h.cfg.EUI64, err)
		return
	}
	h.recordAlert(now, out, raised)
}
