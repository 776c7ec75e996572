package homeassistant

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/transport/bridge"
)

const (
	hubEUI = han.EUI64(0x00DB1234567890A3)
	esme   = han.EUI64(0x00DB1234567890A0)
	gsme   = han.EUI64(0x00DB1234567890A1)
)

var (
	wall     = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	emulated = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
)

func readings(values map[uint16]uint64) map[uint16]zcl.Value {
	out := map[uint16]zcl.Value{}
	for id, n := range values {
		out[id] = zcl.Value{Number: n}
	}
	return out
}

// home returns a hub with both meters.
func home() *bridge.Home {
	return &bridge.Home{EUI64: hubEUI, Version: "devel", Now: emulated, Speed: 600, Devices: []bridge.Device{
		{EUI64: esme, Kind: "ESME", Version: "01000000", LastHeard: emulated, ReadAt: emulated, Readings: readings(map[uint16]uint64{
			metering.AttributeCurrentSummationDelivered: 1234567, metering.AttributeDivisor: 1000, metering.AttributeMultiplier: 1,
			metering.AttributeInstantaneousDemand: 0xFFFFFF, metering.AttributeSupplyStatus: 2,
		})},
		{EUI64: gsme, Kind: "GSME", Version: "01000000", LastHeard: emulated.Add(-10 * time.Minute), NextHeartbeat: emulated.Add(20 * time.Minute),
			ReadAt: emulated, Readings: readings(map[uint16]uint64{
				metering.AttributeCurrentSummationDelivered: 42, metering.AttributeDivisor: 1000, metering.AttributeRemainingBatteryLife: 99,
				metering.AttributeRemainingBatteryLifeInDays: 5800, metering.AttributeSupplyStatus: 1,
			})},
	}}
}

// world is an adapter and the broker's retained messages.
type world struct {
	t        *testing.T
	a        *Adapter
	out      bridge.Outbox
	retained map[string]string
	kept     []byte
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	c := Config{Prefix: "homeassistant", Base: "commshub", Hub: true, Meters: []MeterConfig{
		{ID: bridge.MeterID{EUI64: esme}, Label: "Electricity", Install: true}, {ID: bridge.MeterID{EUI64: gsme}},
	}}
	if change != nil {
		change(&c)
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, a: a, retained: map[string]string{}}
}

// collect takes what was published over into the broker, each payload checked.
func (w *world) collect() (published []string) {
	w.t.Helper()
	if k := w.out.Kept(); k != nil {
		w.kept = k
	}
	for _, m := range w.out.Messages() {
		if !m.Retained {
			w.t.Errorf("%s is not retained", m.Topic)
		}
		published = append(published, m.Topic)
		if len(m.Payload) == 0 {
			delete(w.retained, m.Topic)
			continue
		}
		checkPayload(w.t, m.Topic, m.Payload)
		w.retained[m.Topic] = string(m.Payload)
	}
	w.out.Reset()
	return published
}

func (w *world) up(h *bridge.Home) {
	w.a.HandleUp(wall, "commshub/bridge/home/abc", &w.out)
	w.a.HandleHome(wall, h, &w.out)
	w.collect()
}

func (w *world) object(topic string) map[string]any {
	w.t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(w.retained[topic]), &v); err != nil {
		w.t.Fatalf("%s: %v", topic, err)
	}
	return v
}

