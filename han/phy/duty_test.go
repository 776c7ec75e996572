package phy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

var dutyStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func TestDutyStates(t *testing.T) {
	d := NewDuty(Band868().Duty)
	steps := []struct {
		after time.Duration
		on    time.Duration
		want  DutyState
	}{
		{0, 74 * time.Second, DutyNormal},
		{10 * time.Minute, time.Second, DutyCritical},
		{20 * time.Minute, 25 * time.Second, DutyRegulated},
		{60*time.Minute + 59*time.Second, 0, DutyRegulated}, // the first minute still counts
		{61 * time.Minute, 0, DutyNormal},                   // 26 s are left
		{3 * time.Hour, 0, DutyNormal},
	}
	for _, s := range steps {
		now := dutyStart.Add(s.after)
		d.Add(now, s.on)
		if got := d.State(now); got != s.want {
			t.Errorf("after %v: %s with %v spent, want %s", s.after, got, d.Spent(now), s.want)
		}
	}
	if free := NewDuty(DutyLimits{}); !free.Allows(dutyStart, 10*time.Hour) || free.State(dutyStart) != DutyNormal {
		t.Error("a transmitter without limits is limited")
	}
}

// TestDutyIsNeverUnderestimated compares with adding up every transmission of the
// last hour; what is counted longer is at most a minute's worth.
func TestDutyIsNeverUnderestimated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type sent struct {
			at time.Time
			on time.Duration
		}
		var all []sent
		d := NewDuty(Band868().Duty)
		now := dutyStart
		for range rapid.IntRange(1, 200).Draw(t, "sendings") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "pause")))
			s := sent{now, time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "on"))}
			all = append(all, s)
			d.Add(s.at, s.on)
			var hour, longer time.Duration
			for _, s := range all {
				if now.Sub(s.at) < time.Hour {
					hour += s.on
				}
				if now.Sub(s.at) < time.Hour+dutyStep {
					longer += s.on
				}
			}
			if got := d.Spent(now); got < hour || got > longer {
				t.Fatalf("spent %v, want %v to %v", got, hour, longer)
			}
			keep := time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "keep"))
			at := d.NormalAt(now, keep)
			later := d
			if got := later.Spent(at); got > keep {
				t.Fatalf("at %v, %v after now, %v are spent, want at most %v", at, at.Sub(now), got, keep)
			}
			if before := at.Add(-dutyStep); before.After(now) {
				if earlier := d; earlier.Spent(before) <= keep {
					t.Fatalf("a minute before %v it is only %v already, want more than %v", at, earlier.Spent(before), keep)
				}
			}
		}
	})
}
