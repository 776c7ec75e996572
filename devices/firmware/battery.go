package firmware

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/trace"
)

// CheckBattery tells the supplier once that the charge fell under the limit, with
// alert 8F1F; and again only after it was above, with another battery.
func (a *Agent) CheckBattery(now time.Time, out *han.Outbox, remaining, limit battery.Charge) {
	low := remaining < limit
	if low == a.state.BatteryLow {
		return
	}
	a.state.BatteryLow = low
	if low {
		a.record(out, trace.Record{At: now, Kind: trace.BatteryLow, Charge: int64(remaining)})
		a.queueGenericAlert(now, out, gbcs.AlertLowBatteryCapacity)
	}
	a.save()
}
