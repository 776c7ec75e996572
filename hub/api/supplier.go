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
	"github.com/commshub/commshub/han/utrn"
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
	register(a, huma.Operation{
		OperationID: "top-up", Method: http.MethodPost, Path: pathTopUp, DefaultStatus: http.StatusAccepted,
		Summary: "Top up a gas meter (CS01b)", Tags: []string{"supplier"},
		Description: "The order waits in the meter's mailbox; what came of it comes into the list of alerts, and with the order. The 20 digits do the same when they are typed at the meter, and whichever comes first is credited.",
	}, changing(http.StatusNotFound, http.StatusConflict), a.topUp)
	a.registerLogs()
	a.registerAlerts()
}

const pathTopUp = "/v1/devices/{eui64}/top-up"

type topUpInput struct {
	DevicePath
	Key  string `header:"Idempotency-Key" maxLength:"64" doc:"the same request with the same key is done once"`
	Body struct {
		Pence uint32 `json:"pence" minimum:"1" maximum:"819100" doc:"how much; above 8191 whole pounds"`
	}
}

// TopUp is a top-up that was ordered.
type TopUp struct {
	Device han.EUI64 `json:"device"`
	Pence  uint32    `json:"pence"`
	UTRN   string    `json:"utrn" doc:"the 20 digits"`
}

type topUpOutput struct{ Body TopUp }

func (a *API) topUp(_ context.Context, in *topUpInput) (*topUpOutput, error) {
	eui, err := in.parse()
	if err != nil {
		return nil, err
	}
	if _, _, err := utrn.Amount(in.Body.Pence); err != nil {
		return nil, invalid("body.pence", in.Body.Pence, err)
	}
	o := &topUpOutput{Body: TopUp{Device: eui, Pence: in.Body.Pence}}
	return o, a.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) (err error) {
		o.Body.UTRN, err = a.HeadEnd.TopUp(now, out, eui, in.Body.Pence)
		return err
	})
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
