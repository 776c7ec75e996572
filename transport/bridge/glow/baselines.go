package glow

import "time"

// baselines are the registers at the beginning of the present day, week and month.
type baselines struct {
	At    time.Time `json:"at"` // of the last reading
	Day   float64   `json:"day"`
	Week  float64   `json:"week"`
	Month float64   `json:"month"`
}

// count takes a reading and reports whether a day, week or month began with it.
// Weeks begin on Monday. A register that went back is another meter's.
func (b *baselines) count(at time.Time, register float64) bool {
	before := *b
	if before.At.IsZero() || register < before.Day || at.Before(before.At) {
		*b = baselines{At: at, Day: register, Week: register, Month: register}
		return true
	}
	b.At = at
	if day(at) == day(before.At) {
		return false
	}
	b.Day = register
	if monday(at) != monday(before.At) {
		b.Week = register
	}
	if at.Year() != before.At.Year() || at.Month() != before.At.Month() {
		b.Month = register
	}
	return true
}

// day returns the number of a day.
func day(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// monday returns the number of the Monday of a day's week; day 4 was one.
func monday(t time.Time) int64 { return (day(t)+3)/7*7 - 3 }
