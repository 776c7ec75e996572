package zigbee2mqtt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/bridge"
)

const (
	sensor  = han.EUI64(0x00DB12345678B001)
	plug    = han.EUI64(0x00DB12345678B002)
	address = "0x00124b0000000001"
)

var (
	start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	file  = bytes.Repeat([]byte("image"), 20)
)

// world is an adapter with somebody who plays Zigbee2MQTT and the hub.
type world struct {
	t    *testing.T
	a    *Adapter
	now  time.Time
	home bridge.Home
	out  bridge.Outbox
	kept []byte
	last map[han.EUI64]bridge.Report
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	c := Config{Base: defaultBase, Concurrency: 1, Attempts: 2, GiveWay: time.Hour, Devices: []DeviceConfig{
		{Mapping: bridge.Mapping{EUI64: sensor, Label: "sensor"}, Address: address, BatteryFloor: 30},
		{Mapping: bridge.Mapping{EUI64: plug, Label: "plug"}, Address: "0x00124B0000000002"},
	}}
	if change != nil {
		change(&c)
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, a: a, now: start, last: map[han.EUI64]bridge.Report{}, home: bridge.Home{Devices: []bridge.Device{
		{EUI64: sensor, Kind: bridge.KindBridged}, {EUI64: plug, Kind: bridge.KindBridged},
	}}}
	w.a.HandleUp(w.now, "", &w.out)
	w.hear("bridge/state", `{"state":"online"}`)
	w.hear("bridge/devices", `[{"ieee_address":"0x00124b0000000001","friendly_name":"hall/sensor","power_source":"Battery","definition":{"supports_ota":true}},
		{"ieee_address":"0x00124b0000000002","friendly_name":"plug","power_source":"Mains (single phase)","definition":{"supports_ota":true}},
		{"ieee_address":"0x00124b0000000003","friendly_name":"other","definition":null}]`)
	w.show()
	return w
}

// wish distributes an image to a device, or withdraws it with version 0.
func (w *world) wish(eui han.EUI64, version uint32) {
	w.t.Helper()
	d := w.home.Device(eui)
	d.Update = nil
	if version != 0 {
		d.Update = update(version, w.now)
	}
	w.show()
}

// update is an update that was just distributed.
func update(version uint32, at time.Time) *bridge.Update {
	return &bridge.Update{State: bridge.Pending, Started: at, Image: bridge.Image{
		Hash: bridge.Hash{byte(version)}, Size: int64(len(file)), FileVersion: version,
		File: bytes.NewReader(file), URL: "http://127.0.0.1:8099/token/x.ota",
	}}
}

func (w *world) show() { w.a.HandleHome(w.now, &w.home, &w.out); w.collect() }

func (w *world) collect() {
	for _, r := range w.out.Reports() {
		w.last[r.Device] = r
	}
	if k := w.out.Kept(); k != nil {
		w.kept = k
	}
}

func (w *world) hear(topic, payload string) {
	w.t.Helper()
	m := bridge.Message{Topic: "zigbee2mqtt/" + topic, Payload: []byte(payload), Retained: strings.HasPrefix(topic, "bridge/")}
	if err := w.a.HandleMessage(w.now, m, &w.out); err != nil {
		w.t.Fatalf("%s %s: %v", topic, payload, err)
	}
	w.collect()
}

// pass lets time go by, with the adapter's timers.
func (w *world) pass(d time.Duration) {
	end := w.now.Add(d)
	for {
		at, set := w.a.NextTimer()
		if !set || at.After(end) {
			break
		}
		w.now = at
		w.a.HandleTimer(w.now, &w.out)
		w.collect()
		if again, set := w.a.NextTimer(); set && !again.After(at) {
			w.t.Fatalf("timer at %s does not move on", at)
		}
	}
	w.now = end
}

