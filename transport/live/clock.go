package live

import (
	"math"
	"sync/atomic"
	"time"
)

// Anchor ties emulated time to the wall clock: at the instant Wall it was
// Emulated, and since then it runs Speed times as fast.
type Anchor struct {
	Wall     time.Time
	Emulated time.Time
	Speed    float64
}

// Clock is the emulated clock of a process. It may be set while nodes run.
type Clock struct{ anchor atomic.Pointer[Anchor] }

// NewClock returns a clock that starts from an anchor.
func NewClock(a Anchor) *Clock {
	var c Clock
	c.Set(a)
	return &c
}

// Set moves the clock to another anchor.
func (c *Clock) Set(a Anchor) { c.anchor.Store(&a) }

// Anchor returns the anchor in force.
func (c *Clock) Anchor() Anchor { return *c.anchor.Load() }

// Now returns the emulated time, in UTC.
func (c *Clock) Now() time.Time { return c.At(time.Now()) }

// At returns the emulated time at an instant of the wall clock.
func (c *Clock) At(wall time.Time) time.Time {
	a := c.anchor.Load()
	return a.Emulated.Add(duration(float64(wall.Sub(a.Wall)) * a.Speed)).UTC()
}

// Until returns how long it takes on the wall clock from now until an emulated
// instant; negative if it is over.
func (c *Clock) Until(now time.Time, emulated time.Time) time.Duration {
	a := c.anchor.Load()
	return a.Wall.Add(duration(float64(emulated.Sub(a.Emulated)) / a.Speed)).Sub(now)
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
