package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
)

// ErrNotAnswered tells that an order still waits for its device.
var ErrNotAnswered = errors.New("not answered yet: the order waits for it, and commshub firmware orders will show what came of it")

// answerPoll is how often the hub is asked for the answer.
const answerPoll = 100 * time.Millisecond

// Versioned returns what somebody names who asks for a firmware version: a device as
// [FindDevices] has it, "hub" for the hub itself, its CHF, or "gpf" for what the gas proxy
// was told last of the gas meter's.
func Versioned(ctx context.Context, c *client.Client, name string) (han.EUI64, error) {
	hub, gpf := strings.EqualFold(name, "hub"), strings.EqualFold(name, "gpf")
	if !hub && !gpf {
		devices, err := FindDevices(ctx, c, name)
		if err != nil {
			return 0, err
		}
		return devices[0], nil
	}
	var about api.Hub
	if err := c.Call(ctx, http.MethodGet, "/v1/hub", nil, &about); err != nil {
		return 0, err
	}
	if gpf {
		return about.EUI64, nil
	}
	return about.CHF, nil
}

// ReadVersion asks a device which firmware it runs, and waits for the answer as long as
// patience says. It returns the order with what became of it; the error is
// [ErrNotAnswered] if that is still open, and says why if there is no version.
func ReadVersion(ctx context.Context, c *client.Client, eui han.EUI64, patience time.Duration) (api.Order, error) {
	return ask(ctx, c, eui, "firmware-version", []string{"0059", "0084"}, patience)
}

// ask gives a device an order of one of the use cases, and waits for the answer.
func ask(ctx context.Context, c *client.Client, eui han.EUI64, what string, codes []string, patience time.Duration) (api.Order, error) {
	before, err := newestOrder(ctx, c, eui, codes)
	if err != nil {
		return api.Order{}, err
	}
	if err := c.Call(ctx, http.MethodPost, "/v1/devices/"+eui.String()+"/"+what, nil, nil); err != nil {
		return api.Order{}, err
	}
	over := time.After(patience)
	for {
		o, err := newestOrder(ctx, c, eui, codes)
		switch {
		case err != nil:
			return o, err
		case o.Counter == before.Counter:
			return o, fmt.Errorf("%s: the hub has no order of it", eui)
		case o.State == "done":
			return o, nil
		case o.State != "queued" && o.State != "delivered":
			return o, fmt.Errorf("%s: %s", eui, strings.TrimSuffix(o.State+", "+o.Outcome, ", "))
		}
		select {
		case <-time.After(answerPoll):
		case <-over:
			return o, fmt.Errorf("%s: %w", eui, ErrNotAnswered)
		case <-ctx.Done():
			return o, fmt.Errorf("%s: %w", eui, ErrNotAnswered)
		}
	}
}

// newestOrder returns the last order to a device of one of the use cases, a zero one if
// there is none.
func newestOrder(ctx context.Context, c *client.Client, eui han.EUI64, codes []string) (o api.Order, err error) {
	var list struct{ Orders []api.Order }
	err = c.Call(ctx, http.MethodGet, "/v1/orders?limit=1000&device="+eui.String(), nil, &list)
	for _, each := range list.Orders {
		if slices.Contains(codes, each.Code) && each.Counter > o.Counter {
			o = each
		}
	}
	return o, err
}
