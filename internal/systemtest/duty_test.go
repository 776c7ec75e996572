package systemtest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	described "github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/virtual"
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

// bandWatch adds up what each transmitter of a home sends at 868 MHz.
type bandWatch struct {
	set    battery.Set
	sent   map[han.EUI64]*airtime
	states []string
	waits  int
	done   int
}

func (w *bandWatch) of(eui han.EUI64) *airtime {
	if w.sent[eui] == nil {
		w.sent[eui] = &airtime{}
	}
	return w.sent[eui]
}

func (w *bandWatch) count(at time.Time, f *han.Frame, _ han.Fate) {
	size, self := len(f.Payload), hub.DefaultConfig().EUI64
	if f.Dst == self {
		w.of(f.Src).add(at, w.set.Radio.Send(size).Transmit)
		w.of(self).add(at, w.set.Radio.ParentHear(size))
		return
	}
	w.of(self).add(at, w.set.Radio.ParentSend(size))
	on := w.set.Radio.Receive(size).Transmit
	if f.Dst == theGSME {
		on = w.set.Radio.Fetch(size).Transmit
	}
	w.of(f.Dst).add(at, on)
}

func (w *bandWatch) take(r *trace.Record) {
	switch r.Kind {
	case trace.DutyCycle:
		w.states = append(w.states, r.Text)
	case trace.WaitForData:
		w.waits++
	case trace.ImageVerified:
		w.done++
	default:
	}
}

// check holds each transmitter to the band's duty cycle.
func (w *bandWatch) check(t *testing.T) {
	t.Helper()
	for eui, a := range w.sent {
		busiest := a.busiestHour()
		t.Logf("%s sent for %v in its busiest hour", eui, busiest.Round(time.Millisecond))
		if limit := w.set.Radio.Duty.Critical; busiest > limit+500*time.Millisecond {
			t.Errorf("%s sent for %v in an hour; from %v on only what cannot wait may be sent", eui, busiest, limit)
		}
	}
}

// bandHome returns a home at 868 MHz whose meters were offered an image.
func bandHome(t *testing.T, w *bandWatch, size int, kinds ...store.Kind) *virtual.Home {
	t.Helper()
	cfg := hub.DefaultConfig()
	cfg.Battery, cfg.Policy = w.set, gasproxy.Deadline(48*time.Hour)
	home := virtual.New(sim.Config{Start: storyStart, Seed: 1, Link: radio.Link{Params: w.set.Radio}, Observer: han.Observer{Record: w.take, Frame: w.count}}, cfg)
	var meters []han.EUI64
	for _, kind := range kinds {
		eui := storyNodes[strings.ToLower(kind.String())]
		m := newMeter(eui, kind, factoryOfTests)
		m.Battery = w.set
		meters = append(meters, eui)
		if err := home.AddMeter(m); err != nil {
			t.Fatal(err)
		}
	}
	home.Run(storyStart.Add(time.Minute))
	if err := updateOf(inVirtualTime{Home: home}, exactImage(t, size), meters...).distribute(); err != nil {
		t.Fatal(err)
	}
	return home
}

// TestTheBandIsKept lets an electricity meter and a gas meter download as fast as
// they can at 868 MHz. Hub and meters must stay within the band's duty cycle; the
// hub tells that it is critical, and everything arrives in the end.
func TestTheBandIsKept(t *testing.T) {
	w := &bandWatch{set: must(battery.Named("868-gb")), sent: map[han.EUI64]*airtime{}}
	home := bandHome(t, w, 512<<10, store.KindESME, store.KindGSME)
	critical := false
	home.RunUntil(storyStart.Add(72*time.Hour), func() bool {
		d := home.Hub().Duty(home.Now())
		critical = critical || d.State == phy.DutyCritical
		if silent := d.State != phy.DutyNormal; silent != d.Until.After(home.Now()) {
			t.Fatalf("%s until %v at %v", d.State, d.Until, home.Now())
		}
		return w.done == 2
	})
	t.Logf("complete after %v, %d waits, states %v", home.Now().Sub(storyStart).Round(time.Minute), w.waits, w.states)
	w.check(t)
	if w.done != 2 || w.waits == 0 || !critical || !slices.Contains(w.states, "critical") || !slices.Contains(w.states, "normal") {
		t.Errorf("%d meters updated, %d waits, states %v; want both, and the critical state entered and left", w.done, w.waits, w.states)
	}
	told := checkHubAlerts(t, home.Store(), described.SimulatedKeys(1))
	for _, want := range []gbcs.AlertCode{gbcs.AlertCriticalDutyCycle, gbcs.AlertCriticalDutyCycleEnded} {
		if told[want] == nil {
			t.Errorf("the supplier was not told of %04X", uint16(want))
		}
	}
}

// TestAMeterKeepsTheBandByItself: alone it comes to its limit before the hub does,
// and stops asking. Nobody has to tell it to wait.
func TestAMeterKeepsTheBandByItself(t *testing.T) {
	for _, kind := range []store.Kind{store.KindESME, store.KindGSME} {
		w := &bandWatch{set: must(battery.Named("868-gb")), sent: map[han.EUI64]*airtime{}}
		w.set.Radio.Duty.Critical = 30 * time.Second
		home := bandHome(t, w, 256<<10, kind)
		home.RunUntil(storyStart.Add(72*time.Hour), func() bool { return w.done == 1 })
		w.check(t)
		if w.done != 1 || kind == store.KindGSME && w.waits > 0 {
			t.Errorf("%s: %d images verified, told to wait %d times", kind, w.done, w.waits)
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
	home := virtual.New(sim.Config{Start: storyStart, Seed: 1, Link: radio.Link{Params: set.Radio},
		Observer: han.Observer{
			Record: func(r *trace.Record) {
				if r.Kind == trace.FrameRefused {
					dropped++
				}
			},
			Frame: func(at time.Time, f *han.Frame, _ han.Fate) {
				if f.Src == cfg.EUI64 {
					busy.add(at, set.Radio.ParentSend(len(f.Payload)))
				} else {
					busy.add(at, set.Radio.ParentHear(len(f.Payload)))
				}
			},
		}}, cfg)
	if err := home.AddDisplay(theIHD); err != nil {
		t.Fatal(err)
	}
	ask := han.Frame{Src: theIHD, Dst: cfg.EUI64, SrcEndpoint: 1, DstEndpoint: 1, Profile: han.ProfileSmartEnergy, Cluster: 0x000A,
		Payload: []byte{0x00, 1, 0x00, 0, 0}}
	for i := range 20_000 {
		home.Schedule(storyStart.Add(time.Duration(i)*100*time.Millisecond), func() {
			if err := home.Do(theIHD, func(_ time.Time, _ han.Node, out *han.Outbox) {
				f := ask
				f.Payload = append(out.Payload(), ask.Payload...)
				out.Send(f)
			}); err != nil {
				t.Error(err)
			}
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
