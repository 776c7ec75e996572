package served

import (
	"time"

	"github.com/commshub/commshub/devices/prepayment"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/transport/fault"
)

// lab returns what injects faults, nil if nobody asked for it.
func (h *Hub) lab() *api.Lab {
	if h.faults == nil {
		return nil
	}
	return &api.Lab{
		Faults: func() []api.Fault {
			all := []api.Fault{}
			for _, f := range h.faults.Status() {
				all = append(all, faultOf(f))
			}
			return all
		},
		SetLink: func(eui han.EUI64, f *api.LinkFault) {
			if f == nil {
				h.faults.Heal(eui)
				return
			}
			h.faults.Set(eui, linkFault(f))
		},
		CutPower: func(eui han.EUI64) bool {
			d := h.device(eui)
			if d != nil {
				d.CutPower()
			}
			return d != nil
		},
		Drain: func(eui han.EUI64, percent uint8) bool {
			d := h.device(eui)
			return d != nil && d.Drain(percent)
		},
		Type: func(eui han.EUI64, digits string) (api.Keyed, bool) {
			d := h.device(eui)
			if d == nil {
				return api.Keyed{}, false
			}
			k, ok := d.Type(digits)
			return api.Keyed{
				Credited: k.Outcome == prepayment.Accepted, Screen: k.Outcome.String(), Balance: k.Balance.String(),
			}, ok
		},
	}
}

func linkFault(f *api.LinkFault) live.LinkFault {
	out := live.LinkFault{Link: fault.Link{
		Loss: fault.Percent(f.Loss), Duplication: fault.Percent(f.Duplication),
		Reordering: fault.Percent(f.Reordering), ReorderBy: inSeconds(f.ReorderBy),
		Corruption: fault.Percent(f.Corruption), Delay: inSeconds(f.Delay),
	}}
	if f.Frames != nil {
		out.Frames = *f.Frames
	}
	return out
}

func inSeconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func faultOf(s live.FaultStatus) api.Fault {
	f := &s.Fault
	out := api.Fault{
		Device: s.Device, Loss: f.Loss.Percent(), Duplication: f.Duplication.Percent(),
		Reordering: f.Reordering.Percent(), ReorderBy: f.ReorderBy.Seconds(),
		Corruption: f.Corruption.Percent(), Delay: f.Delay.Seconds(), Struck: map[string]uint64{},
	}
	if f.Frames > 0 {
		out.FramesLeft = &f.Frames
	}
	for kind, n := range s.Struck {
		if n > 0 {
			out.Struck[fault.Kind(kind).String()] = n
		}
	}
	return out
}
