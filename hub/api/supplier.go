package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
)

// Alert is an entry of the supplier's inbox: an alert or a response.
type Alert struct {
	Sequence uint64     `json:"sequence" doc:"rises by one with each entry"`
	At       *time.Time `json:"at"`
	Device   han.EUI64  `json:"device"`
	Code     string     `json:"code,omitempty" doc:"GBCS alert code, 4 hex digits; none for a response"`
	Name     string     `json:"name,omitempty" doc:"the alert's name"`
	Message  string     `json:"message,omitempty" doc:"GBCS message code, 4 hex digits; none for an alert of the hub itself"`
	Text     string     `json:"text"`
}

type alertsInput struct {
	After uint64 `query:"after" doc:"only entries after this sequence number"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type alertsOutput struct {
	Body struct {
		Alerts []Alert `json:"alerts"`
	}
}

type activateInput struct {
	EUI64 string `path:"eui64" doc:"16 hex digits"`
	Body  struct {
		Hash string     `json:"hash,omitempty" doc:"Manufacturer Image Hash, 64 hex digits; default: that of the device's update"`
		At   *time.Time `json:"at,omitempty" doc:"when to switch, in emulated time; default: at once"`
	}
}

func (b Backend) registerSupplier(a huma.API) {
	huma.Register(a, huma.Operation{
		OperationID: "activate-firmware", Method: http.MethodPost, Path: "/v1/devices/{eui64}/activation", DefaultStatus: http.StatusAccepted,
		Summary: "Order a device to activate firmware (CS06)", Tags: []string{"supplier"},
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, b.activate)
	huma.Register(a, huma.Operation{
		OperationID: "cancel-activation", Method: http.MethodDelete, Path: "/v1/devices/{eui64}/activation", DefaultStatus: http.StatusAccepted,
		Summary: "Cancel a dated activation (CS06)", Tags: []string{"supplier"},
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(_ context.Context, in *deviceInput) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.CancelActivation(now, out, eui) })
	})
	huma.Register(a, huma.Operation{
		OperationID: "read-firmware-version", Method: http.MethodPost, Path: "/v1/devices/{eui64}/firmware-version", DefaultStatus: http.StatusAccepted,
		Summary: "Ask a meter which firmware it runs (GCS38, ECS52)", Tags: []string{"supplier"},
		Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, func(_ context.Context, in *deviceInput) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return h.ReadVersion(now, out, eui) })
	})
	huma.Register(a, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/v1/alerts",
		Summary: "List alerts and responses, oldest first", Tags: []string{"supplier"},
	}, func(_ context.Context, in *alertsInput) (*alertsOutput, error) {
		out := &alertsOutput{}
		out.Body.Alerts = b.alerts(in.After, in.Limit)
		return out, nil
	})
}

func (b Backend) alerts(after uint64, limit int) []Alert {
	out := []Alert{}
	for _, a := range b.Store.Alerts(after, limit) {
		view := Alert{Sequence: a.Sequence, At: instant(a.At), Device: a.Device, Text: a.Text}
		if a.Code != 0 {
			view.Code, view.Name = fmt.Sprintf("%04X", a.Code), gbcs.AlertCode(a.Code).String()
		}
		if a.MessageCode != 0 {
			view.Message = fmt.Sprintf("%04X", a.MessageCode)
		}
		out = append(out, view)
	}
	return out
}

func (b Backend) activate(_ context.Context, in *activateInput) (*struct{}, error) {
	eui, err := deviceInput{in.EUI64}.parse()
	if err != nil {
		return nil, err
	}
	var hash ota.ImageHash
	if in.Body.Hash != "" {
		if n, err := hex.Decode(hash[:], []byte(in.Body.Hash)); err != nil || n != len(hash) || len(in.Body.Hash) != 2*len(hash) {
			return nil, invalid(fmt.Errorf("hash %q: want 64 hex digits", in.Body.Hash))
		}
	}
	return nil, b.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		a := hub.Activation{Device: eui, Hash: hash}
		if in.Body.Hash == "" {
			if a.Hash, err = h.HeldImage(eui); err != nil {
				return err
			}
		}
		if in.Body.At != nil {
			a.At = *in.Body.At
		}
		return h.Activate(now, out, a)
	})
}
