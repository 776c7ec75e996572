package systemtest

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

var windowHomes = flag.Int("windows.homes", 1000, "how many homes TestWindowsEnd plays, a tenth of them with -short")

// radiosOfWindows are three radios: two that poll, and one that listens to a bridge
// that takes a quarter of a second for an answer.
func radiosOfWindows() []battery.Set {
	listening := battery.Default()
	listening.Name += " listening"
	listening.Radio.Listening, listening.Radio.Latency = true, 250*time.Millisecond
	return []battery.Set{battery.Default(), must(battery.Named("868-gb")), listening}
}

// TestWindowsEnd plays updates at 0 to 30 % loss with three radios: no window is
// longer than a meter stays awake, no heartbeat is left out, and no window ends above
// its budget, whatever got lost in it.
func TestWindowsEnd(t *testing.T) {
	const losses = 31
	im := exactImage(t, 24<<10)
	policies := []gasproxy.Radio{gasproxy.Radio(2 * time.Second), gasproxy.DefaultPolicy, gasproxy.Radio(30 * time.Second)}
	homes := *windowHomes
	if testing.Short() {
		homes /= 10
	}
	for i := range homes {
		set := radiosOfWindows()[i%3]
		h := windowHome{set: set, policy: policies[i/3%3], loss: i * 7 % losses, seed: uint64(i) + 1}
		t.Run(fmt.Sprintf("%d %s %s at %d %%", i+1, set.Name, h.policy, h.loss), func(t *testing.T) {
			t.Parallel()
			h.play(t, im)
		})
	}
}

// windowHome is a home whose windows are looked at.
type windowHome struct {
	set    battery.Set
	policy gasproxy.Radio
	loss   int // percent
	seed   uint64

	opened time.Time // the window in hand
	last   time.Time // heartbeat
	beats  int
}

func (h *windowHome) play(t *testing.T, im *imagecache.Image) {
	cfg := hub.DefaultConfig()
	cfg.Battery, cfg.Policy = h.set, h.policy
	home := virtual.New(sim.Config{
		Start: storyStart, Seed: h.seed, Link: radio.Link{Params: h.set.Radio, Faults: fault.Link{Loss: share(float64(h.loss) / 100)}},
		Observer: han.Observer{Record: func(r *trace.Record) { h.look(t, r) }},
	}, cfg)
	m := newMeter(theGSME, store.KindGSME, factoryOfTests)
	m.Battery, m.SlotCapacity = h.set, 32<<10
	if err := home.AddMeter(m); err != nil {
		t.Fatal(err)
	}
	home.Run(storyStart.Add(pacedAhead))
	if err := updateOf(inVirtualTime{Home: home}, im, theGSME).distribute(); err != nil {
		t.Fatal(err)
	}
	const days = 4
	home.Run(storyStart.Add(days * 24 * time.Hour))
	if want := days*48 - 1; h.beats < want {
		t.Errorf("%d heartbeats, want %d", h.beats, want)
	}
}

func (h *windowHome) look(t *testing.T, r *trace.Record) {
	if r.Node != uint64(theGSME) {
		return
	}
	switch r.Kind {
	case trace.HeartbeatStarted:
		if gap := r.At.Sub(h.last); !h.last.IsZero() && gap > gsme.DefaultPeriod+2*time.Second {
			t.Errorf("%v: no heartbeat for %v", r.At, gap)
		}
		h.opened, h.last = r.At, r.At
		h.beats++
	case trace.HeartbeatEnded:
		if took := r.At.Sub(h.opened); took > gsme.DefaultAwake {
			t.Errorf("%v: a window of %v, want at most %v", r.At, took, gsme.DefaultAwake)
		}
		if r.Took > time.Duration(h.policy) {
			t.Errorf("%v: the radio was on for %v, want at most %v", r.At, r.Took, h.policy)
		}
	default:
	}
}
