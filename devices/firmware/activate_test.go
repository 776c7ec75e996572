package firmware

import (
	"fmt"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/cuttest"
	"github.com/commshub/commshub/internal/trace"
)

// alerts returns the codes of the alerts among messages, with their outcomes.
func alerts(t *testing.T, all []gbcs.Message) []string {
	t.Helper()
	var codes []string
	for _, m := range all {
		switch {
		case m.CRA != gbcs.Alert:
		case m.Code == gbcs.CodeActivateFirmwareAlert:
			a := must(gbcs.ParseActivateFirmwareAlert(m.Payload))
			codes = append(codes, fmt.Sprintf("%04X %s of command %d", uint16(a.Code), a.Outcome.Code, a.OriginatorCounter))
		default:
			codes = append(codes, fmt.Sprintf("%04X", uint16(must(gbcs.ParseGenericAlert(m.Payload)).Code)))
		}
	}
	return codes
}

func TestADatedActivationComesAtItsTime(t *testing.T) {
	for _, in := range []time.Duration{time.Hour, 107 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		t.Run(in.String(), func(t *testing.T) {
			r := newRig(t)
			r.command(activate(1, held, gbcs.ExecuteAt, start.Add(in)))
			if got := r.outcome(t, 1); !got.Accepted {
				t.Fatalf("answered %+v, want NULL", got)
			}
			r.now = start.Add(in / 2)
			r.restart()
			r.HandleTimer(r.now, &r.out)
			if r.WantsReboot() {
				t.Fatal("it came early")
			}
			r.overdue(t)
			if !r.WantsReboot() || !r.now.Equal(start.Add(in)) {
				t.Fatalf("it came at %v", r.now)
			}
			r.restart()
			if got, want := fmt.Sprint(alerts(t, r.delivered(t))), "[8F66 success of command 1 8F43]"; got != want {
				t.Errorf("told %s, want %s", got, want)
			}
			if _, ok := r.NextTimer(); ok {
				t.Error("it is still waited for")
			}
		})
	}
}

func TestADatedActivationIsReplacedByTheNext(t *testing.T) {
	wrong := held
	wrong[0]++
	tests := []struct {
		name  string
		after gbcs.Message
		due   time.Duration // 0 = never
		tells string
	}{
		{"a later one", activate(2, held, gbcs.ExecuteAt, start.Add(2*time.Hour)), 2 * time.Hour, "[8F66 success of command 2 8F43]"},
		{"an earlier one", activate(2, held, gbcs.ExecuteAt, start.Add(time.Minute)), time.Minute, "[8F66 success of command 2 8F43]"},
		{"one for another image", activate(2, wrong, gbcs.ExecuteAt, start.Add(2*time.Hour)), 2 * time.Hour, "[8F67 hash mismatch of command 2]"},
		{"a cancellation", activate(2, held, gbcs.ExecuteCancel, start), 0, "[]"},
		{"a cancellation that names another image", activate(2, wrong, gbcs.ExecuteCancel, start), 0, "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.command(activate(1, held, gbcs.ExecuteAt, start.Add(time.Hour)))
			r.command(tt.after)
			if all := r.delivered(t); len(all) != 2 {
				t.Fatalf("%d answers, want 2", len(all))
			}
			r.restart()
			next, ok := r.NextTimer()
			if ok != (tt.due > 0) {
				t.Fatalf("waits %v until %v", ok, next)
			}
			if ok {
				r.overdue(t)
				if got := r.now.Sub(start); got != tt.due {
					t.Errorf("carried out after %v, want %v", got, tt.due)
				}
				if r.WantsReboot() {
					r.restart()
				}
			}
			if got := fmt.Sprint(alerts(t, r.delivered(t))); got != tt.tells {
				t.Errorf("told %s, want %s", got, tt.tells)
			}
		})
	}
}

func TestAnActivationDatedInThePastComesAtOnce(t *testing.T) {
	for _, at := range []time.Time{start, start.Add(-time.Second), time.Unix(0, 0)} {
		r := newRig(t)
		r.command(activate(1, held, gbcs.ExecuteAt, at))
		if r.WantsReboot() {
			t.Errorf("dated %v: a frame fired a deadline", at)
		}
		r.overdue(t)
		if !r.WantsReboot() || !r.now.Equal(start) {
			t.Errorf("dated %v: carried out %v, at %v", at, r.WantsReboot(), r.now)
		}
	}
}

