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
	"github.com/commshub/commshub/hub"
)

// CauseCharge is what was spent on one cause.
type CauseCharge struct {
	Cause        string  `json:"cause"`
	Charge       float64 `json:"uah" doc:"µAh"`
	Nanocoulombs int64   `json:"nanocoulombs"`
}

// UpdateCost is what the update in hand, or the last one, cost the battery.
type UpdateCost struct {
	Version    string   `json:"version" doc:"8 hex digits"`
	Image      string   `json:"image,omitempty" doc:"SHA-256 of the OTA file, if the hub distributed it"`
	Charge     float64  `json:"uah" doc:"µAh spent on work in the windows of the update"`
	RadioOn    float64  `json:"radio_on_ms"`
	Windows    uint32   `json:"windows"`
	DaysOfLife *float64 `json:"days_of_life,omitempty" doc:"days that the same charge would have lasted without an update; absent until a heartbeat without one was seen"`
}

// Battery is the state of a device's battery.
type Battery struct {
	Device    han.EUI64     `json:"device"`
	Source    string        `json:"source" enum:"meter,mirror" doc:"meter: it runs in this process, everything is known. mirror: what it reported last"`
	At        *time.Time    `json:"at,omitempty"`
	Percent   *uint8        `json:"percent,omitempty"`
	DaysLeft  *int64        `json:"days_left,omitempty"`
	Set       string        `json:"set,omitempty" doc:"parameter set of the charge model"`
	Capacity  *float64      `json:"capacity_uah,omitempty" doc:"of a new cell"`
	Spent     *float64      `json:"spent_uah,omitempty" doc:"since the cell was put in"`
	RadioOn   *float64      `json:"radio_on_ms,omitempty" doc:"since the cell was put in"`
	Heartbeat *float64      `json:"heartbeat_uah,omitempty" doc:"what a heartbeat without an update cost last"`
	Causes    []CauseCharge `json:"causes,omitempty"`
	Update    *UpdateCost   `json:"update,omitempty"`
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
		return Battery{}, fmt.Errorf("device %s: %w", eui, hub.ErrUnknownDevice)
	}
	if hub.Kind(d.Kind) != hub.KindGSME {
		return Battery{}, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: %s devices have no battery", eui, hub.Kind(d.Kind)))
	}
	inside, ok := a.batteryInside(eui)
	if ok && inside.DaysLeft != nil {
		return inside, nil
	}
	out := Battery{Device: eui, Source: "mirror"}
	m, _ := a.Store.Mirror(eui)
	for _, at := range m.Attributes {
		switch at.ID {
		case metering.AttributeRemainingBatteryLife:
			percent := uint8(at.Number)
			out.Percent = &percent
		case metering.AttributeRemainingBatteryLifeInDays:
			days := int64(at.Number)
			out.DaysLeft = &days
		}
	}
	if ok {
		inside.DaysLeft = out.DaysLeft // as the meter reported it
		return inside, nil
	}
	if out.Percent == nil && out.DaysLeft == nil {
		return Battery{}, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: it reported nothing about its battery", eui))
	}
	out.At = instant(m.UpdatedAt)
	return out, nil
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

// batteryInside reads the ledger of a meter in this process.
func (a *API) batteryInside(eui han.EUI64) (b Battery, ok bool) {
	seen, _ := a.Observer.Device(eui, a.now())
	a.Node(eui, func(now time.Time, n han.Node) {
		c := chassis(n)
		if c == nil || c.Ledger == nil {
			return
		}
		b, ok = ledgerView(c, battery.Charge(seen.PlainHeartbeat), seen.Period), true
		b.Device, b.At = eui, optional(now)
	})
	if b.Update != nil {
		for _, u := range a.Store.UpdatesOf(eui) {
			if im, _ := a.Store.ImageByFileHash(u.FileHash); versionText(im.FileVersion) == b.Update.Version {
				b.Update.Image = fmt.Sprintf("%x", u.FileHash)
			}
		}
	}
	return b, ok
}

func ledgerView(c *meter.Chassis, plain battery.Charge, period time.Duration) Battery {
	l := c.Ledger
	percent, capacity, spent, radio := l.Percent(), l.Set().Capacity().MicroampHours(), l.Total().MicroampHours(), milliseconds(l.RadioOn())
	b := Battery{
		Source: "meter", Percent: &percent, Set: l.Set().Name, Capacity: &capacity, Spent: &spent, RadioOn: &radio,
	}
	for _, cause := range battery.Causes() {
		b.Causes = append(b.Causes, CauseCharge{cause.String(), l.Spent(cause).MicroampHours(), int64(l.Spent(cause))})
	}
	day := l.Set().Day(plain, period)
	if plain > 0 {
		heartbeat, days := plain.MicroampHours(), l.DaysLeft(plain, period)
		b.Heartbeat, b.DaysLeft = &heartbeat, &days
	}
	if c.Agent == nil {
		return b
	}
	if u := c.Agent.UpdateReport(); u.StartedAt != 0 {
		b.Update = &UpdateCost{Version: versionText(u.Version), Charge: u.Charge.MicroampHours(), RadioOn: milliseconds(u.RadioOn), Windows: u.Windows}
		if plain > 0 {
			days := float64(u.Charge) / float64(max(1, day))
			b.Update.DaysOfLife = &days
		}
	}
	return b
}
