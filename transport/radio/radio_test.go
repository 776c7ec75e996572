package radio_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
)

func dice() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func frame(size int) *han.Frame { return &han.Frame{Payload: make([]byte, size)} }

// TestAPerfectLinkDrawsNoDice: a home in which nothing is lost runs the same whatever
// the seed.
func TestAPerfectLinkDrawsNoDice(t *testing.T) {
	l := radio.Link{Params: phy.Band868()}
	used, fresh := dice(), dice()
	for _, size := range []int{0, 1, 73, 74, han.MaxPayload} {
		delay := l.Params.Delay(size) + l.Params.Host
		want := han.Fate{Copies: 1, Delay: [2]time.Duration{delay, delay}}
		if got, struck := l.Carry(frame(size), used); got != want || struck != 0 {
			t.Errorf("%d bytes: %+v, want %+v", size, got, want)
		}
	}
	if used.Uint64() != fresh.Uint64() {
		t.Error("dice were drawn")
	}
}

func TestALinkHappensAsOftenAsItSays(t *testing.T) {
	const frames, size = 100_000, 20
	count := func(l radio.Link, kind fault.Kind, happened func(f han.Fate) bool) int {
		l.Params = phy.Band2G4()
		d, n := dice(), 0
		for range frames {
			if fate, struck := l.Carry(frame(size), d); happened(fate) != struck.Has(kind) {
				t.Fatalf("fate %+v, struck by %s: %v", fate, kind, struck.Has(kind))
			} else if struck.Has(kind) {
				n++
			}
		}
		return n
	}
	params := phy.Band2G4()
	usual := params.Delay(size) + params.Host
	tests := []struct {
		kind     fault.Kind
		link     radio.Link
		happened func(f han.Fate) bool
	}{
		{fault.Loss, radio.Link{Faults: fault.Link{Loss: 100_000}}, func(f han.Fate) bool { return f == han.Fate{} }},
		{fault.Duplication, radio.Link{Faults: fault.Link{Duplication: 100_000}}, func(f han.Fate) bool { return f.Copies == 2 && f.Delay[1] > f.Delay[0] }},
		{fault.Corruption, radio.Link{Faults: fault.Link{Corruption: 100_000}}, func(f han.Fate) bool { return f.Corrupt && f.Bit < 8*size }},
		{fault.Reordering, radio.Link{Faults: fault.Link{Reordering: 100_000, ReorderBy: time.Hour}}, func(f han.Fate) bool {
			return f.Delay[0] > usual && f.Delay[0] < usual+time.Hour
		}},
	}
	for _, tt := range tests {
		t.Run(tt.kind.String(), func(t *testing.T) {
			// One in ten; 500 is more than 5 standard deviations.
			if n := count(tt.link, tt.kind, tt.happened); n < frames/10-500 || n > frames/10+500 {
				t.Errorf("%d of %d frames, want one in ten", n, frames)
			}
		})
	}
}

// TestCertainAndImpossibleAreExact, at both ends of the range.
func TestCertainAndImpossibleAreExact(t *testing.T) {
	d := dice()
	certain := radio.Link{Params: phy.Band2G4(), Faults: fault.Link{Duplication: fault.Million, Corruption: fault.Million}}
	for range 10_000 {
		f, _ := certain.Carry(frame(1), d)
		if f.Copies != 2 || !f.Corrupt || f.Bit > 7 {
			t.Fatalf("fate %+v", f)
		}
	}
	certain.Faults.Loss = fault.Million
	if f, _ := certain.Carry(frame(1), d); f != (han.Fate{}) {
		t.Errorf("fate %+v of a lost frame", f)
	}
}

func TestAFrameWithoutPayloadHasNoBitToFlip(t *testing.T) {
	l := radio.Link{Params: phy.Band2G4(), Faults: fault.Link{Corruption: fault.Million}}
	if f, _ := l.Carry(frame(0), dice()); f.Corrupt {
		t.Errorf("fate %+v", f)
	}
}
