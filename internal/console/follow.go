package console

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
)

// Source is a hub's REST interface.
type Source interface {
	// Get reads a resource; there is false for one that does not exist.
	Get(ctx context.Context, path string, out any) (there bool, err error)
	// Events reads server-sent events of some kinds until the connection ends or
	// yield returns an error.
	Events(ctx context.Context, kinds string, yield func(e client.Event) error) error
}

// Message is what Follow tells: a *Home when everything was read anew, a client.Event, or
// an error when the hub went away.
type Message any

const (
	kinds      = "device,device-removed,update,window,battery,alert,clock,broker"
	retryPause = time.Second
)

// Follow tells what happens at a hub until ctx is done. It connects again when the
// hub went away; only if it was never reached does Follow return an error.
func Follow(ctx context.Context, s Source, tell func(m Message)) error {
	reached := false
	for {
		err := s.Events(ctx, kinds, func(e client.Event) error {
			if e.Kind != "hello" && e.Kind != "lost" {
				tell(e)
				return nil
			}
			// What happens meanwhile comes afterwards, as events.
			h, err := read(ctx, s)
			if err != nil {
				return err
			}
			reached = true
			tell(h)
			return nil
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case !reached:
			return err
		case err == nil:
			err = fmt.Errorf("the hub ended the connection")
		}
		tell(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryPause):
		}
	}
}

// read reads everything.
func read(ctx context.Context, s Source) (*Home, error) {
	h := &Home{Batteries: map[han.EUI64]api.Battery{}, Windows: map[Transfer][]api.Window{}}
	var clock api.Clock
	var devices struct{ Devices []api.Device }
	var alerts struct{ Alerts []api.InboxEntry }
	for _, r := range []struct {
		path string
		out  any
	}{
		{"/v1/hub", &h.Hub}, {"/v1/clock", &clock}, {"/v1/devices", &devices},
		{fmt.Sprintf("/v1/alerts?order=newest&limit=%d", keptAlerts), &alerts},
	} {
		if _, err := s.Get(ctx, r.path, r.out); err != nil {
			return nil, err
		}
	}
	h.Clock, h.Devices, h.Alerts = newClock(clock, time.Now()), devices.Devices, alerts.Alerts
	if err := h.readUpdates(ctx, s); err != nil {
		return nil, err
	}
	for _, d := range h.Devices {
		var b api.Battery
		there, err := s.Get(ctx, "/v1/devices/"+d.EUI64.String()+"/battery", &b)
		if err != nil {
			return nil, err
		}
		if there {
			h.Batteries[d.EUI64] = b
		}
	}
	return h, nil
}

func (h *Home) readUpdates(ctx context.Context, s Source) error {
	for next := ""; ; {
		var page struct {
			Updates []api.Update
			Next    string
		}
		if _, err := s.Get(ctx, "/v1/updates?limit=1000&cursor="+next, &page); err != nil {
			return err
		}
		h.Updates = append(h.Updates, page.Updates...)
		if next = page.Next; next == "" {
			break
		}
	}
	for _, u := range h.Current() {
		var t api.Timeline
		there, err := s.Get(ctx, "/v1/updates/"+u.Device.String()+"/timeline?image="+url.QueryEscape(u.Image), &t)
		if err != nil {
			return err
		}
		if there {
			h.Windows[Transfer{u.Device, u.Image}] = t.Windows
		}
	}
	return nil
}
