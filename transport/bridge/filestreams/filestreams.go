// Package filestreams gives firmware to devices that fetch files by MQTT in the
// way of AWS IoT Core's MQTT-based file delivery, which coreMQTT's file streams
// library and FreeRTOS speak. Device and bridge meet on a broker of anybody's:
//
//	device, a thing with a name                          bridge
//	   $aws/things/<thing>/streams/<stream>/…
//	   …/describe/json   {"c":"1"} ────────────────────►
//	   ◄──────── …/description/json   {"c":"1","s":1,"d":"…","r":[{"f":0,"z":40000}]}
//	   …/get/json        {"s":1,"f":0,"l":4096,"o":0,"n":2} ►
//	   ◄──────── …/data/json          {"f":0,"l":4096,"i":0,"p":"…"}, one message per block
//	   ◄──────── …/rejected/json      {"o":"BlockSizeOutOfBounds","m":"…"}
//
// and the same in CBOR with cbor as the last level. c is the client's token, s
// the stream's version, f the file, l the size of a block, o and n the first
// block and how many, b a bitmap of blocks from o on, i a block's number.
//
// A stream is named after the SHA-256 of its image, so that no device mixes two
// images. Which one a device shall fetch, a job says (jobs.go), and, retained, the
// topic commshub/streams/<thing>.
//
// Windows are the hub's, not the protocol's: a device that asks too early is
// rejected with TryLater and a number of seconds, or not answered.
package filestreams

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/bridge"
)

// Adapter serves the things of its configuration. It implements [bridge.Adapter].
type Adapter struct {
	devices []*device
	flush   time.Time // when to tell and keep what changed; zero if nothing did
	kept    map[han.EUI64]keptDownload
}

var _ bridge.Adapter = (*Adapter)(nil)

// flushDelay is how long news wait to be told and kept, so that blocks do not
// cost a write each. It is what a killed bridge may forget; the device's next
// request makes it good.
const flushDelay = time.Second

// New makes an adapter from its section of the configuration.
func New(s *bridge.Section) (*Adapter, error) {
	var c config
	if err := s.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	a := &Adapter{}
	for _, d := range c.Devices {
		a.devices = append(a.devices, &device{config: d})
	}
	return a, nil
}

// Name implements bridge.Adapter.
func (a *Adapter) Name() string { return Name }

// Devices implements bridge.Adapter.
func (a *Adapter) Devices() []bridge.Mapping {
	var all []bridge.Mapping
	for _, d := range a.devices {
		all = append(all, d.config.Mapping)
	}
	return all
}

// Territories implements bridge.Adapter.
func (a *Adapter) Territories(*bridge.Home) []string {
	var all []string
	for _, d := range a.devices {
		all = append(all, topicRoot+d.config.Thing, d.notice())
	}
	return all
}

// Filters implements bridge.Adapter.
func (a *Adapter) Filters() []string {
	var all []string
	for _, d := range a.devices {
		for _, op := range []operation{opGet, opDescribe} {
			all = append(all, topicRoot+d.config.Thing+"/streams/+/"+string(op)+"/+")
		}
		all = append(all, jobFilters(d.config.Thing)...)
	}
	return all
}

// Restore implements bridge.Adapter. What is kept of a download waits until the
// hub says that it is still wanted.
func (a *Adapter) Restore(kept []byte) error { return json.Unmarshal(kept, &a.kept) }

// HandleUp implements bridge.Adapter.
func (a *Adapter) HandleUp(now time.Time, _ string, _ *bridge.Outbox) {
	for _, d := range a.devices {
		d.announced = false
		d.dirty = true
	}
	a.flush = now
}

