// Package rtc is a meter's real-time clock: it drifts, and it is set now and
// then from the hub's Time cluster. Drivers speak in emulated time; what the
// meter believes the time to be is this clock's reading.
package rtc

import "time"

// Clock converts between emulated time and the meter's own. The zero value is a
// perfect clock.
type Clock struct {
	// DriftPPM is how many microseconds the clock gains per second; negative loses.
	DriftPPM int64

	base   time.Time     // emulated instant at which the clock was last set
	offset time.Duration // clock reading minus emulated time at base
}

// Start makes the clock right at now.
func (c *Clock) Start(now time.Time) { c.base, c.offset = now, 0 }

// Read returns the meter's time at the emulated instant now.
func (c *Clock) Read(now time.Time) time.Time {
	if c.DriftPPM == 0 {
		return now.Add(c.offset) // twice a heartbeat; nearly all clocks here are perfect
	}
	return now.Add(c.offset + c.gain(now.Sub(c.base)))
}

// gain is what the drift adds over an elapsed time, in whole microseconds.
func (c *Clock) gain(elapsed time.Duration) time.Duration {
	return time.Duration(elapsed.Microseconds()*c.DriftPPM/1_000_000) * time.Microsecond
}

// When returns the emulated instant at which the clock will read t.
func (c *Clock) When(t time.Time) time.Time {
	reading := t.Sub(c.base.Add(c.offset)).Microseconds() // clock time since base
	if c.DriftPPM == 0 {
		return c.base.Add(time.Duration(reading) * time.Microsecond)
	}
	perSecond := 1_000_000 + c.DriftPPM
	// In two steps: the product alone does not fit for a time months ahead.
	whole, rest := reading/perSecond, reading%perSecond
	return c.base.Add(time.Duration(whole*1_000_000+rest*1_000_000/perSecond) * time.Microsecond)
}

// Set makes the clock read t at now and returns by how much it moved.
func (c *Clock) Set(now, t time.Time) time.Duration {
	moved := t.Sub(c.Read(now))
	c.base, c.offset = now, t.Sub(now)
	return moved
}
