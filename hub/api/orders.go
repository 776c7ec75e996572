package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/store"
)

// Order is a command that the supplier gave to a device, and what became of it.
type Order struct {
	Device      han.EUI64  `json:"device"`
	Counter     uint64     `json:"counter" doc:"originator counter, which names the order"`
	Code        string     `json:"code" doc:"GBCS message code, 4 hex digits"`
	Name        string     `json:"name" doc:"the use case's name"`
	Hash        string     `json:"image_hash,omitempty" doc:"Manufacturer Image Hash that an order to activate names"`
	ExecuteAt   *time.Time `json:"execute_at,omitempty" doc:"when a dated order is to be carried out"`
	Cancels     bool       `json:"cancels,omitempty" doc:"it drops the activation that is dated"`
	State       string     `json:"state" enum:"queued,delivered,accepted,done,failed,expired,dropped" doc:"accepted: to be carried out at its time; dropped: a later order took its place before that"`
	Outcome     string     `json:"outcome,omitempty" doc:"what the device said"`
	GivenAt     *time.Time `json:"given_at,omitempty"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	ChangedAt   *time.Time `json:"changed_at,omitempty"`
}

func orderOf(o store.Order) Order {
	out := Order{
		Device: o.Device, Counter: o.Counter, Code: fmt.Sprintf("%04X", o.Code), Name: gbcs.MessageCode(o.Code).String(),
		ExecuteAt: instant(o.ExecuteAt), Cancels: o.Cancels, State: o.State.String(), Outcome: o.Outcome,
		GivenAt: instant(o.GivenAt), DeliveredAt: instant(o.DeliveredAt), ChangedAt: instant(o.ChangedAt),
	}
	if o.Hash != (ota.ImageHash{}) {
		out.Hash = o.Hash.String()
	}
	return out
}

// orderKey sorts orders as the store does.
func orderKey(o store.Order) string { return fmt.Sprintf("%s %020d", o.Device, o.Counter) }

// ordersTo returns the orders to a device, or all if none is named.
func (a *API) ordersTo(device string) ([]store.Order, error) {
	if device == "" {
		return a.Store.Orders(), nil
	}
	eui, err := han.ParseEUI64(device)
	if err != nil {
		return nil, invalid("query.device", device, err)
	}
	return a.Store.OrdersOf(eui), nil
}

type ordersInput struct {
	Paging
	Device string `query:"device" doc:"only those to this device, 16 hex digits"`
}

type ordersOutput struct {
	Body struct {
		Orders []Order `json:"orders"`
		Next   string  `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

func (a *API) registerOrders() {
	register(a, huma.Operation{
		OperationID: "list-orders", Method: http.MethodGet, Path: "/v1/orders",
		Summary: "List the supplier's orders and what became of them, the newest 64 of each device", Tags: []string{"supplier"},
	}, nil, func(_ context.Context, in *ordersInput) (*ordersOutput, error) {
		all, err := a.ordersTo(in.Device)
		if err != nil {
			return nil, err
		}
		items, next, err := cut(in.Paging, all, orderKey)
		if err != nil {
			return nil, err
		}
		out := &ordersOutput{}
		out.Body.Orders, out.Body.Next = []Order{}, next
		for _, o := range items {
			out.Body.Orders = append(out.Body.Orders, orderOf(o))
		}
		return out, nil
	})
}