// ordered returns the one order that was published since the last call.
func (w *world) ordered(want string) map[string]any {
	w.t.Helper()
	messages := w.out.Messages()
	w.out.Reset()
	if len(messages) != 1 || messages[0].Topic != "zigbee2mqtt/bridge/request/device/ota_update/"+want || messages[0].Retained {
		w.t.Fatalf("published %v, want one order to %s", topics(messages), want)
	}
	var v map[string]any
	if err := json.Unmarshal(messages[0].Payload, &v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

func topics(messages []bridge.Message) []string {
	var all []string
	for _, m := range messages {
		all = append(all, m.Topic)
	}
	return all
}

func (w *world) silent() {
	w.t.Helper()
	if m := w.out.Messages(); len(m) > 0 {
		w.t.Fatalf("published %v, want nothing", topics(m))
	}
	w.out.Reset()
}

// answer answers an order.
func (w *world) answer(order map[string]any, op, rest string) {
	w.t.Helper()
	w.hear("bridge/response/device/ota_update/"+op, fmt.Sprintf(`{"transaction":%q,%s}`, order["transaction"], rest))
}

func (w *world) reported(eui han.EUI64, state bridge.State, outcome string) bridge.Report {
	w.t.Helper()
	r := w.last[eui]
	if r.State != state || !strings.Contains(r.Outcome, outcome) {
		w.t.Errorf("reported %s %q, want %s with %q", r.State, r.Outcome, state, outcome)
	}
	return r
}

const awake = `{"battery":80,"update":{"state":"idle","installed_version":1}}`

func TestSleepyDeviceIsScheduledWhenItWasHeard(t *testing.T) {
	w := newWorld(t, nil)
	w.wish(sensor, 2)
	w.silent()
	w.reported(sensor, bridge.Pending, "until the device is heard")
	w.hear("hall/sensor", awake)
	w.silent() // the update's state was news, maybe Zigbee2MQTT's own
	w.hear("hall/sensor", awake)
	order := w.ordered("schedule")
	if order["id"] != address || order["url"] != "http://127.0.0.1:8099/token/x.ota" || order["hex"] != nil {
		t.Errorf("order %v", order)
	}
	w.answer(order, "schedule", `"status":"ok","data":{"id":"0x00124b0000000001","url":"x"}`)
	w.hear("hall/sensor", `{"update":{"state":"scheduled","installed_version":1}}`)
	w.reported(sensor, bridge.Pending, "begins when the device asks")
	w.hear("hall/sensor", `{"update":{"state":"updating","progress":50,"remaining":10}}`)
	if r := w.reported(sensor, bridge.Downloading, ""); r.Offset != 50 {
		t.Errorf("offset %d, want 50", r.Offset)
	}
	w.hear("hall/sensor", `{"update":{"state":"idle","installed_version":2,"latest_source":null}}`)
	if r := w.reported(sensor, bridge.Activated, ""); r.Offset != 100 || r.Version != 2 || !r.Known {
		t.Errorf("report %+v", r)
	}
	w.wish(sensor, 0)
	w.silent()
}

func TestMainsDeviceIsUpdatedAtOnce(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Devices[1].Deliver = "hex" })
	w.hear("plug", `{"state":"ON"}`)
	w.wish(plug, 2)
	order := w.ordered("update")
	content := order["hex"].(map[string]any)
	if got, err := hex.DecodeString(content["data"].(string)); err != nil || !bytes.Equal(got, file) || strings.Contains(content["file_name"].(string), "/") {
		t.Errorf("order %v", order)
	}
	w.hear("plug", `{"update":{"state":"updating","progress":10.5,"remaining":100}}`)
	w.hear("plug", `{"update":{"state":"idle","installed_version":2}}`)
	w.reported(plug, bridge.Activated, "")
	w.answer(order, "update", `"status":"ok","data":{"id":"0x00124b0000000002","from":{"file_version":1},"to":{"file_version":2}}`)
	w.reported(plug, bridge.Activated, "")
}

