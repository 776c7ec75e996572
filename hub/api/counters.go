package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
)

// Counter is how far the orders of an originator to a device are counted.
type Counter struct {
	Device      han.EUI64  `json:"device"`
	Supplier    han.EUI64  `json:"supplier" doc:"whose orders: their originator"`
	LastCounter uint64     `json:"last_counter,omitempty" doc:"originator counter of the last order to the device that is kept"`
	LastUsedAt  *time.Time `json:"last_used_at,omitempty" doc:"when that order was given"`
	NextCounter uint64     `json:"next_counter" doc:"what an order would have now: milliseconds since 1970, and always above the last to any device"`
}

// CounterOf returns what is shown of a counter.
func CounterOf(c headend.Counter) Counter {
	return Counter{Device: c.Device, Supplier: c.Originator, LastCounter: c.Last, LastUsedAt: instant(c.LastAt), NextCounter: c.Next}
}

type countersOutput struct {
	Body struct {
		Counters []Counter `json:"counters"`
		Next     string    `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

func (a *API) registerCounters() {
	register(a, huma.Operation{
		OperationID: "list-counters", Method: http.MethodGet, Path: "/v1/counters",
		Summary: "List the originator counters of orders: the last to each device, and the next", Tags: []string{"supplier"},
	}, nil, func(_ context.Context, in *Paging) (*countersOutput, error) {
		items, next, err := cut(*in, a.HeadEnd.Counters(a.now()), func(c headend.Counter) string { return c.Device.String() })
		if err != nil {
			return nil, err
		}
		out := &countersOutput{}
		out.Body.Counters, out.Body.Next = []Counter{}, next
		for _, c := range items {
			out.Body.Counters = append(out.Body.Counters, CounterOf(c))
		}
		return out, nil
	})
}
