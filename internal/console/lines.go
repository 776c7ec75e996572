package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/foreign"
)

// lineTime is how emulated time is written in lines.
const lineTime = "2006-01-02 15:04:05Z"

// WatchLines tells the staged transfers as plain lines, or as JSON with one object a
// line, until ctx is done or until says that there is nothing to wait for.
func WatchLines(ctx context.Context, out io.Writer, s Source, only []han.EUI64, until Until, asJSON bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := &lines{out: out, only: only, asJSON: asJSON, states: map[Transfer]string{}, windows: map[Transfer]uint32{}, cuts: map[Transfer]uint32{}}
	var result error
	err := Follow(ctx, s, func(m Message) {
		if ctx.Err() != nil {
			return
		}
		l.take(m)
		if l.failed != nil {
			result = l.failed
			cancel()
			return
		}
		if until == nil || l.home == nil {
			return
		}
		if over, err := until(l.home.watched(only)); over {
			result = err
			cancel()
		}
	})
	return errors.Join(err, result)
}

// lines remembers what was told already.
type lines struct {
	out     io.Writer
	only    []han.EUI64
	asJSON  bool
	home    *Home
	states  map[Transfer]string
	windows map[Transfer]uint32 // the last window that was told whole
	cuts    map[Transfer]uint32 // the last one that was told to be interrupted
	failed  error               // of the writer
}

// line is one JSON object. At is emulated time.
type line struct {
	Event  string      `json:"event"` // connected, disconnected, broker, update, window
	At     time.Time   `json:"at"`
	Reason string      `json:"reason,omitempty"`
	Device *han.EUI64  `json:"device,omitempty"`
	Image  string      `json:"image,omitempty"`
	Update *api.Update `json:"update,omitempty"`
	Window *api.Window `json:"window,omitempty"`
	// Connected tells of the event "broker" whether the hub has it.
	Connected *bool `json:"connected,omitempty"`
}

func (l *lines) wanted(eui han.EUI64) bool { return len(l.only) == 0 || slices.Contains(l.only, eui) }

func (l *lines) take(m Message) {
	wall := time.Now()
	switch m := m.(type) {
	case *Home:
		l.home = m
		l.tell(line{Event: "connected", At: m.Clock.At(wall)}, fmt.Sprintf("connected to the hub %s, one second is %g emulated ones", m.Hub.EUI64, m.Clock.Speed))
		for _, u := range m.watched(l.only) {
			l.update(u, wall)
			l.whileAway(u, wall)
		}
	case error:
		if l.home != nil {
			l.tell(line{Event: "disconnected", At: l.home.Clock.At(wall), Reason: m.Error()}, "disconnected: "+m.Error())
		}
	case client.Event:
		if l.home == nil {
			return
		}
		l.home.apply(m, wall)
		l.event(m, wall)
	}
}

func (l *lines) event(e client.Event, wall time.Time) {
	switch e.Kind {
	case "update":
		if u, ok := decode[api.Update](e.Data); ok && l.wanted(u.Device) {
			l.update(u, wall)
		}
	case "broker":
		b := l.home.Hub
		text := "the hub has its broker again"
		if !b.BrokerConnected {
			text = "the hub has no broker" + sinceWall(b.BrokerSince) + ", and reaches no device"
		}
		l.tell(line{Event: "broker", At: l.home.Clock.At(wall), Connected: &b.BrokerConnected}, text)
	case "window":
		if w, ok := decode[windowEvent](e.Data); ok && l.wanted(w.Device) {
			l.window(w, wall)
		}
	}
}

