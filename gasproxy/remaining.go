package gasproxy

import (
	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/metering"
)

// daysUnknown is what a meter reports that does not know.
const daysUnknown = 0xFFFF

// leftOf returns the charge left in a cell by what was spent of it.
func leftOf(c *metering.Consumption) battery.Charge {
	left := battery.Charge(c.Capacity) * 1000 * battery.MicroampHour
	for _, charge := range c.Charge[:c.Causes] {
		left -= battery.Charge(charge) * metering.ChargeUnit
	}
	return max(1, left)
}

// remaining returns the charge of a meter's cell: what is left by its own account, or
// else by the days and the percentage that it reports, whichever says less. A meter
// that reports nothing counts as new.
func (c *child) remaining(set *battery.Set) battery.Charge {
	if c.left > 0 {
		return c.left
	}
	left := set.Capacity()
	if v, ok := c.mirror.Attribute(metering.AttributeRemainingBatteryLifeInDays); ok && v.Number < daysUnknown {
		left = min(left, battery.Charge(v.Number)*set.BaseDay())
	}
	if v, ok := c.mirror.Attribute(metering.AttributeRemainingBatteryLife); ok && v.Number < 100 {
		// A percentage is rounded down: there may be up to one more.
		left = min(left, set.Capacity()/100*battery.Charge(v.Number+1))
	}
	return left
}
