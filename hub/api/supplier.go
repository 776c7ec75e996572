package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
)

type activateInput struct {
	DevicePath
	Precondition
	Key  string `header:"Idempotency-Key" maxLength:"64" doc:"the same request with the same key is done once"`
	Body struct {
		Hash string     `json:"image_hash,omitempty" doc:"Manufacturer Image Hash, 64 hex digits; default: that of the device's update"`
		At   *time.Time `json:"at,omitempty" doc:"when to switch, in emulated time; default: at once"`
	}
}

const pathActivation = "/v1/devices/{eui64}/activation"

func (a *API) registerSupplier() {
	register(a, huma.Operation{
		OperationID: "activate-firmware", Method: http.MethodPost, Path: pathActivation, DefaultStatus: http.StatusAccepted,
		Summary: "Order a device to activate firmware (CS06)", Tags: []string{"supplier"},
		Description: "The order waits in the mailbox of a meter that sleeps. The outcome comes as an alert or a response. If-Match takes the ETag of the device's update.",
	}, changing(http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed), a.activate)
	register(a, huma.Operation{
		OperationID: "cancel-activation", Method: http.MethodDelete, Path: pathActivation, DefaultStatus: http.StatusAccepted,
		Summary: "Cancel a dated activation (CS06)", Tags: []string{"supplier"},
	}, changing(http.StatusNotFound, http.StatusConflict), func(_ context.Context, in *DevicePath) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
			return a.HeadEnd.CancelActivation(now, out, eui)
		})
	})
	register(a, huma.Operation{
		OperationID: "read-firmware-version", Method: http.MethodPost, Path: "/v1/devices/{eui64}/firmware-version", DefaultStatus: http.StatusAccepted,
		Summary: "Ask a meter or the hub which firmware it runs (GCS38, ECS52)", Tags: []string{"supplier"},
		Description: "The answer comes into the list of alerts, and with the order. The hub has two addresses: its CHF tells the version of its own, its GPF what the gas meter last said.",
	}, changing(http.StatusNotFound, http.StatusConflict), func(_ context.Context, in *DevicePath) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error { return a.HeadEnd.ReadVersion(now, out, eui) })
	})
	a.registerAlerts()
}

func (a *API) activate(_ context.Context, in *activateInput) (*struct{}, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	var hash ota.ImageHash
	if in.Body.Hash != "" {
		if len(in.Body.Hash) != 2*len(hash) {
			return nil, invalid("body.hash", in.Body.Hash, fmt.Errorf("hash %q: want 64 hex digits", in.Body.Hash))
		}
		if _, err := hex.Decode(hash[:], []byte(in.Body.Hash)); err != nil {
			return nil, invalid("body.hash", in.Body.Hash, fmt.Errorf("hash %q: want 64 hex digits", in.Body.Hash))
		}
	}
	order := headend.Activation{Device: eui, Hash: hash}
	if in.Body.At != nil {
		if order.At = in.Body.At.UTC(); !activatable(order.At) {
			return nil, invalid("body.at", in.Body.At, fmt.Errorf("time %s: want one from 2000 to 2135", order.At.Format(time.RFC3339)))
		}
	}
	return nil, a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		if err := a.checkUpdate(in.Precondition, eui); err != nil {
			return err
		}
		if in.Body.Hash == "" {
			if order.Hash, err = a.HeadEnd.HeldImage(eui); err != nil {
				return err
			}
		}
		return a.HeadEnd.Activate(now, out, order)
	})
}

// activatable reports whether an instant can be said in ZCL UTCTime, seconds of 32
// bits since 2000.
func activatable(t time.Time) bool { return t.Year() >= 2000 && t.Year() <= 2135 }
