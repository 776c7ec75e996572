package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/trace"
)

// How often the stream tells what changed: a resource that changes with every
// block is told at most so often, and always as it is in the end.
const (
	publishEvery = 200 * time.Millisecond
	// lookEvery is how often everything is looked at for what time alone changes: a
	// meter counts as asleep, a heartbeat as overdue.
	lookEvery = time.Second
	// maxFrames is how many frames one traffic event has.
	maxFrames = 40
)

// publisher turns changes into events.
type publisher struct {
	*API
	told      map[string][]byte // by resource, what was told last
	window    map[string]uint32 // by transfer, the number of the window that was told last
	lastAlert uint64
	lastFrame uint64
	broker    brokerEvent
	anchor    anchor
}

// publish runs until ctx is done.
func (a *API) publish(ctx context.Context) {
	defer close(a.stopped)
	p := &publisher{
		API: a, told: map[string][]byte{}, window: map[string]uint32{}, lastAlert: a.Store.LastInbox(), broker: a.broker(), anchor: anchorOf(a.Clock()),
	}
	look, pause := time.NewTicker(lookEvery), time.NewTicker(publishEvery)
	defer look.Stop()
	defer pause.Stop()
	for {
		all := false
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			all = true
		case <-a.Observer.Wake():
		}
		p.tell(all)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// anchor is what a reader reckons the emulated time from.
type anchor struct {
	speed          float64
	paused         bool
	wall, emulated time.Time
}

func anchorOf(c Clock) anchor { return anchor{c.Speed, c.Paused, c.Wall, c.Emulated} }

// tell publishes what changed; with all, everything is looked at.
func (p *publisher) tell(all bool) {
	c := p.Observer.Take()
	if c.Lost > 0 {
		p.events.publish(kindLost, lost{uint64(c.Lost)})
	}
	for i := range c.Records {
		p.events.publish("record", recordOf(&c.Records[i]))
	}
	all = p.tellHub() || all
	for eui := range c.Removed {
		p.events.publish("device-removed", map[string]han.EUI64{"eui64": eui})
		p.forget(eui)
	}
	for hash := range c.Images {
		if im, ok := p.Store.ImageByFileHash(hash); ok && !im.Removed {
			p.events.publish("image", imageOf(im))
		} else {
			p.events.publish("image-removed", map[string]string{"sha256": imagecache.Hash(hash).String()})
		}
	}
	p.tellAlerts()
	p.tellDevices(&c, all)
	p.tellUpdates(&c, all)
	p.tellTraffic()
}

// once publishes a resource unless it was told in the same words last time.
func (p *publisher) once(kind, key string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("api: encode event %s: %v", kind, err))
	}
	data = foreign.JSON(data)
	name := kind + " " + key
	if bytes.Equal(p.told[name], data) {
		return
	}
	p.told[name] = data
	p.events.add(kind, data)
}

// forget drops what was told of a device.
func (p *publisher) forget(eui han.EUI64) {
	for name := range p.told {
		if strings.Contains(name, eui.String()) {
			delete(p.told, name)
		}
	}
	for key := range p.window {
		if strings.HasPrefix(key, eui.String()) {
			delete(p.window, key)
		}
	}
}

// brokerEvent is the data of the event "broker".
type brokerEvent struct {
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since_wall"`
	Reason    string    `json:"reason,omitempty"`
}

func (a *API) broker() brokerEvent {
	up, since := a.BrokerUp()
	b := brokerEvent{Connected: up, Since: since.UTC().Truncate(time.Second)}
	if !up {
		b.Reason = a.BrokerReason()
	}
	return b
}

// tellHub tells what became of the broker and the clock, and reports whether everything
// is to be looked at again.
func (p *publisher) tellHub() (changed bool) {
	if b := p.API.broker(); b != p.broker {
		p.broker = b
		p.events.publish("broker", b)
		changed = true // what devices and updates are said to be depends on it
	}
	if c := p.Clock(); anchorOf(c) != p.anchor {
		p.anchor = anchorOf(c)
		p.events.publish("clock", p.clock())
	}
	return changed
}

