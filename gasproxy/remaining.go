package gasproxy

import (
	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/metering"
)

// daysUnknown is what a meter reports that does not know.
const daysUnknown = 0xFFFF

// remaining returns the charge of a meter's cell by the days and the percentage
// that it reports, whichever says less. A meter that reports neither counts as new.
func (c *child) remaining(set *battery.Set) battery.Charge {
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
