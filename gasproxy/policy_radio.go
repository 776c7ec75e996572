package gasproxy

import (
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/han/ota"
)

// Radio admits blocks while the meter's radio-on time in the window, by the radio
// model and everything else in the window included, stays within a limit. What the
// hub cannot hear, it tells by the time that a meter's patience takes. The last block
// leaves room for telling that the image is there.
type Radio time.Duration

// DefaultPolicy is 10 s of radio-on time per window.
const DefaultPolicy = Radio(10 * time.Second)

var _ = register("radio", "radio=10s", func(value string) (Policy, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return nil, errors.New("want a radio-on time per window above 0")
	}
	return Radio(d), nil
})

// Admit implements [Policy].
func (p Radio) Admit(w *HeartbeatWindow, _ bool, c *Cost) bool {
	return w.RadioOn+c.Block+max(c.Wait, c.After)+c.Last <= time.Duration(p)
}

// PerWindow implements [Policy].
func (p Radio) PerWindow(l *Load) Allowance {
	radio := &l.Set.Radio
	failed := radio.Send(ota.BlockRequestSize).Add(radio.Miss(l.Patience)).RadioOn()
	return Allowance{
		Blocks: int64((time.Duration(p) - l.Before - l.Cost.Wait) / l.Cost.Block),
		Failed: float64(failed) / float64(l.Cost.Block),
	}
}

// String implements [Policy].
func (p Radio) String() string { return fmt.Sprintf("radio=%v", time.Duration(p)) }
