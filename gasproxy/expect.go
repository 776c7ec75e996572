package gasproxy

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
)

// Transfer is what the hub knows of a meter's download.
type Transfer struct {
	Total, Served uint32 // bytes of the image; of it, served
	Size, Most    int    // bytes per block; most that may be planned
	Started       time.Time
}

// What the hub takes for granted of a meter.
const (
	assumedTries    = 6
	assumedPatience = 3 * time.Second
	// assumedMost is the largest block that a widespread client asks for; what a
	// meter did ask for counts more.
	assumedMost = 63
)

// Load returns what a prediction of the rest of a meter's download starts from.
func (p *Proxy) Load(now time.Time, device han.EUI64, t Transfer) (Load, bool) {
	c, ok := p.meters[device]
	if !ok || t.Size < 1 || t.Served > t.Total {
		return Load{}, false
	}
	most := assumedMost
	if c.asked > 0 {
		most = c.asked
	}
	t.Size, t.Most = min(t.Size, most), min(t.Most, most)
	w, set := &c.window, &p.cfg.Battery
	l := Load{
		Set: set, Left: int64(t.Total - t.Served), Size: t.Size, Total: int64(t.Total),
		Before: c.before, BeforeCharge: c.beforeCharge, Remaining: c.remaining(set), Period: c.period,
		Next: nextWindow(now, w.OpenedAt, c.period), Heard: !w.OpenedAt.IsZero(), Now: now, Loss: float64(c.frameLoss(set)) / million,
		Tries: assumedTries, Patience: assumedPatience, Awake: awake(c.period),
	}
	if !w.Planned {
		l.Before, l.BeforeCharge = w.Before, w.BeforeCharge
	}
	l.Before += c.last(set).RadioOn()
	l.BeforeCharge += set.RadioCharge(c.last(set))
	if planner, ok := p.cfg.Policy.(Planner); ok {
		a := ota.Ask{Left: t.Total - t.Served, Total: t.Total, Most: t.Most, Started: t.Started}
		l.Size = planner.Plan(p.download(now, c, &a)).Size
	}
	var cost blockCost
	cost.reckon(set, l.Size, false)
	l.Cost = cost.Cost
	l.Cycle = set.Radio.Delay(ota.BlockRequestSize) + set.Radio.Delay(ota.BlockOverhead+l.Size) + 2*set.Radio.Host + set.Radio.Latency
	if now.Sub(w.ServedAt) <= assumedPatience && !w.Ended {
		l.Open = l.stillOpen(p.cfg.Policy, w.Blocks)
	}
	return l, true
}

// DefaultAwake is how long a window of a meter is taken to last at most, and never
// more than half of its period.
const DefaultAwake = 5 * time.Minute

// awake returns how long a window may last.
func awake(period time.Duration) time.Duration { return min(DefaultAwake, period/2) }

// nextWindow returns when the next window opens, counting whole periods from the
// last that was seen. Without one it may open at once.
func nextWindow(now, last time.Time, period time.Duration) time.Time {
	if last.IsZero() {
		return now
	}
	missed := max(0, now.Sub(last)/period)
	return last.Add((missed + 1) * period)
}
