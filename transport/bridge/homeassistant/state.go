package homeassistant

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/transport/bridge"
)

// supplyNames are the states of the supply, by their number.
var supplyNames = [...]string{
	metering.SupplyOff: "off", metering.SupplyArmed: "armed", metering.SupplyOn: "on",
}

// The states of a meter's heartbeat.
const (
	heartbeatOnTime  = "on time"
	heartbeatOverdue = "overdue"
)

// hubState is the state of the hub as a device.
func hubState(home *bridge.Home) map[string]any {
	updates := 0
	for i := range home.Devices {
		if u := home.Devices[i].Update; u != nil && !u.State.Ended() {
			updates++
		}
	}
	return map[string]any{"devices": len(home.Devices), "updates": updates, "speed": home.Speed}
}

// meterState is the state of a meter: what is known of it, and nothing else.
func (a *Adapter) meterState(now time.Time, d *bridge.Device) map[string]any {
	s := map[string]any{}
	if d.Kind == kindGas {
		put(s, "gas", d.Reading)
		if v, ok := d.Readings[metering.AttributeRemainingBatteryLife]; ok && v.Number <= 100 {
			s["battery"] = v.Number
		}
		if v, ok := d.Readings[metering.AttributeRemainingBatteryLifeInDays]; ok {
			s["battery_days"] = v.Number
		}
		switch {
		case !d.OverdueSince.IsZero():
			s["heartbeat"] = heartbeatOverdue
			s["overdue_since"] = a.times.real(now, a.home, d.EUI64, "overdue", d.OverdueSince)
		case !d.NextHeartbeat.IsZero():
			s["heartbeat"] = heartbeatOnTime
			s["next_heartbeat"] = a.times.real(now, a.home, d.EUI64, "next", d.NextHeartbeat)
		}
	} else {
		put(s, "energy", d.Reading)
		put(s, "power", d.Demand)
	}
	if v, ok := d.Readings[metering.AttributeSupplyStatus]; ok && v.Number < uint64(len(supplyNames)) {
		s["supply"] = supplyNames[v.Number]
	}
	if !d.LastHeard.IsZero() {
		s["last_heard"] = a.times.real(now, a.home, d.EUI64, "last", d.LastHeard)
	}
	return s
}

func put(s map[string]any, key string, read func() (float64, bool)) {
	if v, ok := read(); ok {
		s[key] = v
	}
}

// update is the state of an update entity. Home Assistant drops a message with a
// member it does not know, or with null where a text should be.
type update struct {
	Installed  string   `json:"installed_version,omitempty"`
	Latest     string   `json:"latest_version,omitempty"`
	Summary    string   `json:"release_summary,omitempty"`
	InProgress bool     `json:"in_progress"`
	Percentage *float64 `json:"update_percentage"` // null: not in progress, or not known
}

// maxSummary is how long a summary may be, in bytes.
const maxSummary = 255

// updateState returns the state of a meter's update entity. There is something to
// install as soon as the hub has an image for the meter; whether the meter holds
// it by then, the summary says; and that it was ordered to be installed before.
func updateState(d *bridge.Device, ordered bool) update {
	s := update{Installed: d.Version, Latest: d.Version}
	u := d.Update
	switch {
	case u == nil:
		return s
	case u.State.Ended():
		if v := versionText(u.Image.FileVersion); u.State == bridge.Activated && d.Version != "" && d.Version != v {
			s.Summary = "Version " + v + ", which the hub distributed last, was replaced since."
		}
		return s
	}
	s.Latest = versionText(u.Image.FileVersion)
	switch u.State {
	case bridge.Downloading:
		s.InProgress = true
		percent := 0.0
		if u.Image.Size > 0 {
			percent = float64(min(int64(u.Offset), u.Image.Size)*100) / float64(u.Image.Size)
		}
		percent = float64(int(percent*10)) / 10
		s.Percentage = &percent
		s.Summary = "The meter fetches the image."
	case bridge.Activating:
		s.InProgress = true
		s.Summary = "The meter switches."
	case bridge.Transferred:
		s.Summary = "The meter holds the image and can install it."
	case bridge.Dated:
		s.Summary = "The meter will switch: " + u.Outcome
	default:
		s.Summary = "The image is on offer; the meter has not begun to fetch it."
	}
	if !d.OverdueSince.IsZero() {
		s.InProgress, s.Percentage = false, nil
		if u.State == bridge.Downloading {
			s.Summary = "It has a part of the image."
		}
		s.Summary = "The meter is silent: its heartbeat is overdue. " + s.Summary
	}
	if ordered {
		s.Summary += " It will be installed as soon as the meter holds it."
	}
	s.Summary = s.Summary[:min(len(s.Summary), maxSummary)]
	return s
}

func versionText(v uint32) string {
	const digits = "0123456789ABCDEF"
	b := make([]byte, 8)
	for i := range b {
		b[i] = digits[v>>(28-4*i)&0xF]
	}
	return string(b)
}

// instants remembers at which real instant an emulated one comes about, so that
// reckoning it again from another moment does not shift it.
type instants map[instantKey]instant

type instantKey struct {
	device han.EUI64
	what   string
}

type instant struct {
	emulated time.Time
	speed    float64
	text     string
}

// real returns the real instant in RFC 3339.
func (i instants) real(now time.Time, home *bridge.Home, device han.EUI64, what string, emulated time.Time) string {
	key := instantKey{device, what}
	if known, ok := i[key]; ok && known.emulated.Equal(emulated) && known.speed == home.Speed {
		return known.text
	}
	at := now
	if home.Speed > 0 {
		at = now.Add(time.Duration(float64(emulated.Sub(home.Now)) / home.Speed))
	}
	text := at.UTC().Truncate(time.Second).Format(time.RFC3339)
	i[key] = instant{emulated, home.Speed, text}
	return text
}
