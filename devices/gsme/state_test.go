package gsme

import (
	"fmt"
	"testing"
)

// TestAnImpossibleTransitionPanics, naming both states: of the 100 pairs those
// panic that the window's order rules out.
func TestAnImpossibleTransitionPanics(t *testing.T) {
	for _, tt := range []struct{ from, to state }{
		{stateOff, stateReporting}, {stateOff, stateOff}, {stateAsleep, stateGetting}, {stateAsleep, stateUpdating},
		{stateAsleep, stateAsleep}, {stateReporting, stateReporting}, {stateReporting, stateConfiguringMirror},
		{stateReadingTime, stateReporting}, {statePutting, stateGetting}, {stateUpdating, stateGetting}, {stateUpdating, stateUpdating},
	} {
		func() {
			defer func() {
				if v := recover(); v != fmt.Sprintf("gsme: no way from %s to %s", tt.from, tt.to) {
					t.Errorf("from %s to %s: panic %v", tt.from, tt.to, v)
				}
			}()
			(&Meter{state: tt.from}).enter(tt.to)
		}()
	}
}
