package zigbee2mqtt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/transport/bridge"
)

// Topics below the base topic, and what follows them.
const (
	requestPrefix  = "/bridge/request/device/ota_update/"
	responsePrefix = "bridge/response/device/ota_update/"

	orderSchedule   = "schedule"
	orderUnschedule = "unschedule"
	orderUpdate     = "update"
	orderAbort      = "update/abort"
	downgrade       = "/downgrade"

	deliverURL = "url"
	deliverHex = "hex"
	// maxHex is the largest image sent inside an order, in bytes. Brokers limit the
	// length of messages, and two digits stand for each byte.
	maxHex = 4 << 20
	// maxListed bounds the names in the line about unmapped devices.
	maxListed = 10
)

// updateState is the state of an update as Zigbee2MQTT names it.
type updateState string

// The states.
const (
	stateIdle      updateState = "idle"
	stateAvailable updateState = "available"
	stateScheduled updateState = "scheduled"
	stateUpdating  updateState = "updating"
)

// handleState reads bridge/state: {"state":"online"}, or the bare word of older
// versions.
func (a *Adapter) handleState(payload []byte) error {
	var m struct {
		State string `json:"state"`
	}
	word := string(payload)
	if json.Unmarshal(payload, &m) == nil {
		word = m.State
	}
	switch word {
	case "online":
		a.online = true
	case "offline", "":
		a.online = false
	default:
		return fmt.Errorf("state %.40q: want online or offline", word)
	}
	return nil
}

// listed is an entry of bridge/devices.
type listed struct {
	Address    string `json:"ieee_address"`
	Name       string `json:"friendly_name"`
	Power      string `json:"power_source"`
	Definition *struct {
		SupportsOTA bool `json:"supports_ota"`
	} `json:"definition"`
}

// handleList reads bridge/devices, all of it before anything changes.
func (a *Adapter) handleList(payload []byte, out *bridge.Outbox) error {
	var list []listed
	if len(payload) > 0 {
		if err := json.Unmarshal(payload, &list); err != nil {
			return plainJSON(err)
		}
	}
	byAddress := map[string]listed{}
	for _, l := range list {
		byAddress[strings.ToLower(l.Address)] = l
	}
	clear(a.byName)
	mapped := map[string]bool{}
	for _, d := range a.devices {
		l, there := byAddress[d.config.Address]
		d.name, d.onBattery = l.Name, l.Power == "Battery"
		mapped[d.config.Address] = true
		if there && bridge.CheckTopic(l.Name) == nil {
			a.byName[l.Name] = d
		} else {
			d.name = ""
		}
	}
	a.note(list, mapped, out)
	return nil
}

// note tells a person which devices could be mapped.
func (a *Adapter) note(list []listed, mapped map[string]bool, out *bridge.Outbox) {
	capable, names := 0, []string{}
	for _, l := range list {
		if l.Definition == nil || !l.Definition.SupportsOTA {
			continue
		}
		capable++
		if !mapped[strings.ToLower(l.Address)] && len(names) < maxListed {
			names = append(names, fmt.Sprintf("%.40s %.20s", l.Name, l.Address))
		}
	}
	line := fmt.Sprintf("Zigbee2MQTT knows %d devices, %d take firmware", len(list), capable)
	if len(names) > 0 {
		line += "; not mapped: " + strings.Join(names, ", ")
	}
	if line != a.listed {
		a.listed = line
		out.Note(line)
	}
}

// deviceMessage is what counts of a device's state.
type deviceMessage struct {
	Battery  *float64        `json:"battery"`
	LastSeen json.RawMessage `json:"last_seen"`
	Update   *struct {
		State     updateState `json:"state"`
		Installed *float64    `json:"installed_version"`
		Progress  *float64    `json:"progress"`
	} `json:"update"`
}

