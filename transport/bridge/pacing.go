package bridge

import "time"

// Pacing is how much an outside device may take at a time. Outside devices live
// in real time, whatever the emulated clock shows.
type Pacing struct {
	// Every is the least time between the beginnings of two windows; 0: no windows.
	Every time.Duration `yaml:"every"`
	// Blocks is how many blocks a device may take per window; 0: any number.
	Blocks int `yaml:"blocks"`
}

// Taken is what a device took in its window.
type Taken struct {
	OpenedAt time.Time `json:"opened_at"`
	Blocks   int       `json:"blocks"`
}

// Admit decides whether a device may take one more block. If not, until is when
// its next window may open. opened tells that this block is the first of a window.
func (t *Taken) Admit(now time.Time, p Pacing) (ok bool, until time.Time, opened bool) {
	if next := t.OpenedAt.Add(p.Every); t.OpenedAt.IsZero() || p.Every > 0 && !now.Before(next) {
		*t = Taken{OpenedAt: now}
		opened = true
	}
	if p.Every > 0 && p.Blocks > 0 && t.Blocks >= p.Blocks {
		return false, t.OpenedAt.Add(p.Every), false
	}
	t.Blocks++
	return true, time.Time{}, opened
}
