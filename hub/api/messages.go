package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// Message is a GBCS command for a device.
type Message struct {
	Device      han.EUI64  `json:"device"`
	Sequence    uint64     `json:"sequence" doc:"the command's originator counter, which rises with each command"`
	Code        string     `json:"code" doc:"GBCS message code, 4 hex digits"`
	Name        string     `json:"name" doc:"the use case's name"`
	State       string     `json:"state" enum:"queued,delivered" doc:"delivered: its response is to come"`
	QueuedAt    *time.Time `json:"queued_at,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty" doc:"while it is queued"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	Size        int        `json:"size,omitempty" doc:"bytes, while it is queued"`
}

// message returns the command of an order that the device did not answer yet.
func (a *API) message(o store.Order) Message {
	out := Message{
		Device: o.Device, Sequence: o.Counter, Code: fmt.Sprintf("%04X", o.Code), Name: gbcs.MessageCode(o.Code).String(),
		State: o.State.String(), QueuedAt: instant(o.GivenAt), DeliveredAt: instant(o.DeliveredAt),
	}
	if m, ok := a.Store.Message(o.Device, o.Counter); ok {
		out.ExpiresAt, out.Size = instant(m.ExpiresAt), len(m.Bytes)
	}
	return out
}

type messagesInput struct {
	Paging
	Device string `query:"device" doc:"only those for this device, 16 hex digits"`
}

type messagesOutput struct {
	Body struct {
		Messages []Message `json:"messages"`
		Next     string    `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

func (a *API) registerMessages() {
	register(a, huma.Operation{
		OperationID: "list-messages", Method: http.MethodGet, Path: "/v1/messages",
		Summary: "List the commands in the mailboxes, and those whose response is to come", Tags: []string{"supplier"},
	}, nil, func(_ context.Context, in *messagesInput) (*messagesOutput, error) {
		all, err := a.ordersTo(in.Device)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(o store.Order) bool { return o.State > store.OrderDelivered })
		items, next, err := cut(in.Paging, all, orderKey)
		if err != nil {
			return nil, err
		}
		out := &messagesOutput{}
		out.Body.Messages, out.Body.Next = []Message{}, next
		for _, o := range items {
			out.Body.Messages = append(out.Body.Messages, a.message(o))
		}
		return out, nil
	})
}
