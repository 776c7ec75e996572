package tasmota

import (
	"fmt"
	"testing"
	"time"
)

func TestAnImpossibleTransitionPanicsAndNamesBothStates(t *testing.T) {
	for _, tt := range []struct {
		from state
		to   func(*job)
		want string
	}{
		{stateDone, func(j *job) { j.becomeWaiting(time.Time{}) }, "tasmota: a job that is done cannot become waiting"},
		{stateReadingURL, func(j *job) { j.becomeUpgrading(time.Time{}) }, "tasmota: a job that is reading the URL cannot become upgrading"},
		{stateClearing, func(j *job) { j.becomeSending(time.Time{}) }, "tasmota: a job that is clearing cannot become sending"},
		{stateWaiting, (*job).becomeDone, "tasmota: a job that is waiting cannot become done"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); got != tt.want {
					t.Errorf("panicked with %q, want %q", got, tt.want)
				}
			}()
			tt.to(&job{state: tt.from})
		})
	}
}
