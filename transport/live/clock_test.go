package live_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/transport/live"
)

var (
	wall     = time.Date(2026, 11, 21, 9, 0, 0, 0, time.FixedZone("", 3600))
	emulated = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestTheClockRunsAsFastAsItsAnchorSays(t *testing.T) {
	tests := []struct {
		name  string
		speed float64
		wall  time.Duration // since the anchor
		want  time.Duration
	}{
		{"at the anchor", 600, 0, 0},
		{"in real time", 1, time.Hour, time.Hour},
		{"one second for ten minutes", 600, time.Second, 10 * time.Minute},
		{"slower than real time", 0.5, time.Minute, 30 * time.Second},
		{"before the anchor", 3600, -time.Second, -time.Hour},
		{"as far as a duration goes", 3600, 40 * 24 * time.Hour, math.MaxInt64},
		{"as far back as a duration goes", 3600, -40 * 24 * time.Hour, math.MinInt64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := live.NewClock(live.Anchor{Wall: wall, Emulated: emulated, Speed: tt.speed})
			at := c.At(wall.Add(tt.wall))
			if got := at.Sub(emulated); got != tt.want {
				t.Errorf("%v after the anchor it is %v later, want %v", tt.wall, got, tt.want)
			}
			if at.Location() != time.UTC {
				t.Errorf("time in %v, want UTC", at.Location())
			}
		})
	}
}

func TestUntilIsTheWayBackOfAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		speed := rapid.Float64Range(0.1, 100_000).Draw(t, "speed")
		passed := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "passed"))
		ahead := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(24*time.Hour)).Draw(t, "ahead"))
		c := live.NewClock(live.Anchor{Wall: wall, Emulated: emulated, Speed: speed})
		now := wall.Add(passed)
		// One nanosecond of the slower clock is the most that can be lost.
		tolerance := time.Duration(2/min(speed, 1)) + 2
		if got := c.Until(now, c.At(now.Add(ahead))); (got - ahead).Abs() > tolerance {
			t.Fatalf("at speed %v an instant %v ahead is %v away", speed, ahead, got)
		}
	})
}

func TestAnInstantTooFarAwayIsNotInThePast(t *testing.T) {
	c := live.NewClock(live.Anchor{Wall: wall, Emulated: emulated, Speed: 0.001})
	if got := c.Until(wall, emulated.AddDate(10, 0, 0)); got < 100*365*24*time.Hour {
		t.Errorf("10 years at a thousandth of the speed are %v away", got)
	}
}

func TestAClockThatIsSetGoesOnFromItsNewAnchor(t *testing.T) {
	c := live.NewClock(live.Anchor{Wall: wall, Emulated: emulated, Speed: 1})
	later := live.Anchor{Wall: wall.Add(time.Minute), Emulated: emulated.Add(time.Minute), Speed: 60}
	c.Set(later)
	if got, want := c.At(wall.Add(2*time.Minute)), emulated.Add(61*time.Minute); !got.Equal(want) {
		t.Errorf("the clock shows %v, want %v", got, want)
	}
	if c.Anchor() != later {
		t.Errorf("anchor %+v, want %+v", c.Anchor(), later)
	}
}