// HandleMessage implements bridge.Adapter.
func (a *Adapter) HandleMessage(now time.Time, m bridge.Message, out *bridge.Outbox) error {
	if m.Retained {
		return fmt.Errorf("a request that the broker kept is not answered")
	}
	if thing, request, ok := splitJobTopic(m.Topic); ok {
		d := a.device(thing)
		if d == nil {
			return fmt.Errorf("no device %s is configured", thing)
		}
		err := d.handleJob(now, m, request, out)
		a.wake(now, d)
		return err
	}
	t, err := parseTopic(m.Topic)
	if err != nil {
		return err
	}
	d := a.device(t.thing)
	if d == nil {
		return fmt.Errorf("no device %s is configured", t.thing)
	}
	request, refused := t.format.decode(m.Payload)
	if refused == nil && !d.offers(t.stream) {
		refused = rejectf(resourceNotFound, "there is no stream %s for this device now", t.stream)
	}
	if refused == nil && t.op == opDescribe {
		d.heard = now
		err = d.describe(t, request, out)
	} else if refused == nil {
		refused, err = d.get(now, t, request, out)
	}
	if err != nil {
		return err
	}
	a.wake(now, d)
	if refused == nil {
		return nil
	}
	return d.reject(t, request, refused, out)
}

// reject tells a device why its request is not served. What only a broken or
// hostile device sends is worth a line as well.
func (d *device) reject(t topic, request fields, refused *rejection, out *bridge.Outbox) error {
	if refused.code == tryLater && d.config.Early == earlySilent {
		return nil
	}
	if refused.code != tryLater && refused.code != resourceNotFound {
		out.Warn(fmt.Sprintf("%s: %v", t, refused))
	}
	payload, err := refused.encode(t.format, request.token)
	if err != nil {
		return err
	}
	out.Publish(t.with(opRejected), payload)
	return nil
}

func (a *Adapter) device(thing string) *device {
	for _, d := range a.devices {
		if d.config.Thing == thing {
			return d
		}
	}
	return nil
}

// wake sees to it that news of a device are told and kept soon; that it begins
// and how it ends, at once.
func (a *Adapter) wake(now time.Time, d *device) {
	if !d.dirty {
		return
	}
	if a.flush.IsZero() {
		a.flush = now.Add(flushDelay)
	}
	if d.offer != nil && d.offer.urgent {
		d.offer.urgent = false
		a.flush = now
	}
}

// HandleHome implements bridge.Adapter: it begins and ends offers.
func (a *Adapter) HandleHome(now time.Time, home *bridge.Home, out *bridge.Outbox) {
	for _, d := range a.devices {
		var u *bridge.Update
		if known := home.Device(d.config.EUI64); known != nil {
			u = known.Update
		}
		kept := a.kept[d.config.EUI64]
		d.take(now, u, kept, out)
		a.wake(now, d)
	}
	a.kept = nil // the first picture decides what of it is still true
}

// NextTimer implements bridge.Adapter.
func (a *Adapter) NextTimer() (time.Time, bool) { return a.flush, !a.flush.IsZero() }

// HandleTimer implements bridge.Adapter: it tells and keeps what changed.
func (a *Adapter) HandleTimer(now time.Time, out *bridge.Outbox) {
	if a.flush.IsZero() || now.Before(a.flush) {
		return
	}
	a.flush = time.Time{}
	for _, d := range a.devices {
		if d.dirty {
			d.dirty = false
			out.Report(d.report())
		}
	}
	if a.kept != nil {
		return // before the first picture of the hub nothing can have changed
	}
	all := map[han.EUI64]keptDownload{}
	for _, d := range a.devices {
		if d.offer != nil {
			all[d.config.EUI64] = d.offer.keep()
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		out.Warn(fmt.Sprintf("keep progress: %v", err))
		return
	}
	out.Keep(text)
}

// HandleDown implements bridge.Adapter.
func (a *Adapter) HandleDown(out *bridge.Outbox) {
	for _, d := range a.devices {
		out.Retain(d.notice(), nil)
	}
}

// label is what a person calls a device.
func (d *device) label() string {
	if d.config.Label == "" {
		return d.config.Thing
	}
	return d.config.Label + " (" + d.config.Thing + ")"
}
