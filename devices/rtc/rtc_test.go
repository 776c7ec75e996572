package rtc

import (
	"testing"
	"time"
)

func TestDriftAndSetting(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := Clock{DriftPPM: 20}
	c.Start(start)
	later := start.Add(24 * time.Hour)
	if got, want := c.Read(later).Sub(later), 1728*time.Millisecond; got != want {
		t.Errorf("gained %v in a day at 20 ppm, want %v", got, want)
	}
	if moved := c.Set(later, later); moved != -1728*time.Millisecond {
		t.Errorf("setting moved the clock by %v", moved)
	}
	if got := c.Read(later); !got.Equal(later) {
		t.Errorf("reads %v after it was set to %v", got, later)
	}
}

func TestWhenIsTheInverseOfRead(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, ppm := range []int64{-100, 0, 20, 500} {
		c := Clock{DriftPPM: ppm}
		c.Start(start)
		c.Set(start.Add(time.Hour), start.Add(time.Hour+3*time.Second))
		for _, after := range []time.Duration{-time.Hour, 77 * time.Hour, 107 * 24 * time.Hour, 110 * 365 * 24 * time.Hour} {
			want := start.Add(after)
			if got := c.Read(c.When(want)); got.Sub(want).Abs() > time.Millisecond {
				t.Errorf("%d ppm: at When(%v) the clock reads %v", ppm, want, got)
			}
		}
	}
}
