package gasproxy

import (
	"errors"
	"fmt"
	"time"
)

// Deadline has a download finish within a time from the start of its distribution
// at the least charge.
//
// What a window costs in itself, waking and reporting, is paid at every heartbeat,
// download or not. What a policy can save is being told to wait, once for each
// window that it ends; blocks that do not fill their radio frame; and repetitions
// on a bad channel. So it serves all that it can in the window that is open, in
// the blocks that cost the least by the loss measured so far, and ends a window
// only if the channel is clearly worse than it was in a better one and the time
// left allows to wait for one like that.
type Deadline time.Duration

var _ = register("deadline", "deadline=48h", func(value string) (Policy, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Minute {
		return nil, errors.New("want a time from the start of the distribution, 1m or more")
	}
	return Deadline(d), nil
})

// Margins of a plan.
const (
	// badLoss is the loss, parts per million, at which what is left must still be in
	// time for a window to be let go by.
	badLoss = 200_000
	// spareWindows must be left besides those needed.
	spareWindows = 2
)

// Plan implements [Planner].
func (p Deadline) Plan(d *Download) Plan {
	left := int64(d.Started.Add(time.Duration(p)).Sub(d.Now) / d.Period)
	size := leastCharge(d.Set, d.Most, d.Loss, func(size int) bool {
		// Means are reckoned with; twice as many windows are left for bad luck.
		return 2*periodsNeeded(d.Set, d.Left, size, d.Loss, d.Period) <= left
	})
	need := periodsNeeded(d.Set, d.Left, size, max(d.Loss, badLoss), d.Period)
	return Plan{Size: size, Hold: d.Best >= 0 && left > need+spareWindows, Loss: d.Best}
}

// Admit implements [Policy].
func (p Deadline) Admit(w *HeartbeatWindow, again bool, _ *Cost) bool {
	return !again || !w.Plan.Hold || !w.worseThan(w.Plan.Loss)
}

// PerWindow implements [Policy].
func (p Deadline) PerWindow(*Load) Allowance { return Allowance{Blocks: unlimited} }

// String implements [Policy].
func (p Deadline) String() string { return fmt.Sprintf("deadline=%v", time.Duration(p)) }

// worseThan reports whether a window's channel is clearly worse than one that
// loses so many answers, parts per million: by half as much again, and by more
// than four standard deviations of so many dice.
func (w *HeartbeatWindow) worseThan(loss int) bool {
	asked, lost := int64(w.Blocks+w.Repeats), int64(w.Repeats)
	if asked < tellingWindow {
		return false
	}
	usual := asked * int64(loss) / million
	over := lost - usual - usual/2
	return over > 0 && over*over > 16*max(1, usual)
}