// TestADatedActivationFollowsTheMetersClock: it is dated by the meter's own clock,
// so setting that moves the instant at which it is due.
func TestADatedActivationFollowsTheMetersClock(t *testing.T) {
	for _, moved := range []time.Duration{-24 * time.Hour, -time.Second, time.Second, 90 * time.Minute} {
		t.Run(moved.String(), func(t *testing.T) {
			r := newRig(t)
			r.command(activate(1, held, gbcs.ExecuteAt, start.Add(2*time.Hour)))
			r.clock.Set(start, start.Add(moved))
			r.ClockSet()
			r.overdue(t)
			if got, want := r.now, start.Add(2*time.Hour-moved); !r.WantsReboot() || !got.Equal(want) {
				t.Errorf("carried out at %v, want %v", got, want)
			}
		})
	}
	r := newRig(t)
	r.ClockSet()
	if _, ok := r.NextTimer(); ok {
		t.Error("without a dated activation it waits for one")
	}
}

func TestActivationsThatCannotBeCarriedOut(t *testing.T) {
	wrong := held
	wrong[31] ^= 1
	empty := newRig(t)
	empty.parts.Boot.Candidate().Discard()
	tests := []struct {
		name string
		rig  *rig
		give gbcs.Message
		want gbcs.ActivationCode
	}{
		{"another hash", newRig(t), activate(1, wrong, gbcs.ExecuteNow, start), gbcs.ActivationHashMismatch},
		{"no image", empty, activate(1, held, gbcs.ExecuteNow, start), gbcs.ActivationNoImageHeld},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.rig.command(tt.give)
			if got := tt.rig.outcome(t, 1); tt.rig.WantsReboot() || got.Outcome != (gbcs.ActivationOutcome{Code: tt.want, FirmwareVersion: 1}) {
				t.Errorf("answered %+v, restart %v", got, tt.rig.WantsReboot())
			}
		})
	}
}

// TestAnActivationCutAnywhere between the command and the restart: the outcome is told all
// the same, once.
func TestAnActivationCutAnywhere(t *testing.T) {
	order := activate(1, held, gbcs.ExecuteNow, start)
	cuttest.Sweep(t, cuttest.Row{Name: "activation", Parts: rigParts, Begin: func(t *testing.T, g flash.Geometry) cuttest.Try {
		r := newRigOn(t, g)
		return cuttest.Try{Chip: r.chip, Story: func() {
			r.command(order)
			r.restart()
		}, After: func(at cuttest.Point) {
			r.restart()
			r.command(order) // the hub saw no confirmation
			for r.WantsReboot() {
				r.restart()
			}
			var outcomes []gbcs.ActivationOutcome
			for _, m := range r.delivered(t) {
				if m.CRA == gbcs.Response {
					outcomes = append(outcomes, must(gbcs.ParseActivateFirmwareResponse(m.Payload)).Outcome)
				}
			}
			if len(outcomes) != 1 || outcomes[0] != (gbcs.ActivationOutcome{Code: gbcs.ActivationSuccess, FirmwareVersion: 2}) {
				t.Errorf("%s: outcomes %+v", at, outcomes)
			}
		}}
	}})
}

func TestARolledBackActivationIsToldOnce(t *testing.T) {
	r := newRig(t)
	r.command(activate(1, held, gbcs.ExecuteNow, start))
	for range 3 { // the new image never lives long enough to confirm itself
		r.openBoot().Boot()
	}
	r.restart()
	if got := r.outcome(t, 1); got.Outcome != (gbcs.ActivationOutcome{Code: gbcs.ActivationFailure, FirmwareVersion: 1}) {
		t.Errorf("outcome %+v", got)
	}
	r.restart()
	if all := r.delivered(t); len(all) != 0 || r.count(trace.ActivationDone) != 1 {
		t.Errorf("told again: %v", all)
	}
}
