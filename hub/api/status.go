package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
)

// Clock is the emulated clock.
type Clock struct {
	Now      time.Time `json:"now" doc:"emulated time"`
	Speed    float64   `json:"speed" doc:"emulated seconds per second"`
	Wall     time.Time `json:"wall" doc:"anchor: at this instant of the wall clock it was …"`
	Emulated time.Time `json:"emulated" doc:"… this emulated time"`
}

// Attribute is one attribute of a mirror.
type Attribute struct {
	ID    string `json:"id" doc:"4 hex digits, Metering cluster"`
	Type  string `json:"type" doc:"ZCL data type, 2 hex digits"`
	Value string `json:"value" doc:"a decimal number, or hex digits of a string"`
}

type mirrorOutput struct {
	Body struct {
		Device     han.EUI64   `json:"device"`
		UpdatedAt  *time.Time  `json:"updated_at,omitempty"`
		Attributes []Attribute `json:"attributes"`
	}
}

type clockOutput struct{ Body Clock }

type healthOutput struct {
	Body struct {
		Status  string `json:"status" enum:"ok"`
		Version string `json:"version"`
	}
}

func (b Backend) registerStatus(a huma.API) {
	huma.Register(a, huma.Operation{
		OperationID: "read-clock", Method: http.MethodGet, Path: "/v1/clock",
		Summary: "Read the emulated clock", Tags: []string{"status"},
	}, func(context.Context, *struct{}) (*clockOutput, error) { return &clockOutput{Body: b.Clock()}, nil })
	huma.Register(a, huma.Operation{
		OperationID: "read-mirror", Method: http.MethodGet, Path: "/v1/mirror/{eui64}",
		Summary: "Read the last readings of a meter", Tags: []string{"status"},
		Errors: []int{http.StatusNotFound},
	}, b.mirror)
	huma.Register(a, huma.Operation{
		OperationID: "health", Method: http.MethodGet, Path: "/v1/health",
		Summary: "Tell whether the hub answers", Tags: []string{"status"},
	}, func(context.Context, *struct{}) (*healthOutput, error) {
		out := &healthOutput{}
		out.Body.Status, out.Body.Version = "ok", b.Version
		return out, b.operate(func(*hub.Hub, time.Time, *han.Outbox) error { return nil })
	})
}

func (b Backend) mirror(_ context.Context, in *deviceInput) (*mirrorOutput, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	m, ok := b.Store.Mirror(eui)
	if !ok {
		return nil, huma.Error404NotFound(fmt.Sprintf("device %s: no readings are kept", eui))
	}
	out := &mirrorOutput{}
	out.Body.Device, out.Body.UpdatedAt, out.Body.Attributes = eui, instant(m.UpdatedAt), []Attribute{}
	for _, at := range m.Attributes {
		view := Attribute{ID: fmt.Sprintf("%04X", at.ID), Type: fmt.Sprintf("%02X", at.Type), Value: fmt.Sprint(at.Number)}
		if at.Bytes != nil {
			view.Value = fmt.Sprintf("%x", at.Bytes)
		}
		out.Body.Attributes = append(out.Body.Attributes, view)
	}
	return out, nil
}