func TestMetersAndHubAreShown(t *testing.T) {
	w := newWorld(t, nil)
	w.up(home())
	want := []string{
		"commshub/00DB1234567890A0/availability", "commshub/00DB1234567890A0/state", "commshub/00DB1234567890A0/update",
		"commshub/00DB1234567890A1/availability", "commshub/00DB1234567890A1/state", "commshub/00DB1234567890A1/update",
		"commshub/00DB1234567890A3/availability", "commshub/00DB1234567890A3/state",
		"homeassistant/device/commshub_00DB1234567890A0/config", "homeassistant/device/commshub_00DB1234567890A1/config",
		"homeassistant/device/commshub_00DB1234567890A3/config",
	}
	if got := slices.Sorted(maps.Keys(w.retained)); !slices.Equal(got, want) {
		t.Errorf("retained %v", got)
	}
	s := w.object("commshub/00DB1234567890A0/state")
	if s["energy"] != 1234.567 || s["power"] != -0.001 || s["supply"] != "on" || s["last_heard"] != "2026-11-21T12:00:00Z" {
		t.Errorf("electricity meter %v", s)
	}
	s = w.object("commshub/00DB1234567890A1/state")
	if s["gas"] != 0.042 || s["battery"] != 99.0 || s["battery_days"] != 5800.0 || s["supply"] != "armed" ||
		s["last_heard"] != "2026-11-21T11:59:59Z" || s["next_heartbeat"] != "2026-11-21T12:00:02Z" || s["heartbeat"] != "on time" || s["overdue_since"] != nil {
		t.Errorf("gas meter %v", s)
	}
	if s := w.object("commshub/00DB1234567890A3/state"); s["devices"] != 2.0 || s["updates"] != 0.0 {
		t.Errorf("hub %v", s)
	}
	w.a.HandleHome(wall.Add(time.Second), home(), &w.out)
	if again := w.collect(); len(again) > 0 {
		t.Errorf("published again without news: %v", again)
	}
}

// TestAvailabilityIsOfWhatStandsBehindTheBridge: with the hub gone nothing is available,
// with a heartbeat overdue its meter is not, but for what tells that it is silent.
func TestAvailabilityIsOfWhatStandsBehindTheBridge(t *testing.T) {
	w := newWorld(t, nil)
	demand := func(when string, electricity, gas, hub string) {
		t.Helper()
		w.collect()
		for eui, want := range map[han.EUI64]string{esme: electricity, gsme: gas, hubEUI: hub} {
			if got := w.retained["commshub/"+eui.String()+"/availability"]; got != want {
				t.Errorf("%s: %s is %q, want %q", when, eui, got, want)
			}
		}
	}
	w.up(home())
	demand("at first", "online", "online", "online")
	config := w.object("homeassistant/device/commshub_00DB1234567890A1/config")
	if text := fmt.Sprint(config["availability"]); config["availability_mode"] != "all" || !strings.Contains(text, "commshub/bridge/home/abc") || !strings.Contains(text, "commshub/00DB1234567890A1/availability") {
		t.Errorf("the gas meter is available with %v of %s", config["availability_mode"], text)
	}
	overdue := config["components"].(map[string]any)["overdue_since"].(map[string]any)
	if text := fmt.Sprint(overdue["availability"]); overdue["availability_mode"] != "all" || !strings.Contains(text, "{{ 'offline' if value == 'offline'") {
		t.Errorf("what tells that it is silent is available with %s", text)
	}
	silent := home()
	silent.Devices[1].OverdueSince = emulated
	w.a.HandleHome(wall, silent, &w.out)
	demand("a heartbeat overdue", "online", "silent", "online")
	w.a.HandleHubLost(wall, &w.out)
	demand("no hub", "offline", "offline", "offline")
	w.a.HandleHome(wall, home(), &w.out)
	demand("a hub again", "online", "online", "online")

	// A bridge that is started while there is no hub says so of what was left.
	kept := w.kept
	again := newWorld(t, nil)
	if err := again.a.Restore(kept); err != nil {
		t.Fatal(err)
	}
	again.retained = w.retained
	w = again
	w.a.HandleUp(wall, "commshub/bridge/home/abc", &w.out)
	w.a.HandleHubLost(wall, &w.out)
	demand("started without a hub", "offline", "offline", "offline")
}

