package radio_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han/phy"
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
		{"all in bursts", radio.Link{Bursts: radio.Bursts{Begin: 10_000, End: 100_000, Loss: radio.Million}}, 10.0 / 110},
		{"half in bursts", radio.Link{Bursts: radio.Bursts{Begin: 10_000, End: 100_000, Loss: radio.Million / 2}}, 5.0 / 110},
		{"besides loss", radio.Link{Loss: 100_000, Bursts: radio.Bursts{Begin: 10_000, End: 100_000, Loss: radio.Million}}, 10.0/110 + 0.1*100/110},
	} {
		d, lost := dice(), 0
		for range frames {
			if tt.link.Carry(frame(20), d).Copies == 0 {
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
	l := radio.Link{Bursts: radio.Bursts{Begin: 5_000, End: 50_000, Loss: radio.Million}}
	d, bursts, lost, before := dice(), 0, 0, false
	for range 400_000 {
		now := l.Carry(frame(20), d).Copies == 0
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
	slow.Delay = 50 * time.Millisecond
	if got := slow.Carry(frame(20), dice()).Delay[0] - plain.Carry(frame(20), dice()).Delay[0]; got != slow.Delay {
		t.Errorf("%v more, want %v", got, slow.Delay)
	}
}
