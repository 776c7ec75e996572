package scenario

import (
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// airtime is what one transmitter sent, for adding up hours without phy.Duty.
type airtime struct {
	at []time.Time
	on []time.Duration
}

func (a *airtime) add(at time.Time, on time.Duration) {
	a.at, a.on = append(a.at, at), append(a.on, on)
}

// busiestHour returns the most that was sent within any hour.
func (a *airtime) busiestHour() time.Duration {
	var most, sum time.Duration
	first := 0
	for i := range a.at {
		sum += a.on[i]
		for a.at[i].Sub(a.at[first]) >= time.Hour {
			sum -= a.on[first]
			first++
		}
		most = max(most, sum)
	}
	return most
}

// TestTheBandIsKept lets an electricity meter and a gas meter download as fast as
// they can at 868 MHz. Hub and meters must stay within the band's duty cycle; the
// hub tells that it is critical, and everything arrives in the end.
func TestTheBandIsKept(t *testing.T) {
	set := must(battery.Named("868-gb"))
	sent := map[han.EUI64]*airtime{}
	var states []string
	var waits, updated int
	count := func(at time.Time, f *han.Frame, _ radio.Fate) {
		up, device := f.Dst == hub.DefaultConfig().EUI64, f.Src
		if !up {
			device = f.Dst
		}
		for _, eui := range []han.EUI64{hub.DefaultConfig().EUI64, device} {
			if sent[eui] == nil {
				sent[eui] = &airtime{}
			}
		}
		size := len(f.Payload)
		if up {
			sent[device].add(at, set.Radio.Send(size).Transmit)
			sent[hub.DefaultConfig().EUI64].add(at, set.Radio.ParentHear(size))
			return
		}
		sent[hub.DefaultConfig().EUI64].add(at, set.Radio.ParentSend(size))
		on := set.Radio.Receive(size).Transmit
		if device == DefaultGSME {
			on = set.Radio.Fetch(size).Transmit
		}
		sent[device].add(at, on)
	}
	take := func(r *trace.Record) {
		switch r.Kind {
		case trace.DutyCycle:
			states = append(states, r.Text)
		case trace.WaitForData:
			waits++
		case trace.ImageVerified:
			updated++
		default:
		}
	}
	cfg := hub.DefaultConfig()
	cfg.Battery, cfg.Policy = set, gasproxy.Deadline(48*time.Hour)
	home := NewSimulation(sim.Config{Start: storyStart, Seed: 1, Link: radio.Link{Params: set.Radio}, Records: take, Frames: count}, cfg)
	im := exactImage(t, 512<<10)
	for eui, kind := range map[han.EUI64]hub.Kind{DefaultESME: hub.KindESME, DefaultGSME: hub.KindGSME} {
		m := NewMeter(eui, kind, testimage.Policy(bootloader.TrustSigned), factoryOfTests)
		m.Battery = set
		if err := home.AddMeter(m); err != nil {
			t.Fatal(err)
		}
	}
	home.Run(storyStart.Add(time.Minute))
	if err := home.Upload(im); err != nil {
		t.Fatal(err)
	}
	if err := home.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.Distribute(now, out, im.FileHash, []han.EUI64{DefaultESME, DefaultGSME})
	}); err != nil {
		t.Fatal(err)
	}
	critical := time.Duration(0)
	home.RunUntil(storyStart.Add(72*time.Hour), func() bool {
		if d := home.Hub().Duty(home.Now()); d.State == phy.DutyCritical {
			critical = max(critical, d.Spent)
		}
		return updated == 2
	})
	t.Logf("complete after %v, %d waits, states %v", home.Now().Sub(storyStart).Round(time.Minute), waits, states)
	for eui, a := range sent {
		busiest := a.busiestHour()
		t.Logf("%s sent for %v in its busiest hour", eui, busiest.Round(time.Millisecond))
		if busiest > set.Radio.Duty.Critical+2*time.Second {
			t.Errorf("%s sent for %v in an hour; from %v on only what cannot wait may be sent", eui, busiest, set.Radio.Duty.Critical)
		}
	}
	if updated != 2 || waits == 0 || critical == 0 || !slices.Contains(states, "critical") || !slices.Contains(states, "normal") {
		t.Errorf("%d meters updated, %d waits, states %v; want both, and the critical state entered and left", updated, waits, states)
	}
	var alerts []uint16
	for _, a := range home.Store().Alerts(0, 100) {
		alerts = append(alerts, a.Code)
	}
	for _, want := range []gbcs.AlertCode{gbcs.AlertCriticalDutyCycle, gbcs.AlertCriticalDutyCycleEnded} {
		if !slices.Contains(alerts, uint16(want)) {
			t.Errorf("alerts %04X, want %04X among them", alerts, uint16(want))
		}
	}
}

// TestNothingIsSentInTheRegulatedState floods a hub at 868 MHz with questions.
func TestNothingIsSentInTheRegulatedState(t *testing.T) {
	set := must(battery.Named("868-gb"))
	cfg := hub.DefaultConfig()
	cfg.Battery = set
	var busy airtime
	dropped := 0
	home := NewSimulation(sim.Config{Start: storyStart, Seed: 1, Link: radio.Link{Params: set.Radio},
		Records: func(r *trace.Record) {
			if r.Kind == trace.FrameRefused {
				dropped++
			}
		},
		Frames: func(at time.Time, f *han.Frame, _ radio.Fate) {
			if f.Src == cfg.EUI64 {
				busy.add(at, set.Radio.ParentSend(len(f.Payload)))
			} else {
				busy.add(at, set.Radio.ParentHear(len(f.Payload)))
			}
		}}, cfg)
	if err := home.AddDisplay(DefaultIHD); err != nil {
		t.Fatal(err)
	}
	ask := han.Frame{Src: DefaultIHD, Dst: cfg.EUI64, SrcEndpoint: 1, DstEndpoint: 1, Profile: han.ProfileSmartEnergy, Cluster: 0x000A,
		Payload: []byte{0x00, 1, 0x00, 0, 0}}
	for i := range 20_000 {
		home.Schedule(storyStart.Add(time.Duration(i)*100*time.Millisecond), func() {
			home.Do(DefaultIHD, func(_ time.Time, _ han.Node, out *han.Outbox) {
				f := ask
				f.Payload = append(out.Payload(), ask.Payload...)
				out.Send(f)
			})
		})
	}
	home.Run(storyStart.Add(time.Hour))
	d := home.Hub().Duty(home.Now())
	t.Logf("%v on the air in an hour, %d answers dropped, %s", d.Spent, dropped, d.State)
	if dropped == 0 || d.State != phy.DutyRegulated {
		t.Errorf("%d answers dropped in the state %s", dropped, d.State)
	}
	// The radio acknowledges by itself what it hears; the hub cannot help that.
	heard := time.Duration(20_000) * set.Radio.Ack
	if spent := busy.busiestHour(); spent > set.Radio.Duty.Regulated+heard {
		t.Errorf("%v on the air, limit %v", spent, set.Radio.Duty.Regulated)
	}
}
