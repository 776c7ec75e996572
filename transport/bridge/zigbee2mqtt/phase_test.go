package zigbee2mqtt

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

func TestAnImpossibleTransitionPanicsAndNamesBothPhases(t *testing.T) {
	for _, tt := range []struct {
		from phase
		to   func(*device, time.Time)
		want string
	}{
		{phaseDone, (*device).becomeUpdating, "00DB12345678B001: a device that is done cannot become updating"},
		{phaseWaiting, (*device).becomeScheduled, "waiting cannot become scheduled"},
		{phaseUnscheduling, (*device).becomeAborting, "unscheduling cannot become aborting"},
		{phaseUpdating, (*device).forget, "updating cannot become waiting"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, tt.want) {
					t.Errorf("panicked with %q, want %q", got, tt.want)
				}
			}()
			d := &device{config: DeviceConfig{Mapping: bridge.Mapping{EUI64: sensor}}}
			d.Phase = tt.from
			tt.to(d, start)
		})
	}
}

// Whatever a supplier and Zigbee2MQTT do in whatever order, no device is asked to
// become what it cannot.
func TestNothingFromOutsideLeadsToAnImpossibleTransition(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, nil)
			phases := map[phase]bool{}
			for range 300 {
				w.anything(dice)
				for _, d := range w.a.devices {
					phases[d.Phase] = true
				}
			}
			if len(phases) < 3 {
				t.Errorf("only the phases %v were met", phases)
			}
		})
	}
}

// anything lets one thing happen that can.
func (w *world) anything(dice *rand.Rand) {
	n := dice.IntN(2)
	d, name := w.a.devices[n], []string{"hall/sensor", "plug"}[n]
	switch dice.IntN(8) {
	case 0:
		w.wish(d.config.EUI64, dice.Uint32N(4))
	case 1, 2, 3:
		state := []updateState{stateIdle, stateAvailable, stateScheduled, stateUpdating}[dice.IntN(4)]
		w.hear(name, fmt.Sprintf(`{"battery":80,"update":{"state":%q,"installed_version":%d,"progress":%d}}`,
			state, 1+dice.IntN(3), dice.IntN(101)))
	case 4, 5:
		status := []string{"ok", "error"}[dice.IntN(2)]
		w.hear("bridge/response/device/ota_update/x", fmt.Sprintf(`{"transaction":%q,"status":%q,"error":"e","data":{"to":{"file_version":%d}}}`,
			d.Transaction, status, 1+dice.IntN(3)))
	case 6:
		w.pass(time.Duration(dice.IntN(120)) * time.Minute)
	case 7:
		again := newWorld(w.t, nil)
		if w.kept != nil {
			if err := again.a.Restore(w.kept); err != nil {
				w.t.Fatal(err)
			}
		}
		again.now, again.home, again.kept = w.now, w.home, w.kept
		again.a.homely = false
		*w = *again
		w.show()
	}
}