// TestASilentMeter has no heartbeat to come, and nothing is in progress with it.
func TestASilentMeter(t *testing.T) {
	for state, summary := range map[bridge.State]string{
		bridge.Downloading: "The meter is silent: its heartbeat is overdue. It has a part of the image.",
		bridge.Activating:  "The meter is silent: its heartbeat is overdue. The meter switches.",
	} {
		w := newWorld(t, nil)
		h := home()
		d := h.Device(gsme)
		d.NextHeartbeat, d.OverdueSince = time.Time{}, emulated.Add(-20*time.Minute)
		d.Update = &bridge.Update{State: state, Offset: 10, Image: bridge.Image{Size: 1000, FileVersion: 0x02000000}}
		w.up(h)
		s := w.object("commshub/00DB1234567890A1/state")
		if s["heartbeat"] != "overdue" || s["overdue_since"] != "2026-11-21T11:59:58Z" || s["next_heartbeat"] != nil {
			t.Errorf("%v", s)
		}
		if u := w.object("commshub/00DB1234567890A1/update"); u["in_progress"] != false || u["update_percentage"] != nil || u["release_summary"] != summary {
			t.Errorf("%s: %v", state, u)
		}
	}
}

// TestAVersionThatAnotherReplaced is not shown as the one that runs.
func TestAVersionThatAnotherReplaced(t *testing.T) {
	w := newWorld(t, nil)
	h := home()
	h.Device(gsme).Version = "03000000"
	h.Device(gsme).Update = &bridge.Update{State: bridge.Activated, Image: bridge.Image{Size: 1000, FileVersion: 0x02000000}}
	w.up(h)
	u := w.object("commshub/00DB1234567890A1/update")
	if u["installed_version"] != "03000000" || u["latest_version"] != "03000000" || u["release_summary"] != "Version 02000000, which the hub distributed last, was replaced since." {
		t.Errorf("%v", u)
	}
}

func TestUpdateEntityFollowsTheUpdate(t *testing.T) {
	tests := []struct {
		state    bridge.State
		offset   uint32
		latest   string
		progress any
		busy     bool
	}{
		{bridge.Pending, 0, "02000000", nil, false},
		{bridge.Downloading, 0, "02000000", 0.0, true},
		{bridge.Downloading, 512, "02000000", 51.2, true},
		{bridge.Downloading, 2000, "02000000", 100.0, true},
		{bridge.Transferred, 1000, "02000000", nil, false},
		{bridge.Dated, 1000, "02000000", nil, false},
		{bridge.Activating, 1000, "02000000", nil, true},
		{bridge.Activated, 1000, "01000000", nil, false},
		{bridge.Failed, 10, "01000000", nil, false},
		{bridge.Cancelled, 10, "01000000", nil, false},
		{bridge.Superseded, 10, "01000000", nil, false},
	}
	for _, tt := range tests {
		t.Run(string(tt.state), func(t *testing.T) {
			w := newWorld(t, nil)
			h := home()
			h.Devices[0].Update = &bridge.Update{State: tt.state, Offset: tt.offset, Outcome: strings.Repeat("x", 300),
				Image: bridge.Image{FileVersion: 0x02000000, Size: 1000}}
			w.up(h)
			s := w.object("commshub/00DB1234567890A0/update")
			percentage, there := s["update_percentage"]
			if s["installed_version"] != "01000000" || s["latest_version"] != tt.latest || s["in_progress"] != tt.busy || !there || percentage != tt.progress {
				t.Errorf("%v", s)
			}
		})
	}
}

// A meter that nobody has heard of has no version: the keys are left out, for null
// would make Home Assistant drop the message.
func TestUnknownIsLeftOut(t *testing.T) {
	w := newWorld(t, nil)
	h := home()
	h.Devices[0], h.Devices[1] = bridge.Device{EUI64: esme, Kind: "ESME"}, bridge.Device{EUI64: gsme, Kind: "GSME"}
	w.up(h)
	if s := w.retained["commshub/00DB1234567890A1/state"]; s != "{}" {
		t.Errorf("state %s", s)
	}
	if s := w.retained["commshub/00DB1234567890A1/update"]; s != `{"in_progress":false,"update_percentage":null}` {
		t.Errorf("update %s", s)
	}
}

func TestOnlyMappedMetersAreShown(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Meters, c.Hub = c.Meters[1:], false })
	w.up(home())
	for topic := range w.retained {
		if !strings.Contains(topic, gsme.String()) {
			t.Errorf("published %s", topic)
		}
	}
	if c := w.object("homeassistant/device/commshub_00DB1234567890A1/config")["components"].(map[string]any)["update"].(map[string]any); c["command_topic"] != nil {
		t.Errorf("the meter can be told to install: %v", c)
	}
	if filters := w.a.Filters(); !slices.Equal(filters, []string{"homeassistant/status"}) {
		t.Errorf("listens to %v", filters)
	}
}

