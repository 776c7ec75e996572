package gsme

import (
	"time"

	"github.com/commshub/commshub/devices/prepayment"
	"github.com/commshub/commshub/han"
)

// Keyed is what the meter's own screen says after somebody typed.
type Keyed struct {
	Outcome prepayment.Outcome
	Balance prepayment.Millipence
}

// Type has the digits of a top-up typed at the meter. It wakes no radio: what the supplier is to
// hear waits for the next heartbeat. ok is false while the meter does not run.
func (m *Meter) Type(now time.Time, out *han.Outbox, digits string) (k Keyed, ok bool) {
	if !m.On() || m.Agent.WantsReboot() {
		return Keyed{}, false
	}
	m.mark = m.Mark(out)
	k.Outcome = m.TypeTopUp(now, out, digits)
	k.Balance = m.Prepay.Balance()
	m.settle(now, out)
	return k, true
}
