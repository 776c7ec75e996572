package phy

import (
	"math"
	"testing"
	"time"
)

// A block exchange is a request of 17 bytes of ZCL (header 3, payload 14) and
// an answer of 17 bytes plus the data.
const blockOverhead = 17

func TestRadioOnTimeOfABlockAgreesWithThePublishedModel(t *testing.T) {
	networkOnly := func(p Params) Params { p.APSSecurity = false; return p }
	tests := []struct {
		name   string
		params Params
		data   int
		wantMS float64
	}{
		{"2.4 GHz, 48 B, APS security", Band2G4(), 48, 15.0},
		{"2.4 GHz, 64 B, NWK security only", networkOnly(Band2G4()), 64, 14.6},
		{"868 MHz, 48 B, APS security", Band868(), 48, 64.0},
		{"868 MHz, 64 B, NWK security only", networkOnly(Band868()), 64, 63.1},
		{"2.4 GHz, 82 B, two fragments", Band2G4(), 82, 23.4},
		{"868 MHz, 82 B, two fragments", Band868(), 82, 95.4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.params.Exchange(blockOverhead, blockOverhead+tt.data).RadioOn()
			if ms := float64(got) / float64(time.Millisecond); math.Abs(ms-tt.wantMS)/tt.wantMS > 0.005 {
				t.Errorf("radio on %.2f ms, the published model has %.1f ms", ms, tt.wantMS)
			}
		})
	}
}

func TestFramesAreFragmentedWhereTheyStopFitting(t *testing.T) {
	p := Band2G4()
	limit := p.MaxUnfragmented()
	if limit != 73 {
		t.Fatalf("room for %d bytes of ZCL, want 127 - 54 = 73", limit)
	}
	if c := p.Send(limit); c.Wakes != 1 || c.Frames != 1 {
		t.Errorf("%d bytes take %d radio frames for %d ZCL frames, want 1 for 1", limit, c.Wakes, c.Frames)
	}
	if c := p.Send(limit + 1); c.Wakes != 2 || c.Frames != 1 {
		t.Errorf("%d bytes take %d radio frames for %d ZCL frames, want 2 for 1", limit+1, c.Wakes, c.Frames)
	}
	if one, two := p.Fetch(limit).RadioOn(), p.Fetch(limit+1).RadioOn(); two < one+p.Poll().RadioOn() {
		t.Errorf("a second fragment costs %v, want at least another poll", two-one)
	}
}

func TestCostsGrowWithLength(t *testing.T) {
	for _, p := range []Params{Band2G4(), Band868()} {
		last := time.Duration(0)
		for n := range 400 {
			d := p.Exchange(blockOverhead, n).RadioOn()
			if d < last {
				t.Fatalf("%s: an answer of %d bytes costs %v, one of %d bytes %v", p.Name, n, d, n-1, last)
			}
			last = d
		}
	}
}