func (p *publisher) tellAlerts() {
	for _, r := range p.Store.Inbox(p.lastAlert, 1000) {
		p.lastAlert = r.Sequence
		p.events.publish("alert", inboxEntryOf(r))
	}
}

// tellDevices tells devices, and of those that changed what belongs to them.
func (p *publisher) tellDevices(c *observe.Changes, all bool) {
	now := p.now()
	for _, d := range p.Store.Devices() {
		if !all && !c.Devices[d.EUI64] && !c.Messages[d.EUI64] {
			continue
		}
		view := p.device(d, now)
		p.once("device", d.EUI64.String(), view)
		if c.Messages[d.EUI64] {
			p.events.publish("messages", map[string]any{"device": d.EUI64, "waiting": view.Mailbox})
		}
		if c.Mirrors[d.EUI64] {
			if m, ok := p.Store.Mirror(d.EUI64); ok {
				p.once("mirror", d.EUI64.String(), p.mirror(m))
			}
		}
		if c.Devices[d.EUI64] && view.Sleeps && !view.Awake {
			if b, err := p.Battery(d.EUI64); err == nil {
				p.once("battery", d.EUI64.String(), b)
			}
		}
	}
}

// tellUpdates tells the updates of devices that changed, or all that go on.
func (p *publisher) tellUpdates(c *observe.Changes, all bool) {
	records := p.updates(func(u store.Update) bool {
		return c.Devices[u.Device] || all && !u.State.Ended()
	})
	if len(records) == 0 {
		return
	}
	views, err := p.live(records)
	if err != nil {
		return // the hub stops
	}
	for i, u := range views {
		p.tellWindows(records[i])
		p.once("update", u.Device.String()+" "+u.Image, u)
	}
}

// windowEvent is the window of a transfer that changed.
type windowEvent struct {
	Device han.EUI64 `json:"device"`
	Image  string    `json:"image"`
	Window Window    `json:"window"`
}

// tellWindows tells the windows of a transfer from the one that was told last.
func (p *publisher) tellWindows(u store.Update) {
	now := p.now()
	key := u.Device.String() + fmt.Sprintf(" %x", u.FileHash)
	windows, open := p.Observer.Windows(u.Device, u.FileHash, p.window[key], now)
	seen, _ := p.Observer.Device(u.Device, now)
	for i := range windows {
		p.window[key] = windows[i].Number
		p.once("window", key, windowEvent{
			u.Device, fmt.Sprintf("%x", u.FileHash), windowOf(&windows[i], open && i == len(windows)-1, seen.Sleeps),
		})
	}
}

// trafficEvent is some of the newest frames.
type trafficEvent struct {
	Frames  []Frame `json:"frames"`
	Skipped uint64  `json:"skipped"`
}

// tellTraffic tells the newest frames if somebody wants them.
func (p *publisher) tellTraffic() {
	if p.readers.traffic.Load() == 0 {
		p.lastFrame = p.Observer.NewestFrame()
		return
	}
	frames, _, newest := p.Observer.Traffic(p.lastFrame, maxFrames, nil)
	if newest == p.lastFrame {
		return
	}
	e := trafficEvent{Frames: []Frame{}, Skipped: newest - p.lastFrame - uint64(len(frames))}
	for i := range frames {
		e.Frames = append(e.Frames, p.frame(&frames[i]))
	}
	p.lastFrame = newest
	p.traffic.publish(kindTraffic, e)
}

// Record is something that happened.
type Record struct {
	At     time.Time         `json:"at"`
	Node   han.EUI64         `json:"node"`
	Kind   string            `json:"kind"`
	Text   string            `json:"text"`
	Fields map[string]string `json:"fields"`
}

func recordOf(r *trace.Record) Record {
	out := Record{At: r.At.UTC(), Node: han.EUI64(r.Node), Kind: r.Kind.String(), Text: r.String(), Fields: map[string]string{}}
	for name, value := range r.Fields {
		out.Fields[name] = value
	}
	return out
}
