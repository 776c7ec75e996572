package gsme

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
)

// consumptionOverhead is what a report has besides the octet string, in bytes of ZCL.
const consumptionOverhead = 5 + 4

// hasLastWord reports whether the hub is to be told of the consumption: of each window in
// which there was work, and otherwise once what it knows is half a percent behind, or an
// ordinary day. A hub that did not take the readings is not told.
func (m *Meter) hasLastWord() bool {
	if m.worked || !m.done.report {
		return m.done.report
	}
	behind := m.Ledger.Total() - m.told
	return !m.clockRead && (behind > m.told/200 || behind > m.OrdinaryDay())
}

// hasFirstWord reports whether the hub is to be told of the consumption before any work: a
// hub that the meter just joined takes a cell for new of which it knows nothing, and could
// not tell by cause what the first window took of one that was used before.
func (m *Meter) hasFirstWord() bool {
	return m.joined && m.Ledger.Total() > m.OrdinaryDay()
}

// OrdinaryDay returns what a day takes in which the meter only reports.
func (m *Meter) OrdinaryDay() battery.Charge { return m.Ledger.Set().Day(m.plain, m.cfg.Period) }

// reportConsumption tells the hub at the end of a window what the meter spent, in this
// window and since its cell was put in. Nobody answers: if it gets lost, the next one
// holds the sums. The window's share has this report in it, taken to be as long as the
// last one.
func (m *Meter) reportConsumption(now time.Time, out *han.Outbox) {
	l := m.Ledger
	own := l.Set().Radio.Send(consumptionOverhead + len(m.consumption))
	charge, radioOn := m.spending.Charge(l)+l.Set().RadioCharge(own), m.spending.RadioOn(l)+own.RadioOn()
	m.told = l.Total()
	c := metering.Consumption{
		Capacity: uint64(l.Set().CapacityMicroampHours / 1000), Day: uint64(m.OrdinaryDay() / metering.ChargeUnit),
		Causes: int(battery.NumCauses), RadioOn: l.RadioOn(), WindowCharge: uint64(charge), WindowRadioOn: radioOn,
	}
	for i := range c.Causes {
		c.Charge[i] = uint64(l.Spent(battery.Cause(i)) / metering.ChargeUnit)
	}
	m.consumption = c.Append(m.consumption[:0])
	m.readings = append(m.readings[:0], zcl.Attribute{
		ID: metering.AttributeConsumption, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: m.consumption},
	})
	to := m.HubPeer(metering.ClusterID)
	to.Endpoint = m.join.Mirror
	h := zcl.Header{
		ToClient: true, DisableDefaultResponse: true, Command: zcl.CommandReportAttributes,
		ManufacturerSpecific: true, Manufacturer: metering.Manufacturer,
	}
	zcl.Send(&m.Station, out, to, h, zcl.ReportAttributes{Attributes: m.readings})
	m.settle(now, out)
}