func TestObstacles(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *Config)
		play   func(w *world)
		want   string
	}{
		{"a low battery", nil, func(w *world) { w.hear("hall/sensor", `{"battery":29}`) }, "battery at 29 %, want 30 %"},
		{"a battery that nobody knows", nil, func(w *world) { w.hear("hall/sensor", `{"contact":true}`) }, "charge is not known"},
		{"Zigbee2MQTT away", nil, func(w *world) {
			w.hear("hall/sensor", awake)
			w.hear("bridge/state", `offline`)
			w.hear("hall/sensor", awake)
		}, "waits for Zigbee2MQTT"},
		{"unpaired", nil, func(w *world) {
			w.hear("hall/sensor", awake)
			w.hear("bridge/devices", `[]`)
		}, "does not know the device"},
		{"heard long ago", nil, func(w *world) {
			w.hear("hall/sensor", `{"battery":80,"last_seen":"2026-11-21T10:59:59Z"}`)
		}, "until the device is heard"},
		{"no address to fetch from", func(c *Config) { c.Devices[0].Deliver = "url" }, func(w *world) {
			w.home.Device(sensor).Update.Image.URL = ""
			w.hear("hall/sensor", awake)
			w.hear("hall/sensor", awake)
		}, "HTTP endpoint"},
		{"another device at it", nil, func(w *world) {
			w.hear("plug", `{"state":"ON"}`)
			w.wish(plug, 2)
			w.ordered("update")
			w.hear("hall/sensor", awake)
			w.hear("hall/sensor", awake)
		}, "waits for its turn"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, tt.change)
			w.wish(sensor, 2)
			tt.play(w)
			w.silent()
			w.reported(sensor, bridge.Pending, tt.want)
		})
	}
}

func TestDueDeviceIsOrderedBeforeItIsHeard(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Devices[0].Every, c.Devices[0].HeardWithin, c.Devices[0].BatteryFloor = 4*time.Hour, time.Minute, 0
	})
	w.hear("hall/sensor", `{"last_seen":"2026-11-21T11:00:00Z"}`)
	w.wish(sensor, 2)
	w.pass(3*time.Hour - time.Second)
	w.silent()
	w.pass(2 * time.Second)
	w.ordered("schedule")
}

func TestOlderImageIsOrderedAsDowngrade(t *testing.T) {
	w := newWorld(t, nil)
	w.hear("plug", `{"update":{"state":"idle","installed_version":3}}`)
	w.hear("plug", `{"state":"ON"}`)
	w.wish(plug, 2)
	w.ordered("update/downgrade")
}

func TestDeviceThatRunsTheImageIsLeftAlone(t *testing.T) {
	w := newWorld(t, nil)
	w.hear("plug", `{"update":{"state":"idle","installed_version":2}}`)
	w.wish(plug, 2)
	w.silent()
	w.reported(plug, bridge.Activated, "")
}

// schedule brings the sensor to where Zigbee2MQTT took the order.
func (w *world) schedule() {
	w.t.Helper()
	w.hear("hall/sensor", awake)
	w.hear("hall/sensor", awake)
	w.wish(sensor, 2)
	w.answer(w.ordered("schedule"), "schedule", `"status":"ok"`)
	w.hear("hall/sensor", `{"update":{"state":"scheduled","installed_version":1}}`)
	w.silent()
}

