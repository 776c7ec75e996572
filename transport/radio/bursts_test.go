package radio_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
)

// TestBurstsLoseWhatTheirChainSays: of 1/begin frames in good times and 1/end in a
// burst on average.
func TestBurstsLoseWhatTheirChainSays(t *testing.T) {
	const frames = 200_000
	for _, tt := range []struct {
		name string
		link radio.Link
		want float64
	}{
		{"all in bursts", radio.Link{Faults: fault.Link{Bursts: fault.Bursts{Begin: 10_000, End: 100_000, Loss: fault.Million}}}, 10.0 / 110},
		{"half in bursts", radio.Link{Faults: fault.Link{Bursts: fault.Bursts{Begin: 10_000, End: 100_000, Loss: fault.Million / 2}}}, 5.0 / 110},
		{"besides loss", radio.Link{Faults: fault.Link{Loss: 100_000, Bursts: fault.Bursts{Begin: 10_000, End: 100_000, Loss: fault.Million}}}, 10.0/110 + 0.1*100/110},
	} {
		d, lost := dice(), 0
		for range frames {
			if fate, _ := tt.link.Carry(frame(20), d); fate.Copies == 0 {
				lost++
			}
		}
		if got := float64(lost) / frames; got < tt.want*0.93 || got > tt.want*1.07 {
			t.Errorf("%s: %.4f of the frames, want %.4f", tt.name, got, tt.want)
		}
	}
}

// TestLossesInBurstsComeTogether: as many in a row as was asked for.
func TestLossesInBurstsComeTogether(t *testing.T) {
	l := radio.Link{Faults: fault.Link{Bursts: fault.Bursts{Begin: 5_000, End: 50_000, Loss: fault.Million}}}
	d, bursts, lost, before := dice(), 0, 0, false
	for range 400_000 {
		fate, _ := l.Carry(frame(20), d)
		now := fate.Copies == 0
		if now {
			lost++
		}
		if now && !before {
			bursts++
		}
		before = now
	}
	if mean := float64(lost) / float64(bursts); mean < 18 || mean > 22 {
		t.Errorf("bursts of %.1f frames on average, want 20", mean)
	}
}

func TestDelayIsAddedToAirTime(t *testing.T) {
	plain := radio.Link{Params: phy.Band2G4()}
	slow := plain
	slow.Faults.Delay = 50 * time.Millisecond
	late, struck := slow.Carry(frame(20), dice())
	usual, _ := plain.Carry(frame(20), dice())
	if got := late.Delay[0] - usual.Delay[0]; !struck.Has(fault.Delay) || got != slow.Faults.Delay {
		t.Errorf("%v more, want %v", got, slow.Faults.Delay)
	}
}
