package gasproxy

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/phy"
)

// Life never spends more in a window than the meter's cell has for each of its
// windows if it shall last so many years from now on, by the charge that the meter
// reports. A cell that will not last that long in any case gets no blocks.
type Life int

var _ = register("life", "life=10", func(value string) (Policy, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 50 {
		return nil, errors.New("want a number of years from 1 to 50")
	}
	return Life(n), nil
})

const year = 8766 * time.Hour

// What a window costs besides frames and blocks, set apart in sectors erased: for
// the meter's own records and a sector begun by the last block; and for making room
// for a new image.
const (
	recordErases = 3
	beginErases  = 3
)

// Sizes of what a meter sends once the image is verified, in bytes of ZCL: its
// alert, and what it ends the download with.
const (
	alertSize = 200
	endSize   = 32
)

// Plan implements [Planner].
func (p Life) Plan(d *Download) Plan {
	size := leastCharge(d.Set, d.Most, d.Loss, func(int) bool { return true })
	spend := p.perPeriod(d.Set, d.Remaining, d.Period) - d.Before - unforeseen(d.Set, d.Loss)
	if d.Left == d.Total {
		spend -= beginErases * d.Set.EraseCharge()
	}
	var c blockCost
	c.reckon(d.Set, size, false)
	blocks := battery.Charge((d.Left + uint32(size) - 1) / uint32(size))
	all, ending := blocks*c.BlockCharge, ending(d.Set, int64(d.Total))
	if blocks > 1 && all <= spend && all+ending > spend {
		spend = all - c.BlockCharge + 3*c.WaitCharge // the last one leaves room for what comes after it
	}
	return Plan{Size: size, Spend: spend}
}

// unforeseen returns what the hub cannot hear of a window at the loss measured, on average:
// answers missed before the report and after the last block.
func unforeseen(set *battery.Set, loss int) battery.Charge {
	const each = 2
	arrives := int64(million - loss)
	both := max(1, arrives*arrives/million)
	return each * missCharge(set) * battery.Charge((million-both)*million/both) / million
}

// ending returns what the end of a download costs: verifying the image and telling
// the hub and the supplier. It cannot be spread over windows.
func ending(set *battery.Set, total int64) battery.Charge {
	return set.VerifyCharge(total) + set.RadioCharge(telling(&set.Radio))
}

// telling returns what a meter's radio spends on telling the hub and the supplier that
// it has the image, in the window of the last block.
func telling(radio *phy.Params) phy.Cost {
	return radio.Exchange(alertSize, endSize).Add(radio.Exchange(endSize, endSize))
}

// perPeriod returns what work may take of each period.
func (p Life) perPeriod(set *battery.Set, remaining battery.Charge, period time.Duration) battery.Charge {
	periods := int64(time.Duration(p) * year / period)
	base := set.BaseDay() * battery.Charge(period/time.Second) / battery.Charge(24*time.Hour/time.Second)
	return remaining/battery.Charge(max(1, periods)) - base - recordErases*set.EraseCharge()
}

// Admit implements [Policy]. A block asked for again counts twice, for the request
// that was lost unseen for each answer that was; and so do the answers that were missed,
// which take most of all from a meter that listens for them.
func (p Life) Admit(w *HeartbeatWindow, again bool, c *Cost) bool {
	lost := w.Repeats
	if again {
		lost++
	}
	return w.Spent+w.Missed+battery.Charge(lost+1)*c.BlockCharge+3*c.WaitCharge <= w.Plan.Spend
}

// PerWindow implements [Policy].
func (p Life) PerWindow(l *Load) Allowance {
	spend := p.perPeriod(l.Set, l.Remaining, l.Period) - l.BeforeCharge - unforeseen(l.Set, int(l.Loss*million))
	return Allowance{
		Blocks:  max(0, int64((spend-3*l.Cost.WaitCharge)/l.Cost.BlockCharge)),
		Repeats: 2, Failed: float64(missCharge(l.Set)) / float64(l.Cost.BlockCharge),
	}
}

// Doubt implements [Doubter]. What a listening meter spends on an answer that does not come
// is heard of afterwards, and taken from what follows: for that there has to be enough.
func (p Life) Doubt(l *Load) string {
	const most = 3 // an answer that gets lost takes less than that part of a window's share
	share, miss := p.perPeriod(l.Set, l.Remaining, l.Period)-l.BeforeCharge, missCharge(l.Set)
	if share <= 0 || most*miss < share {
		return ""
	}
	return fmt.Sprintf("%s may not hold if frames get lost: a meter that listens spends %.1f µAh on an answer that does not come, and a window has %.1f µAh; give the meter a budget of its own",
		p, miss.MicroampHours(), share.MicroampHours())
}

// String implements [Policy].
func (p Life) String() string { return fmt.Sprintf("life=%d", int(p)) }
