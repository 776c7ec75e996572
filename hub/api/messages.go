package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
)

// Message is a GBCS command for a device.
type Message struct {
	Device      han.EUI64  `json:"device"`
	Sequence    uint64     `json:"sequence" doc:"rises with each message that the hub queues"`
	Code        string     `json:"code" doc:"GBCS message code, 4 hex digits"`
	Name        string     `json:"name" doc:"the use case's name"`
	State       string     `json:"state" enum:"queued,delivered" doc:"delivered: its response is to come"`
	QueuedAt    *time.Time `json:"queued_at,omitempty"`
	ExpiresAt   *time.Time `json:"expires_at,omitempty"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	Size        int        `json:"size" doc:"bytes"`
}

func messageOf(m store.Message) Message {
	out := Message{
		Device: m.Device, Sequence: m.Sequence, Code: fmt.Sprintf("%04X", m.Code), Name: gbcs.MessageCode(m.Code).String(),
		State: "delivered", QueuedAt: instant(m.QueuedAt), ExpiresAt: instant(m.ExpiresAt), DeliveredAt: instant(m.DeliveredAt),
		Size: len(m.Bytes),
	}
	if hub.IsQueued(m) {
		out.State = "queued"
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
		all := a.Store.Messages()
		if in.Device != "" {
			eui, err := han.ParseEUI64(in.Device)
			if err != nil {
				return nil, invalid("query.device", in.Device, err)
			}
			all = a.Store.MessagesOf(eui)
		}
		items, next, err := cut(in.Paging, all, func(m store.Message) string { return fmt.Sprintf("%s %020d", m.Device, m.Sequence) })
		if err != nil {
			return nil, err
		}
		out := &messagesOutput{}
		out.Body.Messages, out.Body.Next = []Message{}, next
		for _, m := range items {
			out.Body.Messages = append(out.Body.Messages, messageOf(m))
		}
		return out, nil
	})
}
