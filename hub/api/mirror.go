package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/decode"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/han/prepayment"
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

// Mirror is the last complete readings of a meter, as far as they are believed.
type Mirror struct {
	Device     han.EUI64     `json:"device"`
	UpdatedAt  *time.Time    `json:"updated_at,omitempty"`
	RegisterAt *time.Time    `json:"register_at,omitempty" doc:"when the register came, if it was before updated_at"`
	Attributes []Attribute   `json:"attributes"`
	Account    []Attribute   `json:"account,omitempty" doc:"of the Prepayment cluster: what a prepayment meter said last of its account"`
	AccountAt  *time.Time    `json:"account_at,omitempty" doc:"when it said so"`
	Quarantine []Quarantined `json:"quarantine" doc:"readings that are not believed, one of each attribute at most"`
}

// Quarantined is a reading that is not believed.
type Quarantined struct {
	Attribute  Attribute `json:"attribute" doc:"as it was reported last"`
	Rule       string    `json:"rule" enum:"type,invalid,range,scale,backwards,supply,future,order" doc:"that it breaks"`
	Reason     string    `json:"reason"`
	Acceptable bool      `json:"acceptable" doc:"it can be accepted"`
	Since      time.Time `json:"since" doc:"the first one came"`
	At         time.Time `json:"at" doc:"this one came"`
	Count      uint32    `json:"count" doc:"how many came since, with others in between that are believed"`
	Over       bool      `json:"over" doc:"a later one is believed"`
}

// Point is what a mirror held at one time.
type Point struct {
	At             time.Time `json:"at"`
	Register       *uint64   `json:"register,omitempty"`
	Text           string    `json:"text,omitempty" doc:"the register for a person"`
	BatteryPercent *float64  `json:"battery_left_percent,omitempty"`
	BatteryDays    *float64  `json:"battery_left_days,omitempty"`
}

// MirrorHistory is what a mirror held.
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
			out.Body.Mirrors = append(out.Body.Mirrors, a.mirror(m))
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
		return &mirrorOutput{Body: a.mirror(m)}, nil
	})
	register(a, huma.Operation{
		OperationID: "accept-reading", Method: http.MethodPost, Path: pathMirror + "/{eui64}/accept",
		Summary: "Have a reading believed that is in quarantine: it is the base of the next", Tags: []string{"readings"},
	}, changing(http.StatusNotFound, http.StatusConflict), a.acceptReading)
	register(a, huma.Operation{
		OperationID: "read-mirror-history", Method: http.MethodGet, Path: pathMirror + "/{eui64}/history",
		Summary: "Read the last readings of a meter, one a heartbeat", Tags: []string{"readings"},
	}, []int{http.StatusNotFound}, a.mirrorHistory)
}

func (a *API) mirrorHistory(_ context.Context, in *DevicePath) (*mirrorHistoryOutput, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	readings, since, ok := a.Observer.History(eui)
	if !ok {
		return nil, problem(fmt.Errorf("device %s: %w", eui, store.ErrUnknownDevice))
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

type acceptReadingInput struct {
	DevicePath
	Body struct {
		Attribute string `json:"attribute" doc:"4 hex digits, Metering cluster"`
	}
}

func (a *API) acceptReading(_ context.Context, in *acceptReadingInput) (*mirrorOutput, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseUint(in.Body.Attribute, 16, 16)
	if err != nil || len(in.Body.Attribute) != 4 {
		return nil, invalid("body.attribute", in.Body.Attribute, errors.New("want 4 hex digits"))
	}
	if err := a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.AcceptReading(now, out, eui, uint16(id))
	}); err != nil {
		return nil, err
	}
	m, _ := a.Store.Mirror(eui)
	return &mirrorOutput{Body: a.mirror(m)}, nil
}

func (a *API) mirror(m store.Mirror) Mirror {
	out := Mirror{
		Device: m.Device, UpdatedAt: instant(m.UpdatedAt), RegisterAt: instant(m.RegisterAt),
		Attributes: []Attribute{}, Quarantine: []Quarantined{}, AccountAt: instant(m.AccountAt),
	}
	for _, at := range m.Account {
		out.Account = append(out.Account, accountAttribute(at))
	}
	scale := scaleOf(m)
	for _, at := range m.Attributes {
		out.Attributes = append(out.Attributes, attributeOf(at, scale))
	}
	for _, q := range a.Store.QuarantineOf(m.Device) {
		rule, known := validation.ParseRule(q.Rule)
		if !known {
			continue // of another release
		}
		view := attributeOf(q.Attribute, scale)
		if rule == validation.WrongType {
			view.Text = "" // it is no quantity
		}
		out.Quarantine = append(out.Quarantine, Quarantined{
			Attribute: view, Rule: q.Rule, Reason: rule.Reason(), Acceptable: rule.Acceptable() && !q.Over,
			Since: time.UnixMicro(q.Since).UTC(), At: time.UnixMicro(q.At).UTC(), Count: q.Count, Over: q.Over,
		})
	}
	return out
}

// accountAttribute returns an attribute of the Prepayment cluster.
func accountAttribute(at store.MirrorAttribute) Attribute {
	out := Attribute{
		ID: fmt.Sprintf("%04X", at.ID), Name: decode.AttributeName(prepayment.ClusterID, true, at.ID), Type: fmt.Sprintf("%02X", at.Type),
		Value: valueText(at), Text: valueText(at),
	}
	switch at.ID {
	case prepayment.AttributeCreditRemaining, prepayment.AttributeTopUpAmount:
		pence := int64(at.Number) / 1000
		out.Text = fmt.Sprintf("£%d.%02d", pence/100, pence%100)
	case prepayment.AttributeTopUpTime:
		out.Text = zcl.UTCTime(at.Number).Time().UTC().Format(time.RFC3339)
	case prepayment.AttributeTopUpSource:
		out.Text = map[prepayment.Source]string{prepayment.SourceESI: "by message", prepayment.SourceMeter: "typed"}[prepayment.Source(at.Number)]
	case prepayment.AttributeTopUpCode:
		out.Text = string(at.Bytes)
	}
	return out
}

func attributeOf(at store.MirrorAttribute, s scale) Attribute {
	return Attribute{
		ID: fmt.Sprintf("%04X", at.ID), Name: decode.AttributeName(metering.ClusterID, true, at.ID), Type: fmt.Sprintf("%02X", at.Type),
		Value: valueText(at), Text: s.attribute(at),
	}
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