func TestInstallIsMappedToActivate(t *testing.T) {
	w := newWorld(t, nil)
	w.up(updating(bridge.Transferred))
	say := func(topic, payload string, retained bool) error {
		return w.a.HandleMessage(wall, bridge.Message{Topic: topic, Payload: []byte(payload), Retained: retained}, &w.out)
	}
	if err := say("commshub/00DB1234567890A0/install", "install", false); err != nil {
		t.Error(err)
	}
	if got := w.out.Installs(); !slices.Equal(got, []han.EUI64{esme}) {
		t.Errorf("orders %v", got)
	}
	w.out.Reset()
	for _, m := range []struct {
		topic, payload string
		retained       bool
	}{
		{"commshub/00DB1234567890A0/install", "install", true},
		{"commshub/00DB1234567890A0/install", "INSTALL", false},
		{"commshub/00DB1234567890A0/install", "", false},
		{"homeassistant/status", strings.Repeat("x", 100), false},
	} {
		if err := say(m.topic, m.payload, m.retained); err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 200 {
			t.Errorf("%+v: error %v, want one line", m, err)
		}
	}
	_ = say("commshub/00DB1234567890A1/install", "install", false) // not allowed for this one
	if n := len(w.out.Installs()) + len(w.out.Messages()); n > 0 {
		t.Errorf("%d effects", n)
	}
}

// updating is the home while the electricity meter's update is in a state.
func updating(state bridge.State) *bridge.Home {
	h := home()
	h.Device(esme).Update = &bridge.Update{State: state, Image: bridge.Image{FileVersion: 0x02000000, Size: 1000}}
	return h
}

// TestAnOrderBeforeItsImageIsKept: Install during the download is carried out when the
// meter holds the image, also by a bridge that was started in between, and only for the
// version that it was given for.
func TestAnOrderBeforeItsImageIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		then func(h *bridge.Home)
		want []han.EUI64
		line string
	}{
		"held":      {func(h *bridge.Home) { h.Device(esme).Update.State = bridge.Transferred }, []han.EUI64{esme}, "which Home Assistant wants it to install"},
		"cancelled": {func(h *bridge.Home) { h.Device(esme).Update.State = bridge.Cancelled }, nil, "is dropped"},
		"another image held": {func(h *bridge.Home) {
			*h.Device(esme).Update = bridge.Update{State: bridge.Transferred, Image: bridge.Image{FileVersion: 3}}
		}, nil, "is dropped"},
		"switching already": {func(h *bridge.Home) { h.Device(esme).Update.State = bridge.Activating }, nil, ""},
		"device removed":    {func(h *bridge.Home) { h.Devices = nil }, nil, "is dropped"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.up(updating(bridge.Downloading))
			if err := w.a.HandleMessage(wall, bridge.Message{Topic: "commshub/00DB1234567890A0/install", Payload: []byte("install")}, &w.out); err != nil {
				t.Fatal(err)
			}
			if n := len(w.out.Installs()); n > 0 {
				t.Errorf("%d orders before the meter holds the image", n)
			}
			w.collect()
			if text := w.object("commshub/00DB1234567890A0/update")["release_summary"]; !strings.HasSuffix(fmt.Sprint(text), "will be installed as soon as the meter holds it.") {
				t.Errorf("the summary is %q", text)
			}
			again := newWorld(t, nil)
			if err := again.a.Restore(w.kept); err != nil {
				t.Fatal(err)
			}
			again.up(updating(bridge.Downloading))
			h := updating(bridge.Downloading)
			tt.then(h)
			again.a.HandleHome(wall, h, &again.out)
			if got := again.out.Installs(); !slices.Equal(got, tt.want) {
				t.Errorf("orders %v, want %v", got, tt.want)
			}
			if lines := strings.Join(again.out.Lines(), "\n"); !strings.Contains(lines, tt.line) {
				t.Errorf("says %q", lines)
			}
			again.collect()
			again.a.HandleHome(wall, h, &again.out)
			if n := len(again.out.Installs()); n > 0 {
				t.Error("ordered twice")
			}
		})
	}
}

