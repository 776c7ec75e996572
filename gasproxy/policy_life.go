package gasproxy

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/commshub/commshub/devices/battery"
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

// Plan implements [Planner].
func (p Life) Plan(d *Download) Plan {
	size := leastCharge(d.Set, d.Most, d.Loss)
	spend := p.perPeriod(d.Set, d.Remaining, d.Period) - d.Before
	blocks := battery.Charge((d.Left + uint32(size) - 1) / uint32(size))
	var c blockCost
	c.reckon(d.Set, size, false)
	if all := blocks * c.BlockCharge; blocks > 1 && all <= spend && all+d.Set.VerifyCharge(int64(d.Total)) > spend {
		spend = all - c.BlockCharge + 2*c.WaitCharge // the last one leaves room for verifying the image
	}
	return Plan{Size: size, Spend: spend}
}

// perPeriod returns what work may take of each period. An erased sector is set
// apart, because the meter's own records need one now and then.
func (p Life) perPeriod(set *battery.Set, remaining battery.Charge, period time.Duration) battery.Charge {
	periods := int64(time.Duration(p) * year / period)
	base := set.BaseDay() * battery.Charge(period/time.Second) / battery.Charge(24*time.Hour/time.Second)
	return remaining/battery.Charge(max(1, periods)) - base - set.EraseCharge()
}

// Admit implements [Policy]. A block asked for again counts twice, for the request
// that was lost unseen for each answer that was.
func (p Life) Admit(w *Window, again bool, c *Cost) bool {
	times := w.Blocks + 2*w.Repeats + 1
	if again {
		times++
	}
	return battery.Charge(times)*c.BlockCharge+2*c.WaitCharge <= w.Plan.Spend
}

// PerWindow implements [Policy].
func (p Life) PerWindow(l *Load) Allowance {
	spend := p.perPeriod(l.Set, l.Remaining, l.Period) - l.BeforeCharge
	return Allowance{Blocks: max(0, int64((spend-2*l.Cost.WaitCharge)/l.Cost.BlockCharge)), Repeats: 2}
}

// String implements [Policy].
func (p Life) String() string { return fmt.Sprintf("life=%d", int(p)) }
