package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
)

// Attribute is one attribute of a mirror.
type Attribute struct {
	ID    string `json:"id" doc:"4 hex digits, Metering cluster"`
	Name  string `json:"name,omitempty"`
	Type  string `json:"type" doc:"ZCL data type, 2 hex digits"`
	Value string `json:"value" doc:"a decimal number, or hex digits of a string"`
	Text  string `json:"text,omitempty" doc:"the value for a person"`
}

// Mirror is the last complete readings of a meter.
type Mirror struct {
	Device     han.EUI64   `json:"device"`
	UpdatedAt  *time.Time  `json:"updated_at,omitempty"`
	Attributes []Attribute `json:"attributes"`
}

// Point is what a mirror held at one time.
type Point struct {
	At             time.Time `json:"at"`
	Register       *uint64   `json:"register,omitempty"`
	Text           string    `json:"text,omitempty" doc:"the register for a person"`
	BatteryPercent *uint8    `json:"battery_percent,omitempty"`
	BatteryDays    *uint16   `json:"battery_days,omitempty"`
}

// MirrorHistory is what a mirror held since the hub started.
type MirrorHistory struct {
	Device  han.EUI64 `json:"device"`
	Since   time.Time `json:"since"`
	Unit    string    `json:"unit,omitempty"`
	Divisor uint64    `json:"divisor,omitempty"`
	Points  []Point   `json:"points" doc:"oldest first, the newest 1500"`
}