// TestAnOrderThatCannotBeCarriedOutIsRefused with the reason.
func TestAnOrderThatCannotBeCarriedOutIsRefused(t *testing.T) {
	for state, want := range map[bridge.State]string{bridge.Activating: "already", bridge.Failed: "nothing to install", bridge.Activated: "nothing to install"} {
		w := newWorld(t, nil)
		w.up(updating(state))
		err := w.a.HandleMessage(wall, bridge.Message{Topic: "commshub/00DB1234567890A0/install", Payload: []byte("install")}, &w.out)
		if err == nil || !strings.Contains(err.Error(), want) || len(w.out.Installs()) > 0 {
			t.Errorf("%s: %v, orders %v", state, err, w.out.Installs())
		}
	}
}

func TestHomeAssistantThatStartsIsToldEverything(t *testing.T) {
	w := newWorld(t, nil)
	w.up(home())
	all := len(w.retained)
	if err := w.a.HandleMessage(wall, bridge.Message{Topic: "homeassistant/status", Payload: []byte("online")}, &w.out); err != nil {
		t.Fatal(err)
	}
	published := w.collect()
	if len(published) != all || !strings.HasSuffix(published[0], "/config") {
		t.Errorf("published %v", published)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	w := newWorld(t, nil)
	w.up(home())
	w.a.HandleDown(&w.out)
	w.collect()
	if len(w.retained) > 0 || string(w.kept) != `{"topics":[]}` {
		t.Errorf("left %v, kept %s", w.retained, w.kept)
	}
}

// A bridge that was killed takes back at its next start what it would not publish
// any more.
func TestLeftoversOfAKilledBridgeAreTakenBack(t *testing.T) {
	w := newWorld(t, nil)
	w.up(home())
	again := newWorld(t, func(c *Config) { c.Meters, c.Hub = c.Meters[:1], false })
	again.retained = w.retained
	if err := again.a.Restore(w.kept); err != nil {
		t.Fatal(err)
	}
	again.up(home())
	if len(again.retained) != 4 {
		t.Errorf("retained %v", slices.Sorted(maps.Keys(again.retained)))
	}
	h := home()
	h.Devices = nil // removed from the device log
	again.a.HandleHome(wall, h, &again.out)
	again.collect()
	if len(again.retained) > 0 {
		t.Errorf("retained %v", again.retained)
	}
}

func TestConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"prefix: ha/#": "cannot have",
		"base: ''":     "empty",
		"meters: [{}]": "want an id",
		"meters: [{id: 00DB1234567890A1}, {id: 00DB1234567890A1}]": "no other",
		"hub: maybe": "want true or false",
		"meter: []":  "unknown key",
	} {
		_, err := bridge.ParseConfig("b.yaml", []byte("broker: {url: mqtt://127.0.0.1}\nhomeassistant:\n  "+text+"\n"), []bridge.Kind{Kind()})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "b.yaml:3:") {
			t.Errorf("%s: error %v, want %q with its place", text, err, want)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add("homeassistant/status", []byte("online"), false)
	f.Add("commshub/00DB1234567890A0/install", []byte("install"), true)
	f.Fuzz(func(t *testing.T, topic string, payload []byte, retained bool) {
		w := newWorld(t, nil)
		w.up(home())
		err := w.a.HandleMessage(wall, bridge.Message{Topic: topic, Payload: payload, Retained: retained}, &w.out)
		if err != nil && (len(w.out.Messages())+len(w.out.Installs()) > 0 || strings.Contains(err.Error(), "\n")) {
			t.Errorf("refused with %q, and had an effect", err)
		}
		if len(w.out.Installs()) > 0 && (retained || topic != "commshub/00DB1234567890A0/install" || string(payload) != "install") {
			t.Errorf("%q %q ordered an installation", topic, payload)
		}
		w.collect()
	})
}
