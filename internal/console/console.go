// Package console shows a running hub to somebody at a terminal: the staged
// transfers (Watch) and the whole home (Top), or, where nobody looks, the same as
// plain lines or as JSON, one value a line.
//
// It knows the hub through its REST interface only. Follow reads everything once and
// then the hub's events; the views are functions of what it told, of the emulated
// clock and of the width, and nothing else.
package console

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
)

// Home is what is known of a running hub and its home.
type Home struct {
	Hub       api.Hub
	Clock     Clock
	Devices   []api.Device
	Updates   []api.Update // oldest first
	Batteries map[han.EUI64]api.Battery
	Windows   map[Transfer][]api.Window // by number
	Alerts    []api.InboxEntry          // newest first
	Gone      error                     // why the hub does not answer, nil if it does
	GoneSince time.Time                 // on the wall clock
}

// Transfer names the distribution of one image to one device.
type Transfer struct {
	Device han.EUI64
	Image  string
}

// Clock is the emulated clock as it was told, and when that was.
type Clock struct {
	emulated, wall time.Time
	Speed          float64
	Paused         bool
}

// newClock takes over what the hub told at wall.
func newClock(c api.Clock, wall time.Time) Clock {
	return Clock{emulated: c.Now, wall: wall, Speed: c.Speed, Paused: c.Paused}
}

// At returns the emulated time at an instant of the wall clock.
func (c Clock) At(wall time.Time) time.Time {
	if c.Paused {
		return c.emulated
	}
	return c.emulated.Add(time.Duration(float64(wall.Sub(c.wall)) * c.Speed))
}

// Real returns how long an emulated duration takes on the wall clock.
func (c Clock) Real(emulated time.Duration) time.Duration {
	if c.Speed <= 0 {
		return emulated
	}
	return time.Duration(float64(emulated) / c.Speed)
}

// ended are the states from which an update does not go on.
var ended = []string{"activated", "failed", "cancelled", "superseded"}

// keptAlerts is how many alerts are kept to be shown.
const keptAlerts = 50

// Current returns each device's update in hand, or else its last one, sorted by device.
func (h *Home) Current() []api.Update {
	byDevice := map[han.EUI64]api.Update{}
	for _, u := range h.Updates {
		have, ok := byDevice[u.Device]
		if !ok || slices.Contains(ended, have.State) || !slices.Contains(ended, u.State) {
			byDevice[u.Device] = u
		}
	}
	var out []api.Update
	for _, u := range byDevice {
		out = append(out, u)
	}
	slices.SortFunc(out, func(x, y api.Update) int { return cmp.Compare(x.Device, y.Device) })
	return out
}

// device returns the device log's entry.
func (h *Home) device(eui han.EUI64) (api.Device, bool) {
	i := slices.IndexFunc(h.Devices, func(d api.Device) bool { return d.EUI64 == eui })
	if i < 0 {
		return api.Device{}, false
	}
	return h.Devices[i], true
}

// windowEvent is the data of the event "window".
type windowEvent struct {
	Device han.EUI64  `json:"device"`
	Image  string     `json:"image"`
	Window api.Window `json:"window"`
}

// brokerEvent is the data of the event "broker".
type brokerEvent struct {
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since_wall"`
}

// apply takes an event that came at wall. Kinds that are not shown, and data that
// cannot be read, which a newer hub may send, change nothing.
func (h *Home) apply(e client.Event, wall time.Time) {
	switch e.Kind {
	case "device":
		if d, ok := decode[api.Device](e.Data); ok {
			h.Devices = put(h.Devices, d, func(x api.Device) bool { return x.EUI64 == d.EUI64 })
			slices.SortFunc(h.Devices, func(x, y api.Device) int { return cmp.Compare(x.EUI64, y.EUI64) })
		}
	case "device-removed":
		if d, ok := decode[api.Device](e.Data); ok {
			h.Devices = slices.DeleteFunc(h.Devices, func(x api.Device) bool { return x.EUI64 == d.EUI64 })
		}
	case "update":
		if u, ok := decode[api.Update](e.Data); ok {
			h.Updates = put(h.Updates, u, func(x api.Update) bool { return x.Device == u.Device && x.Image == u.Image })
		}
	case "window":
		if w, ok := decode[windowEvent](e.Data); ok {
			h.takeWindow(w)
		}
	case "battery":
		if b, ok := decode[api.Battery](e.Data); ok {
			h.Batteries[b.Device] = b
		}
	case "alert":
		if a, ok := decode[api.InboxEntry](e.Data); ok {
			h.Alerts = slices.Insert(h.Alerts, 0, a)
			h.Alerts = h.Alerts[:min(len(h.Alerts), keptAlerts)]
		}
	case "broker":
		if b, ok := decode[brokerEvent](e.Data); ok {
			h.Hub.BrokerConnected, h.Hub.BrokerSince = b.Connected, &b.Since
		}
	case "clock":
		if c, ok := decode[api.Clock](e.Data); ok {
			h.Clock = newClock(c, wall)
		}
	}
}

func (h *Home) takeWindow(w windowEvent) {
	key := Transfer{w.Device, w.Image}
	list := h.Windows[key]
	i, found := slices.BinarySearchFunc(list, w.Window.Number, func(x api.Window, n uint32) int { return cmp.Compare(x.Number, n) })
	if found {
		list[i] = w.Window
	} else {
		h.Windows[key] = slices.Insert(list, i, w.Window)
	}
}

// put replaces the element that same finds, or appends one.
func put[T any](list []T, v T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}

func decode[T any](data []byte) (v T, ok bool) { return v, json.Unmarshal(data, &v) == nil }
