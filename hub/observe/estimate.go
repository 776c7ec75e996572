package observe

import "time"

// Estimate is when a transfer will have all its bytes.
type Estimate struct {
	At          time.Time
	WindowsLeft uint32 // heartbeats that the rest takes, of a sleeping device
}

// recentWindows is over how many windows the pace is averaged.
const recentWindows = 8

// leastPace is the shortest time over which the pace of a device that always
// listens is taken.
const leastPace = time.Second

// Estimate reckons when a transfer of size bytes will be complete if it goes on at
// its present pace. There is no answer before there is a pace.
func (t *Timeline) Estimate(d *Device, size uint32, now time.Time) (Estimate, bool) {
	offset, known := t.Offset()
	if !known || len(t.Windows) == 0 || offset >= size {
		return Estimate{}, false
	}
	if d.Sleeps {
		return t.estimateByWindow(d, size-offset, now)
	}
	return t.estimateByTime(size-offset, now)
}

// estimateByWindow takes the mean of the last whole windows.
func (t *Timeline) estimateByWindow(d *Device, left uint32, now time.Time) (Estimate, bool) {
	var bytes, windows uint64
	for i := len(t.Windows) - 1; i >= 0 && windows < recentWindows; i-- {
		w := &t.Windows[i]
		if w.Bytes == 0 || i == len(t.Windows)-1 && t.Open {
			continue // not over yet, or nothing was asked for
		}
		bytes += uint64(w.Bytes)
		windows++
	}
	next, ok := d.NextHeartbeat()
	if windows == 0 || !ok {
		return Estimate{}, false
	}
	if t.Open { // part of the rest comes in the window in hand
		share := uint32(bytes / windows)
		have := t.Windows[len(t.Windows)-1].Bytes
		if rest := share - min(share, have); rest >= left {
			return Estimate{At: now, WindowsLeft: 0}, true
		} else {
			left -= rest
		}
	}
	n := uint32((uint64(left)*windows + bytes - 1) / bytes)
	return Estimate{At: next.Add(time.Duration(n-1) * d.Period), WindowsLeft: n}, true
}

// estimateByTime takes the pace since the first window listed.
func (t *Timeline) estimateByTime(left uint32, now time.Time) (Estimate, bool) {
	w := &t.Windows[len(t.Windows)-1]
	took := w.EndedAt.Sub(w.OpenedAt)
	if w.Bytes == 0 || took < leastPace {
		return Estimate{}, false
	}
	return Estimate{At: now.Add(time.Duration(float64(took) * float64(left) / float64(w.Bytes)))}, true
}
