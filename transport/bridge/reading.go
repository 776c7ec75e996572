package bridge

import (
	"math"

	"github.com/commshub/commshub/han/metering"
)

// Reading returns the meter's register in kWh or m³.
func (d *Device) Reading() (float64, bool) {
	return d.scaled(metering.AttributeCurrentSummationDelivered)
}

// Demand returns the consumption per hour, in kW of an electricity meter.
func (d *Device) Demand() (float64, bool) { return d.scaled(metering.AttributeInstantaneousDemand) }

// scaled returns an attribute times multiplier by divisor. The result has no more
// decimals than the divisor makes: 1234567 by 1000 is 1234.567.
func (d *Device) scaled(attribute uint16) (float64, bool) {
	v, ok := d.Readings[attribute]
	if !ok {
		return 0, false
	}
	number := float64(v.Number)
	if attribute == metering.AttributeInstantaneousDemand {
		number = float64(int32(uint32(v.Number)<<8) >> 8) // int24
	}
	multiplier, divisor := 1.0, 1.0
	if m, ok := d.Readings[metering.AttributeMultiplier]; ok && m.Number > 0 {
		multiplier = float64(m.Number)
	}
	if by, ok := d.Readings[metering.AttributeDivisor]; ok && by.Number > 0 {
		divisor = float64(by.Number)
	}
	scale := math.Pow(10, math.Ceil(math.Log10(divisor)))
	return math.Round(number*multiplier/divisor*scale) / scale, true
}