type mirrorsOutput struct {
	Body struct {
		Mirrors []Mirror `json:"mirrors"`
		Next    string   `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

type (
	mirrorOutput        struct{ Body Mirror }
	mirrorHistoryOutput struct{ Body MirrorHistory }
)

const pathMirror = "/v1/mirror"

func (a *API) registerMirror() {
	register(a, huma.Operation{
		OperationID: "list-mirrors", Method: http.MethodGet, Path: pathMirror,
		Summary: "List the last readings of all meters", Tags: []string{"readings"},
	}, nil, func(_ context.Context, in *Paging) (*mirrorsOutput, error) {
		items, next, err := cut(*in, a.Store.Mirrors(), func(m store.Mirror) string { return m.Device.String() })
		if err != nil {
			return nil, err
		}
		out := &mirrorsOutput{}
		out.Body.Mirrors, out.Body.Next = []Mirror{}, next
		for _, m := range items {
			out.Body.Mirrors = append(out.Body.Mirrors, mirrorOf(m))
		}
		return out, nil
	})
	register(a, huma.Operation{
		OperationID: "read-mirror", Method: http.MethodGet, Path: pathMirror + "/{eui64}",
		Summary: "Read the last readings of a meter", Tags: []string{"readings"},
	}, []int{http.StatusNotFound}, func(_ context.Context, in *DevicePath) (*mirrorOutput, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		m, ok := a.Store.Mirror(eui)
		if !ok {
			return nil, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: no readings are kept", eui))
		}
		return &mirrorOutput{Body: mirrorOf(m)}, nil
	})
	register(a, huma.Operation{
		OperationID: "read-mirror-history", Method: http.MethodGet, Path: pathMirror + "/{eui64}/history",
		Summary: "Read the readings of a meter since the hub started", Tags: []string{"readings"},
	}, []int{http.StatusNotFound}, a.mirrorHistory)
}

func (a *API) mirrorHistory(_ context.Context, in *DevicePath) (*mirrorHistoryOutput, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	readings, since, ok := a.Observer.History(eui)
	if !ok {
		return nil, problem(fmt.Errorf("device %s: %w", eui, hub.ErrUnknownDevice))
	}
	m, _ := a.Store.Mirror(eui)
	scale := scaleOf(m)
	out := MirrorHistory{Device: eui, Since: since.UTC(), Unit: scale.unit, Divisor: scale.divisor, Points: []Point{}}
	for _, r := range readings {
		p := Point{At: r.At.UTC(), Register: r.Register, BatteryPercent: r.BatteryPercent, BatteryDays: r.BatteryDaysLeft}
		if r.Register != nil {
			p.Text = scale.text(*r.Register)
		}
		out.Points = append(out.Points, p)
	}
	return &mirrorHistoryOutput{Body: out}, nil
}

func mirrorOf(m store.Mirror) Mirror {
	out := Mirror{Device: m.Device, UpdatedAt: instant(m.UpdatedAt), Attributes: []Attribute{}}
	scale := scaleOf(m)
	for _, at := range m.Attributes {
		view := Attribute{
			ID: fmt.Sprintf("%04X", at.ID), Name: attributeNames[at.ID], Type: fmt.Sprintf("%02X", at.Type),
			Value: valueText(at), Text: scale.attribute(at),
		}
		out.Attributes = append(out.Attributes, view)
	}
	return out
}

func valueText(at store.MirrorAttribute) string {
	switch t := zcl.DataType(at.Type); {
	case t == zcl.TypeOctetString, t == zcl.TypeCharString:
		return fmt.Sprintf("%x", at.Bytes)
	case t >= zcl.TypeInt8 && t <= zcl.TypeInt64:
		return strconv.FormatInt(int64(at.Number), 10)
	default:
		return strconv.FormatUint(at.Number, 10)
	}
}

// attributeNames are the attributes of a meter by their names in the Metering cluster.
var attributeNames = map[uint16]string{
	metering.AttributeCurrentSummationDelivered:  "CurrentSummationDelivered",
	metering.AttributeReadingSnapshotTime:        "ReadingSnapshotTime",
	metering.AttributeSupplyStatus:               "SupplyStatus",
	metering.AttributeStatus:                     "Status",
	metering.AttributeRemainingBatteryLife:       "RemainingBatteryLife",
	metering.AttributeRemainingBatteryLifeInDays: "RemainingBatteryLifeInDays",
	metering.AttributeCurrentMeterID:             "CurrentMeterID",
	metering.AttributeUnitOfMeasure:              "UnitOfMeasure",
	metering.AttributeMultiplier:                 "Multiplier",
	metering.AttributeDivisor:                    "Divisor",
	metering.AttributeSummationFormatting:        "SummationFormatting",
	metering.AttributeMeteringDeviceType:         "MeteringDeviceType",
	metering.AttributeInstantaneousDemand:        "InstantaneousDemand",
}

// scale is what turns a meter's register into a quantity.
type scale struct {
	multiplier, divisor uint64
	unit, power         string
}

func scaleOf(m store.Mirror) scale {
	s := scale{multiplier: 1, divisor: 1}
	for _, at := range m.Attributes {
		switch at.ID {
		case metering.AttributeMultiplier:
			s.multiplier = max(1, at.Number)
		case metering.AttributeDivisor:
			s.divisor = max(1, at.Number)
		case metering.AttributeUnitOfMeasure:
			switch metering.UnitOfMeasure(at.Number) {
			case metering.UnitKilowattHours:
				s.unit, s.power = "kWh", "kW"
			case metering.UnitCubicMetres:
				s.unit, s.power = "m³", "m³/h"
			}
		}
	}
	return s
}

// text returns a register for a person.
func (s scale) text(register uint64) string { return s.quantity(float64(register), s.unit) }

func (s scale) quantity(n float64, unit string) string {
	if unit == "" {
		return ""
	}
	decimals := len(strconv.FormatUint(s.divisor, 10)) - 1
	return strconv.FormatFloat(n*float64(s.multiplier)/float64(s.divisor), 'f', decimals, 64) + " " + unit
}

// attribute returns an attribute for a person.
func (s scale) attribute(at store.MirrorAttribute) string {
	switch at.ID {
	case metering.AttributeCurrentSummationDelivered:
		return s.text(at.Number)
	case metering.AttributeInstantaneousDemand:
		return s.quantity(float64(int64(at.Number)), s.power)
	case metering.AttributeRemainingBatteryLife:
		return fmt.Sprintf("%d %%", at.Number)
	case metering.AttributeRemainingBatteryLifeInDays:
		return fmt.Sprintf("%d days", at.Number)
	case metering.AttributeCurrentMeterID:
		return fmt.Sprintf("firmware %X", at.Bytes)
	case metering.AttributeUnitOfMeasure:
		return s.unit
	case metering.AttributeReadingSnapshotTime:
		return zcl.UTCTime(at.Number).Time().UTC().Format(time.RFC3339)
	case metering.AttributeSupplyStatus:
		return supplyNames[metering.SupplyStatus(at.Number)]
	default:
		return valueText(at)
	}
}

var supplyNames = map[metering.SupplyStatus]string{
	metering.SupplyOff: "off", metering.SupplyArmed: "armed", metering.SupplyOn: "on",
}
