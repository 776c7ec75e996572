package meter

import (
	"bytes"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/trace"
)

// CheckBattery tells the supplier once that the charge fell under the limit, with
// alert 8F1F; and again only after it was above, with another battery.
func (c *Chassis) CheckBattery(now time.Time, out *han.Outbox, limit battery.Charge) {
	remaining := c.Ledger.Remaining()
	low := remaining < limit
	if low == c.batteryLow {
		return
	}
	c.batteryLow = low
	if low {
		out.Record(trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.BatteryLow, Charge: int64(remaining)})
		c.Remote.Alert(now, out, gbcs.AlertLowBatteryCapacity)
	}
	c.Journal.Stage(toldLow(low))
	c.Remote.Commit()
}

// toldLow is the record of whether the supplier knows that the battery is low.
func toldLow(low bool) journal.Entry {
	told := []byte{0}
	if low {
		told[0] = 1
	}
	return journal.Entry{Key: board.KeyBattery, Data: told}
}

// wasToldLow reports whether the supplier knows that the battery is low.
func wasToldLow(j *journal.Journal) bool {
	told, ok := j.Get(board.KeyBattery)
	return ok && bytes.Equal(told, []byte{1})
}