// handleDevice reads a device's state.
func (d *device) handleDevice(now time.Time, a *Adapter, m bridge.Message, out *bridge.Outbox) error {
	var msg deviceMessage
	if err := decodeObject(m.Payload, &msg); err != nil {
		return err
	}
	if u := msg.Update; u != nil {
		switch u.State {
		case stateIdle, stateAvailable, stateScheduled, stateUpdating, "":
		default:
			return fmt.Errorf("update state %.40q is none that is known", string(u.State))
		}
		if u.Progress != nil && !(*u.Progress >= 0 && *u.Progress <= 100) {
			return fmt.Errorf("progress %g is not between 0 and 100", *u.Progress)
		}
	}
	if b := msg.Battery; b != nil && *b >= 0 && *b <= 100 {
		d.battery = *b
	}
	before := d.state
	if u := msg.Update; u != nil {
		d.state = u.State
		if v := u.Installed; v != nil && *v >= 0 && *v <= math.MaxUint32 && *v == math.Trunc(*v) {
			d.installed, d.known = uint32(*v), true
		}
		if u.Progress != nil && u.State == stateUpdating {
			if *u.Progress != d.progress {
				d.moved = now
			}
			d.progress = *u.Progress
		}
	}
	d.hear(now, m, msg.LastSeen, d.state != before)
	if msg.Update != nil {
		d.follow(now, a, out)
	}
	return nil
}

// hear takes a sign of life. Zigbee2MQTT also speaks by itself when an update's
// state changes, and repeats retained messages; what it writes into last_seen is
// better than guessing.
func (d *device) hear(now time.Time, m bridge.Message, lastSeen json.RawMessage, ownNews bool) {
	seen := now
	if at, ok := parseSeen(lastSeen); ok {
		seen = at
	} else if m.Retained || ownNews && d.state != stateUpdating {
		return
	}
	if seen.After(now) {
		seen = now
	}
	d.heard = later(d.heard, seen)
}

// parseSeen reads last_seen in either of its forms: ISO 8601, or milliseconds.
func parseSeen(raw json.RawMessage) (time.Time, bool) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		at, err := time.Parse(time.RFC3339, text)
		return at, err == nil
	}
	var ms float64
	if json.Unmarshal(raw, &ms) == nil && ms > 0 && ms < 1e14 {
		return time.UnixMilli(int64(ms)), true
	}
	return time.Time{}, false
}

// follow moves a device on what its update's state tells. It may be the first that
// is heard for long, after the bridge or its broker was away. Without the supplier's
// wish nothing can be said of it yet.
func (d *device) follow(now time.Time, a *Adapter, out *bridge.Outbox) {
	if !a.homely || !d.Phase.busy() || d.Phase == phaseAborting || d.Phase == phaseUnscheduling {
		return
	}
	switch d.state {
	case stateUpdating:
		if d.Phase != phaseUpdating {
			d.becomeUpdating(now)
		}
	case stateScheduled:
		if d.Phase == phaseUpdating {
			d.fail(now, a, "the device or Zigbee2MQTT gave up", out)
		}
	case stateIdle, stateAvailable:
		if d.wish != nil && d.known && d.installed == d.wish.Image.FileVersion {
			d.succeed(now, out)
			return
		}
		if d.Phase == phaseUpdating && d.Scheduled || d.Phase == phaseScheduled {
			d.fail(now, a, "Zigbee2MQTT did not give the image to the device", out)
		}
	}
}

func (d *device) succeed(now time.Time, out *bridge.Outbox) {
	d.Outcome = ""
	d.progress = 100
	d.becomeDone(now)
	out.Note(fmt.Sprintf("%s runs version %08X", d.config.Label, d.installed))
}

// response is an answer to an order.
type response struct {
	Status      string `json:"status"`
	Error       string `json:"error"`
	Transaction string `json:"transaction"`
	Data        struct {
		To struct {
			FileVersion *float64 `json:"file_version"`
		} `json:"to"`
	} `json:"data"`
}

