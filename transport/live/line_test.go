package live

import (
	"math"
	"testing"
	"time"
)

var (
	wall     = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	emulated = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
)

func TestAnAnchorRelatesBothClocks(t *testing.T) {
	tests := []struct {
		name     string
		anchor   Anchor
		wall     time.Time
		emulated time.Time
	}{
		{"at the anchor", Anchor{wall, emulated, 600, false, false}, wall, emulated},
		{"a second later at 600", Anchor{wall, emulated, 600, false, false}, wall.Add(time.Second), emulated.Add(10 * time.Minute)},
		{"a second before at 2", Anchor{wall, emulated, 2, false, false}, wall.Add(-time.Second), emulated.Add(-2 * time.Second)},
		{"slower than the wall", Anchor{wall, emulated, 0.5, false, false}, wall.Add(time.Minute), emulated.Add(30 * time.Second)},
	}
	for _, tt := range tests {
		if got := tt.anchor.at(tt.wall); !got.Equal(tt.emulated) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.emulated)
		}
		if got := tt.anchor.until(wall, tt.emulated); got != tt.wall.Sub(wall) {
			t.Errorf("%s: %v to wait, want %v", tt.name, got, tt.wall.Sub(wall))
		}
	}
}

func TestAPausedAnchorStands(t *testing.T) {
	a := Anchor{wall, emulated, 600, true, false}
	if got := a.at(wall.Add(time.Hour)); !got.Equal(emulated) {
		t.Errorf("an hour later it is %v", got)
	}
	if a.until(wall, emulated.Add(1)) != math.MaxInt64 || a.until(wall, emulated) != 0 {
		t.Error("it lets go to another instant than its own")
	}
}

// A year at a million times the speed is more than a duration holds.
func TestAFastClockRunsIntoNoOverflow(t *testing.T) {
	a := Anchor{wall, emulated, 1e6, false, false}
	if got := a.at(wall.AddDate(1, 0, 0)); got.Before(emulated) {
		t.Errorf("a year later it is %v", got)
	}
	if got := a.at(wall.AddDate(-1, 0, 0)); got.After(emulated) {
		t.Errorf("a year before it was %v", got)
	}
}
