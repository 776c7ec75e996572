package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/hub/store"
)

// CauseCharge is what was spent on one cause.
type CauseCharge struct {
	Cause  string  `json:"cause"`
	Charge float64 `json:"charge_uah"`
}

// UpdateCost is what the update in hand, or the last one, cost the battery.
type UpdateCost struct {
	Version  string   `json:"version" doc:"8 hex digits"`
	Image    string   `json:"image" doc:"SHA-256 of the OTA file"`
	Charge   float64  `json:"charge_uah" doc:"spent on work in the windows of the update, those that the meter told of"`
	RadioOn  float64  `json:"radio_on_s"`
	Windows  uint32   `json:"windows" doc:"in which blocks were asked for, also where the meter was only told to wait"`
	CostDays *float64 `json:"cost_days,omitempty" doc:"ordinary days that the same charge would have lasted"`
	CostText string   `json:"cost_text,omitempty" doc:"the same for a person"`
}

// Battery is the state of a device's battery. Numbers have the full resolution of
// what the meter says; the texts are for people.
type Battery struct {
	Device      han.EUI64     `json:"device"`
	Source      string        `json:"source" enum:"meter,mirror" doc:"meter: it reports what it spends. mirror: no more than percentage and days"`
	At          *time.Time    `json:"at,omitempty" doc:"when the meter said so"`
	Percent     *float64      `json:"battery_left_percent,omitempty" doc:"of a new cell"`
	PercentText string        `json:"left_text,omitempty"`
	DaysLeft    *float64      `json:"battery_left_days,omitempty" doc:"until the cell is empty, if all days are ordinary"`
	DaysText    string        `json:"lasts_text,omitempty"`
	Capacity    *float64      `json:"capacity_uah,omitempty" doc:"of a new cell"`
	Remaining   *float64      `json:"battery_left_uah,omitempty"`
	Spent       *float64      `json:"spent_uah,omitempty" doc:"since the cell was put in"`
	RadioOn     *float64      `json:"radio_on_s,omitempty" doc:"since the cell was put in"`
	Window      *float64      `json:"window_uah,omitempty" doc:"what the last window took"`
	WindowRadio *float64      `json:"window_radio_on_s,omitempty"`
	Heartbeat   *float64      `json:"heartbeat_uah,omitempty" doc:"what a heartbeat without an update took last, since the hub started"`
	Causes      []CauseCharge `json:"causes,omitempty"`
	Update      *UpdateCost   `json:"update,omitempty"`
}

type batteryOutput struct{ Body Battery }

func (a *API) registerBattery() {
	register(a, huma.Operation{
		OperationID: "read-battery", Method: http.MethodGet, Path: "/v1/devices/{eui64}/battery",
		Summary: "Read the state of a meter's battery", Tags: []string{"devices"},
	}, []int{http.StatusNotFound}, func(_ context.Context, in *DevicePath) (*batteryOutput, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		b, err := a.Battery(eui)
		if err != nil {
			return nil, problem(err)
		}
		return &batteryOutput{Body: b}, nil
	})
	a.registerInside()
}

// Battery returns what is known of a device's battery.
func (a *API) Battery(eui han.EUI64) (Battery, error) {
	d, ok := a.Store.Device(eui)
	if !ok {
		return Battery{}, fmt.Errorf("device %s: %w", eui, store.ErrUnknownDevice)
	}
	if d.Kind != store.KindGSME {
		return Battery{}, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: %s devices have no battery", eui, d.Kind))
	}
	if c, at, ok := a.Observer.Consumption(eui); ok {
		return a.consumed(eui, at, &c), nil
	}
	m, _ := a.Store.Mirror(eui)
	out := Battery{Device: eui, Source: "mirror", At: instant(m.UpdatedAt)}
	for _, at := range m.Attributes {
		n := float64(at.Number)
		switch at.ID {
		case metering.AttributeRemainingBatteryLife:
			out.Percent, out.PercentText = &n, fmt.Sprintf("%d %%", at.Number)
		case metering.AttributeRemainingBatteryLifeInDays:
			out.DaysLeft, out.DaysText = &n, fmt.Sprintf("%d days", at.Number)
		}
	}
	if out.Percent == nil && out.DaysLeft == nil {
		return Battery{}, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: it reported nothing about its battery", eui))
	}
	return out, nil
}

// consumed is the battery of a meter that says what it spends.
func (a *API) consumed(eui han.EUI64, at time.Time, c *metering.Consumption) Battery {
	capacity, spent := float64(c.Capacity)*1000, 0.0
	b := Battery{Device: eui, Source: "meter", At: optional(at), Capacity: &capacity}
	for i, charge := range c.Charge[:c.Causes] {
		nanocoulombs := battery.Charge(charge * metering.ChargeUnit)
		spent += nanocoulombs.MicroampHours()
		b.Causes = append(b.Causes, CauseCharge{battery.Cause(i).String(), nanocoulombs.MicroampHours()})
	}
	remaining := max(0, capacity-spent)
	percent := 100 * remaining / max(1, capacity)
	window, radioOn, windowRadio := battery.Charge(c.WindowCharge).MicroampHours(), c.RadioOn.Seconds(), c.WindowRadioOn.Seconds()
	b.Spent, b.Remaining, b.Percent, b.PercentText = &spent, &remaining, &percent, battery.Percent(percent)
	b.RadioOn, b.Window, b.WindowRadio = &radioOn, &window, &windowRadio
	seen, _ := a.Observer.Device(eui, a.now())
	if seen.PlainHeartbeat > 0 {
		plain := battery.Charge(seen.PlainHeartbeat).MicroampHours()
		b.Heartbeat = &plain
	}
	day := battery.Charge(c.Day * metering.ChargeUnit).MicroampHours()
	if day > 0 {
		days := remaining / day
		b.DaysLeft, b.DaysText = &days, battery.Days(days)
	}
	b.Update = a.updateCost(eui, day)
	return b
}

// updateCost adds up the windows of a meter's newest update; day is what an ordinary
// day takes in µAh.
func (a *API) updateCost(eui han.EUI64, day float64) *UpdateCost {
	u, err := a.currentUpdate(eui)
	if err != nil {
		return nil
	}
	t, watched := a.Observer.Timeline(eui, u.FileHash, a.now())
	sum := t.Sum()
	if !watched || sum.Charge == 0 {
		return nil
	}
	im, _ := a.Store.ImageByFileHash(u.FileHash)
	out := &UpdateCost{
		Version: versionText(im.FileVersion), Image: fmt.Sprintf("%x", u.FileHash),
		Charge: battery.Charge(sum.Charge).MicroampHours(), RadioOn: sum.RadioOn.Seconds(), Windows: sum.Windows,
	}
	if day > 0 {
		days := out.Charge / day
		out.CostDays, out.CostText = &days, battery.Days(days)
	}
	return out
}

// chassis returns the common part of a meter, nil of anything else.
func chassis(n han.Node) *meter.Chassis {
	switch n := n.(type) {
	case *gsme.Meter:
		return &n.Chassis
	case *esme.Meter:
		return &n.Chassis
	default:
		return nil
	}
}