func TestWithdrawnUpdateIsTakenBack(t *testing.T) {
	t.Run("scheduled", func(t *testing.T) {
		w := newWorld(t, nil)
		w.schedule()
		w.wish(sensor, 0)
		w.ordered("unschedule")
		w.pass(answerTime)
		order := w.ordered("unschedule") // the answer was lost
		w.answer(order, "unschedule", `"status":"ok"`)
		w.pass(time.Hour)
		w.silent()
		if len(w.a.snapshot().Devices) != 0 {
			t.Error("something is kept")
		}
	})
	t.Run("under way", func(t *testing.T) {
		w := newWorld(t, nil)
		w.schedule()
		w.hear("hall/sensor", `{"update":{"state":"updating","progress":1}}`)
		w.wish(sensor, 0)
		w.answer(w.ordered("update/abort"), "update/abort", `"status":"ok"`)
		w.answer(w.ordered("unschedule"), "unschedule", `"status":"ok"`)
		w.pass(time.Hour)
		w.silent()
	})
	t.Run("never answered", func(t *testing.T) {
		w := newWorld(t, nil)
		w.schedule()
		w.wish(sensor, 0)
		w.pass(time.Hour)
		if n := len(w.out.Messages()); n != withdrawals {
			t.Errorf("published %d times, want %d", n, withdrawals)
		}
	})
	t.Run("answered while the bridge was away", func(t *testing.T) {
		w := newWorld(t, nil)
		w.schedule()
		w.wish(sensor, 0)
		w.ordered("unschedule")
		again := newWorld(t, nil)
		if err := again.a.Restore(w.kept); err != nil {
			t.Fatal(err)
		}
		again.a.HandleUp(again.now, "", &again.out)
		again.show()
		again.answer(again.ordered("unschedule"), "unschedule", `"status":"ok"`)
		again.pass(time.Hour)
		again.silent()
		if len(again.a.snapshot().Devices) != 0 {
			t.Error("something is kept")
		}
	})
	t.Run("for another image", func(t *testing.T) {
		w := newWorld(t, nil)
		w.schedule()
		w.wish(sensor, 3)
		w.answer(w.ordered("unschedule"), "unschedule", `"status":"ok"`)
		w.ordered("schedule")
	})
}

func TestFailuresAreCounted(t *testing.T) {
	w := newWorld(t, nil)
	w.schedule()
	for i := range 2 {
		w.hear("hall/sensor", `{"update":{"state":"updating","progress":20}}`)
		w.hear("hall/sensor", `{"update":{"state":"scheduled"}}`)
		if i == 0 {
			w.silent()
			w.reported(sensor, bridge.Pending, "transfer 1 failed")
		}
	}
	w.ordered("unschedule")
	w.reported(sensor, bridge.Failed, "transfer 2 failed")
	w.wish(sensor, 0)
	w.wish(sensor, 2)
	w.ordered("schedule") // a new distribution starts anew
}

func TestRefusedOrder(t *testing.T) {
	w := newWorld(t, nil)
	w.hear("plug", `{"state":"ON"}`)
	w.wish(plug, 2)
	w.answer(w.ordered("update"), "update", `"status":"error","error":"Update of 'plug' failed (No image currently available)","data":{}`)
	w.pass(retryWait - 1)
	w.silent()
	w.reported(plug, bridge.Pending, "transfer 1 failed")
	w.pass(1)
	w.answer(w.ordered("update"), "update", `"status":"error","error":"again"`)
	w.reported(plug, bridge.Failed, "transfer 2 failed: again")
}

func TestDeviceThatDoesNotComeGivesWay(t *testing.T) {
	w := newWorld(t, nil)
	w.schedule()
	w.hear("plug", `{"state":"ON"}`)
	w.wish(plug, 2)
	w.silent()
	w.pass(time.Hour)
	w.answer(w.ordered("unschedule"), "unschedule", `"status":"ok"`)
	w.answer(w.ordered("update"), "update", `"status":"ok","data":{"to":{"file_version":2}}`)
	w.reported(plug, bridge.Activated, "")
	w.hear("hall/sensor", awake)
	w.ordered("schedule") // its turn again
}

func TestRestartGoesOnWithoutOrderingAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.schedule()
	again := newWorld(t, nil)
	if err := again.a.Restore(w.kept); err != nil {
		t.Fatal(err)
	}
	again.a.homely = false
	again.hear("hall/sensor", `{"battery":80}`)
	again.silent()
	again.home = w.home
	again.show()
	again.silent()
	again.reported(sensor, bridge.Pending, "begins when the device asks")
	again.hear("hall/sensor", `{"update":{"state":"updating","progress":99}}`)
	again.hear("hall/sensor", `{"update":{"state":"idle","installed_version":2}}`)
	again.reported(sensor, bridge.Activated, "")
	again.silent()
}

func TestDeviceWithoutItsEntryIsDismissed(t *testing.T) {
	w := newWorld(t, nil)
	w.schedule()
	again := newWorld(t, func(c *Config) { c.Devices = c.Devices[1:] })
	if err := again.a.Restore(w.kept); err != nil {
		t.Fatal(err)
	}
	again.show()
	var orders []string
	for _, m := range again.out.Messages() {
		orders = append(orders, strings.TrimPrefix(m.Topic, "zigbee2mqtt/bridge/request/device/ota_update/"))
		if !strings.Contains(string(m.Payload), address) {
			t.Errorf("order for another device: %s", m.Payload)
		}
	}
	if strings.Join(orders, " ") != "update/abort unschedule" {
		t.Errorf("orders %v", orders)
	}
	again.out.Reset()
	again.show()
	again.silent()
	if strings.Contains(string(again.kept), sensor.String()) {
		t.Errorf("still kept: %s", again.kept)
	}
}

// The end came while the bridge or its broker was away.
func TestEndThatWasMissedIsFound(t *testing.T) {
	for _, progress := range []string{"scheduled", "updating"} {
		w := newWorld(t, nil)
		w.schedule()
		w.hear("hall/sensor", `{"update":{"state":"`+progress+`"}}`)
		again := newWorld(t, nil)
		if err := again.a.Restore(w.kept); err != nil {
			t.Fatal(err)
		}
		again.a.homely = false // the hub is seen last
		again.hear("hall/sensor", `{"battery":80,"update":{"state":"idle","installed_version":2}}`)
		again.home = w.home
		again.show()
		again.reported(sensor, bridge.Activated, "")
		again.silent()
	}
}

// Another bridge ordered what is going on, and is gone.
func TestTransferOfAnotherBridgeIsTakenOver(t *testing.T) {
	w := newWorld(t, nil)
	w.hear("hall/sensor", `{"battery":80,"update":{"state":"updating","progress":40}}`)
	w.home.Device(sensor).Update = update(2, w.now)
	w.home.Device(sensor).Update.State = bridge.Downloading
	w.show()
	w.silent()
	if r := w.reported(sensor, bridge.Downloading, ""); r.Offset != 40 {
		t.Errorf("offset %d, want 40", r.Offset)
	}
	w.hear("hall/sensor", `{"update":{"state":"idle","installed_version":2}}`)
	w.reported(sensor, bridge.Activated, "")
}

func TestUnansweredOrderIsRepeated(t *testing.T) {
	w := newWorld(t, nil)
	w.hear("plug", `{"state":"ON"}`)
	w.wish(plug, 2)
	first := w.ordered("update")
	w.pass(answerTime)
	second := w.ordered("update")
	if first["transaction"] == second["transaction"] {
		t.Error("the same transaction twice")
	}
	w.answer(first, "update", `"status":"error","error":"late"`)
	w.silent()
}