// handleResponse reads an answer. Those to other people's orders have another
// transaction, or none.
func (a *Adapter) handleResponse(now time.Time, payload []byte, out *bridge.Outbox) error {
	var r response
	if err := decodeObject(payload, &r); err != nil {
		return err
	}
	for _, d := range a.devices {
		if r.Transaction != "" && r.Transaction == d.Transaction {
			d.handleResponse(now, a, &r, out)
			return nil
		}
	}
	return nil
}

func (d *device) handleResponse(now time.Time, a *Adapter, r *response, out *bridge.Outbox) {
	ok := r.Status == "ok"
	switch d.Phase {
	case phaseOrdered, phaseScheduled, phaseUpdating:
		switch {
		case !ok:
			d.fail(now, a, fmt.Sprintf("%.150s", r.Error), out)
		case d.Scheduled && d.Phase == phaseOrdered:
			d.becomeScheduled(now)
		case !d.Scheduled:
			// An update that was not scheduled is answered at its end.
			if v := r.Data.To.FileVersion; v != nil && d.wish != nil && *v == float64(d.wish.Image.FileVersion) {
				d.installed, d.known = d.wish.Image.FileVersion, true
				d.succeed(now, out)
			} else {
				d.fail(now, a, "Zigbee2MQTT reports another version than that of the image", out)
			}
		}
	case phaseAborting:
		// There may have been nothing to abort any more.
		d.unschedule(now, a, out)
	case phaseUnscheduling:
		d.withdrawn(now)
	case phaseWaiting, phaseDone, phaseFailed:
	}
}

// withdrawn ends a withdrawal. A device that gave way waits for its next turn.
func (d *device) withdrawn(now time.Time) {
	if d.same() {
		d.Withdrawals = 0
		d.becomeWaiting(now)
		return
	}
	d.forget(now)
}

// request publishes an order that names the device only.
func (d *device) request(a *Adapter, order string, out *bridge.Outbox) {
	out.Publish(a.config.Base+requestPrefix+order, d.payload(a, nil))
}

func (d *device) payload(a *Adapter, more map[string]any) []byte {
	a.orders++
	d.Transaction = fmt.Sprintf("commshub-%s-%d", d.config.EUI64, a.orders)
	body := map[string]any{"id": d.config.Address, "transaction": d.Transaction}
	for key, value := range more {
		body[key] = value
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings and numbers
	}
	return foreign.JSON(text)
}

func (d *device) deliver() string {
	switch {
	case d.config.Deliver != "":
		return d.config.Deliver
	case d.wish != nil && d.wish.Image.URL != "":
		return deliverURL
	default:
		return deliverHex
	}
}

// orderPayload returns the order with the image in it, or where to get it.
func (d *device) orderPayload(a *Adapter) ([]byte, error) {
	im := &d.wish.Image
	if d.deliver() == deliverURL {
		return d.payload(a, map[string]any{"url": im.URL}), nil
	}
	if im.Size > maxHex {
		return nil, fmt.Errorf("the image has %d bytes, at most %d fit into an order: use deliver: url", im.Size, maxHex)
	}
	file := make([]byte, im.Size)
	if _, err := io.ReadFull(io.NewSectionReader(im.File, 0, im.Size), file); err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	return d.payload(a, map[string]any{"hex": map[string]string{
		"data": hex.EncodeToString(file), "file_name": fmt.Sprintf("%s_%08x.ota", d.config.EUI64, im.FileVersion),
	}}), nil
}

// decodeObject reads a JSON object; null and empty payloads are none.
func decodeObject(payload []byte, into any) error {
	if trimmed := bytes.TrimSpace(payload); len(trimmed) == 0 || trimmed[0] != '{' {
		return errors.New("want a JSON object")
	}
	return plainJSON(json.Unmarshal(payload, into))
}

// plainJSON shortens the error of the JSON reader, which may repeat its input.
func plainJSON(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return fmt.Errorf("%.40s is a %s, want another type", wrong.Field, wrong.Value)
	default:
		return errors.New("malformed JSON")
	}
}