// update tells an update whose state, or reason to wait, is another than before.
func (l *lines) update(u api.Update, wall time.Time) {
	key := Transfer{u.Device, u.Image}
	state := StateText(u) + u.Outcome + notRecorded(u)
	if u.Waiting != nil {
		state += u.Waiting.Code
	}
	if l.states[key] == state {
		return
	}
	l.states[key] = state
	now := l.home.Clock.At(wall)
	text := fmt.Sprintf("%s %s: %s, %s", u.Kind, u.Version, StateText(u), shareText(u))
	if missing := notRecorded(u); missing != "" {
		text += "; " + missing
	}
	if reason := why(u, now, l.home.Clock); reason != "" {
		text += ": " + reason
	}
	if u.ExpectedAt != nil {
		text += "; complete in " + l.home.Clock.left(u.ExpectedAt.Sub(now))
	}
	l.tell(line{Event: "update", At: now, Update: &u}, text)
}

// whileAway tells what nobody saw: windows that ended since the last one that was told,
// and, also of a hub that is seen for the first time, those in which it was interrupted.
func (l *lines) whileAway(u api.Update, wall time.Time) {
	key := Transfer{u.Device, u.Image}
	last, seen := l.windows[key]
	for _, w := range l.home.Windows[key] {
		switch {
		case w.Interrupted && l.cuts[key] < w.Number:
			l.cuts[key] = w.Number
			l.tellWindow(windowEvent{u.Device, u.Image, w}, wall)
		case seen && !w.Open && w.Number > last:
			l.window(windowEvent{u.Device, u.Image, w}, wall)
		}
	}
}

// window tells a window once it is over. A JSON reader gets every state of it.
func (l *lines) window(w windowEvent, wall time.Time) {
	key := Transfer{w.Device, w.Image}
	if !l.asJSON && (w.Window.Open || l.windows[key] >= w.Window.Number) {
		return
	}
	l.windows[key] = w.Window.Number
	l.tellWindow(w, wall)
}

func (l *lines) tellWindow(w windowEvent, wall time.Time) {
	kind := w.Device.String()
	if d, ok := l.home.device(w.Device); ok {
		kind = d.Kind
	}
	l.tell(line{Event: "window", At: l.home.Clock.At(wall), Device: &w.Device, Image: w.Image, Window: &w.Window}, kind+" "+windowText(w.Window))
}

func (l *lines) tell(v line, text string) {
	if l.failed != nil {
		return
	}
	if !l.asJSON {
		_, l.failed = fmt.Fprintf(l.out, "%s  %s\n", v.At.UTC().Format(lineTime), text)
		return
	}
	v.At = v.At.UTC().Truncate(time.Millisecond)
	l.failed = json.NewEncoder(foreign.Writer(l.out)).Encode(v)
}

// Snapshot is the home at one moment, as JSON.
type Snapshot struct {
	At        time.Time        `json:"at"` // emulated
	Speed     float64          `json:"speed"`
	Hub       api.Hub          `json:"hub"`
	Devices   []api.Device     `json:"devices"`
	Updates   []api.Update     `json:"updates"`
	Batteries []api.Battery    `json:"batteries"`
	Alerts    []api.InboxEntry `json:"alerts"`
}

// TopOnce writes the home as it is now, for a person or as one JSON object.
func TopOnce(ctx context.Context, out io.Writer, s Source, asJSON bool) error {
	h, err := read(ctx, s)
	if err != nil {
		return err
	}
	wall := time.Now()
	if !asJSON {
		_, err := fmt.Fprintln(out, h.overview(paint{}, wall, 1000, 0))
		return err
	}
	snapshot := Snapshot{At: h.Clock.At(wall).UTC().Truncate(time.Millisecond), Speed: h.Clock.Speed, Hub: h.Hub,
		Devices: h.Devices, Updates: h.Updates, Batteries: []api.Battery{}, Alerts: h.Alerts}
	for _, d := range h.Devices {
		if b, ok := h.Batteries[d.EUI64]; ok {
			snapshot.Batteries = append(snapshot.Batteries, b)
		}
	}
	e := json.NewEncoder(foreign.Writer(out))
	e.SetIndent("", "  ")
	return e.Encode(snapshot)
}
