package live

import (
	"math"
	"time"
)

// Anchor ties emulated time to the wall clock: at the instant Wall it was
// Emulated, and since then it runs Speed times as fast, or stands if Paused.
type Anchor struct {
	Wall     time.Time
	Emulated time.Time
	Speed    float64
	Paused   bool
	// RunsOn tells that whoever follows this clock runs on by itself when its keeper
	// does not answer; if not, it stands until the keeper is there again.
	RunsOn bool
}

// at returns the emulated time at an instant of the wall clock, in UTC.
func (a *Anchor) at(wall time.Time) time.Time {
	if a.Paused {
		return a.Emulated
	}
	return a.Emulated.Add(duration(float64(wall.Sub(a.Wall)) * a.Speed)).UTC()
}

// until returns how long it takes on the wall clock from now until an emulated
// instant; negative if it is over.
func (a *Anchor) until(now time.Time, emulated time.Time) time.Duration {
	ahead := emulated.Sub(a.Emulated)
	if a.Paused {
		if ahead > 0 {
			return math.MaxInt64
		}
		return 0
	}
	return a.Wall.Add(duration(float64(ahead) / a.Speed)).Sub(now)
}

// moved returns the anchor of the same clock that goes through another instant.
func (a *Anchor) moved(wall, emulated time.Time) Anchor {
	b := *a
	b.Wall, b.Emulated = wall, emulated.UTC()
	return b
}

// duration returns a number of nanoseconds as a duration; one that is longer than
// 292 years becomes the longest there is. A clock 3600 times as fast is there in a
// month.
func duration(ns float64) time.Duration {
	switch {
	case ns >= math.MaxInt64:
		return math.MaxInt64
	case ns <= math.MinInt64:
		return math.MinInt64
	default:
		return time.Duration(ns)
	}
}