func TestHostileMessagesChangeNothing(t *testing.T) {
	tests := []struct{ topic, payload string }{
		{"hall/sensor", ``}, {"hall/sensor", `null`}, {"hall/sensor", `[]`}, {"hall/sensor", `{"update":`},
		{"hall/sensor", `{"update":{"state":"done"}}`}, {"hall/sensor", `{"update":{"state":"updating","progress":-1}}`},
		{"hall/sensor", `{"update":{"state":"updating","progress":1e308}}`}, {"hall/sensor", `{"battery":"full"}`},
		{"hall/sensor", `{"update":[]}`}, {"bridge/state", `"maybe"`}, {"bridge/devices", `{}`}, {"bridge/devices", `[1]`},
		{"bridge/response/device/ota_update/update", `x`},
	}
	w := newWorld(t, nil)
	w.schedule()
	before := fmt.Sprintf("%+v", w.a.snapshot())
	for _, tt := range tests {
		err := w.a.HandleMessage(w.now, bridge.Message{Topic: "zigbee2mqtt/" + tt.topic, Payload: []byte(tt.payload)}, &w.out)
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %s: error %v, want one line", tt.topic, tt.payload, err)
		}
	}
	w.silent()
	if after := fmt.Sprintf("%+v", w.a.snapshot()); after != before {
		t.Errorf("now %s\nbefore %s", after, before)
	}
	// Answers to somebody else's orders, and devices that are not mapped.
	w.hear("bridge/response/device/ota_update/schedule", `{"status":"error","error":"x"}`)
	w.hear("other", `{"update":{"state":"idle","installed_version":2}}`)
	w.hear("bridge/logging", `not even JSON`)
	w.silent()
}

func TestConfigRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"no address", "devices: [{id: 00DB12345678B001}]", "want an IEEE address"},
		{"an address twice", "devices: [{id: 00DB12345678B001, address: 0x00124b0000000001}, {id: 00DB12345678B002, address: 0x00124B0000000001}]", "twice"},
		{"a way that is none", "devices: [{id: 00DB12345678B001, address: 0x00124b0000000001, deliver: post}]", "want url or hex"},
		{"a floor above the ceiling", "devices: [{id: 00DB12345678B001, address: 0x00124b0000000001, battery-floor: 101}]", "want 0 to 100"},
		{"no concurrency", "concurrency: 0", "more than 0"},
		{"wildcards", "base: zigbee2mqtt/#", "cannot have"},
		{"an unknown key", "devices: [{id: 00DB12345678B001, addr: x}]", `b.yaml:3:36: unknown key "addr"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "broker: {url: mqtt://127.0.0.1}\nzigbee2mqtt:\n  " + tt.text + "\n"
			_, err := bridge.ParseConfig("b.yaml", []byte(text), []bridge.Kind{Kind()})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "b.yaml:3:") {
				t.Errorf("error %v, want %q with its place", err, tt.want)
			}
		})
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("hall/sensor", []byte(`{"battery":80,"last_seen":1e12,"update":{"state":"updating","installed_version":1,"progress":5.5,"remaining":3}}`))
	f.Add("hall/sensor", []byte(`{"update":{"state":"idle","installed_version":-1,"latest_source":null}}`))
	f.Add("bridge/devices", []byte(`[{"ieee_address":"0x00124b0000000001","friendly_name":"a","power_source":"Battery","definition":{"supports_ota":true}}]`))
	f.Add("bridge/response/device/ota_update/schedule", []byte(`{"transaction":"commshub-00DB12345678B001-1","status":"ok"}`))
	f.Fuzz(func(t *testing.T, topic string, payload []byte) {
		w := newWorld(t, nil)
		w.hear("hall/sensor", awake)
		w.hear("hall/sensor", awake)
		w.wish(sensor, 2)
		w.out.Reset()
		err := w.a.HandleMessage(w.now, bridge.Message{Topic: "zigbee2mqtt/" + topic, Payload: payload}, &w.out)
		if err != nil && (len(w.out.Messages()) > 0 || len(w.out.Reports()) > 0 || strings.Contains(err.Error(), "\n")) {
			t.Errorf("refused with %q, and had an effect", err)
		}
		for _, m := range w.out.Messages() {
			if bridge.CheckTopic(m.Topic) != nil || !json.Valid(m.Payload) {
				t.Errorf("published %q %q", m.Topic, m.Payload)
			}
		}
		w.pass(24 * time.Hour)
	})
}
