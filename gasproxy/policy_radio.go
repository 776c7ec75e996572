package gasproxy

import (
	"errors"
	"fmt"
	"time"
)

// Radio admits blocks while the meter's radio-on time in the window, by the radio
// model and everything else in the window included, stays within a limit.
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
func (p Radio) Admit(w *Window, _ bool, c *Cost) bool {
	return w.RadioOn+c.Block+c.Wait <= time.Duration(p)
}

// PerWindow implements [Policy].
func (p Radio) PerWindow(l *Load) Allowance {
	return Allowance{Blocks: int64((time.Duration(p) - l.Before - l.Cost.Wait) / l.Cost.Block), Repeats: 1}
}

// String implements [Policy].
func (p Radio) String() string { return fmt.Sprintf("radio=%v", time.Duration(p)) }
