// Package homeassistant shows the meters of the hub, and the hub itself, in Home
// Assistant by its MQTT discovery, one device each.
//
//	<prefix>/device/commshub_<eui64>/config   retained: the device and its entities
//	<base>/<eui64>/state                      retained: readings, one JSON object
//	<base>/<eui64>/update                     retained: state of the update entity
//	<base>/<eui64>/availability               retained: online, silent or offline: whether it can be reached
//	<base>/<eui64>/install                    from Home Assistant: switch to the image, when it is held
//	<prefix>/status                           from Home Assistant: online, it (re)started
//
// Only meters that the configuration names are shown, and only those it says so
// can be told to install. Whatever is left on the broker is taken back when the
// bridge stops; what a killed bridge left, when it starts again.
//
// Home Assistant lives in real time. Instants of the hub's emulated clock are
// shown as the real instants at which they come about, or came.
package homeassistant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/transport/bridge"
)

// Name is the adapter's section in the configuration.
const Name = "homeassistant"

// Config is the adapter's section.
type Config struct {
	// Prefix is Home Assistant's discovery prefix, Base that of the state topics.
	Prefix string `yaml:"prefix"`
	Base   string `yaml:"base"`
	// Hub tells whether the hub is a device of its own.
	Hub    bool          `yaml:"hub"`
	Meters []MeterConfig `yaml:"meters"`
}

// MeterConfig names a meter that may be shown.
type MeterConfig struct {
	ID bridge.MeterID `yaml:"id"`
	// EUI64 is that of the meter, as soon as it is known.
	EUI64   han.EUI64
	several bool // the name means more than one meter
	// Label is the device's name, default its kind and identifier.
	Label string `yaml:"label"`
	// Install allows Home Assistant to order the meter to activate the image it holds.
	Install bool `yaml:"install"`
}

// Kind makes the adapter from its section.
func Kind() bridge.Kind {
	return bridge.KindOf(Name, Config{Prefix: "homeassistant", Base: "commshub", Hub: true}, New)
}

// Adapter is the adapter.
type Adapter struct {
	config   Config
	presence string
	// left are the payloads of the retained messages on the broker, by topic. Those
	// of an earlier run are there without their payload.
	left  map[string][]byte
	times instants
	home  *bridge.Home
	lost  bool // the hub does not answer
	// wishes are the versions that meters are to install as soon as they hold them.
	wishes map[han.EUI64]uint32
}

var _ bridge.Adapter = (*Adapter)(nil)

// New returns an adapter.
func New(c Config) (*Adapter, error) {
	for name, topic := range map[string]string{"prefix": c.Prefix, "base": c.Base} {
		if err := bridge.CheckTopic(topic); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	seen := map[bridge.MeterID]bool{}
	c.Meters = slices.Clone(c.Meters)
	for i := range c.Meters {
		m := &c.Meters[i]
		if !m.ID.Named() || seen[m.ID] {
			return nil, fmt.Errorf("meter %s: want an id that no other meter has", m.ID)
		}
		seen[m.ID] = true
		m.EUI64 = m.ID.EUI64
	}
	return &Adapter{config: c, left: map[string][]byte{}, times: instants{}, wishes: map[han.EUI64]uint32{}}, nil
}

// Name implements bridge.Adapter.
func (a *Adapter) Name() string { return Name }

// Devices implements bridge.Adapter: it brings no devices into the hub.
func (a *Adapter) Devices() []bridge.Mapping { return nil }

// Territories implements bridge.Adapter: of each device that is shown, where it is announced
// and where its states are.
func (a *Adapter) Territories(home *bridge.Home) []string {
	var all []string
	add := func(eui han.EUI64) {
		all = append(all, strings.TrimSuffix(a.configTopic(eui), "/config"), strings.TrimSuffix(a.topic(eui, ""), "/"))
	}
	if a.config.Hub && home.EUI64 != 0 {
		add(home.EUI64)
	}
	for _, m := range a.config.Meters {
		if eui := home.Meter(m.ID); eui != 0 && home.Device(eui) != nil {
			add(eui)
		}
	}
	return all
}

// Filters implements bridge.Adapter. Which meter a kind means, the hub has to tell.
func (a *Adapter) Filters() []string {
	filters := []string{a.statusTopic()}
	for _, m := range a.config.Meters {
		switch {
		case m.Install && m.ID.Kind != "":
			if all := a.config.Base + "/+/install"; !slices.Contains(filters, all) {
				filters = append(filters, all)
			}
		case m.Install:
			filters = append(filters, a.topic(m.EUI64, "install"))
		}
	}
	return filters
}

func (a *Adapter) statusTopic() string { return a.config.Prefix + "/status" }

func (a *Adapter) topic(eui han.EUI64, what string) string {
	return a.config.Base + "/" + eui.String() + "/" + what
}

func (a *Adapter) configTopic(eui han.EUI64) string {
	return a.config.Prefix + "/device/commshub_" + eui.String() + "/config"
}

// HandleUp implements bridge.Adapter. The broker may have forgotten everything.
func (a *Adapter) HandleUp(now time.Time, presence string, out *bridge.Outbox) {
	a.presence = presence
	a.publishAll(now, out)
}

// HandleDown implements bridge.Adapter.
func (a *Adapter) HandleDown(out *bridge.Outbox) {
	for _, topic := range a.topics() {
		out.Retain(topic, nil)
	}
	clear(a.left)
	a.keep(out)
}

// HandleHome implements bridge.Adapter.
func (a *Adapter) HandleHome(now time.Time, home *bridge.Home, out *bridge.Outbox) {
	a.home, a.lost = home, false
	for i := range a.config.Meters {
		m := &a.config.Meters[i]
		m.EUI64 = home.Meter(m.ID)
		if several := home.Several(m.ID); several != m.several {
			if m.several = several; several {
				out.Warn(fmt.Sprintf("meter %s: the home has several, so none is shown: name one by its EUI64", m.ID))
			}
		}
	}
	a.grant(out)
	a.publish(now, out)
}

// HandleHubLost implements bridge.HubWatcher: nothing behind the bridge can be reached.
// What a bridge before this one left says so too, if the hub never answered this one.
func (a *Adapter) HandleHubLost(now time.Time, out *bridge.Outbox) {
	a.lost = true
	a.publish(now, out)
	if a.home != nil || a.presence == "" {
		return
	}
	for _, topic := range a.topics() {
		if strings.HasSuffix(topic, "/"+availabilityLevel) && string(a.left[topic]) != offline {
			out.Retain(topic, []byte(offline))
			a.left[topic] = []byte(offline)
		}
	}
}

// NextTimer implements bridge.Adapter: what changes comes with the hub's pictures.
func (a *Adapter) NextTimer() (time.Time, bool) { return time.Time{}, false }

// HandleTimer implements bridge.Adapter.
func (a *Adapter) HandleTimer(time.Time, *bridge.Outbox) {}

// HandleMessage implements bridge.Adapter.
func (a *Adapter) HandleMessage(now time.Time, m bridge.Message, out *bridge.Outbox) error {
	if m.Topic == a.statusTopic() {
		switch string(m.Payload) {
		case "online":
			a.publishAll(now, out)
		case "offline", "":
		default:
			return fmt.Errorf("%.40q: want online or offline", m.Payload)
		}
		return nil
	}
	for _, meter := range a.config.Meters {
		if meter.Install && m.Topic == a.topic(meter.EUI64, "install") {
			err := a.install(meter, m, out)
			a.publish(now, out)
			return err
		}
	}
	return nil
}

// publishAll publishes everything again.
func (a *Adapter) publishAll(now time.Time, out *bridge.Outbox) {
	for topic := range a.left {
		a.left[topic] = nil
	}
	a.publish(now, out)
}

// publish brings the broker up to date: what is new or changed is published, and
// what belongs to nothing any more is taken back.
func (a *Adapter) publish(now time.Time, out *bridge.Outbox) {
	if a.home == nil || a.presence == "" {
		return
	}
	wanted := a.wanted(now)
	before := a.topics()
	for _, topic := range before {
		if _, still := wanted[topic]; !still {
			out.Retain(topic, nil)
			delete(a.left, topic)
		}
	}
	// A device is announced before its states: "…/config" of one prefix sorts
	// anywhere, so the two kinds are published one after the other.
	for _, announced := range []bool{true, false} {
		for _, topic := range sortedTopics(wanted) {
			if strings.HasSuffix(topic, "/config") != announced || bytes.Equal(a.left[topic], wanted[topic]) {
				continue
			}
			out.Retain(topic, wanted[topic])
			a.left[topic] = wanted[topic]
		}
	}
	if !slices.Equal(before, a.topics()) {
		a.keep(out)
	}
}

// wanted returns the retained messages there should be.
func (a *Adapter) wanted(now time.Time) map[string][]byte {
	w := map[string][]byte{}
	put := func(topic string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // strings, numbers and booleans
		}
		w[topic] = foreign.JSON(text)
	}
	if a.config.Hub && a.home.EUI64 != 0 {
		w[a.topic(a.home.EUI64, availabilityLevel)] = a.available(nil)
		put(a.configTopic(a.home.EUI64), a.hubDevice())
		put(a.topic(a.home.EUI64, "state"), hubState(a.home))
	}
	for _, m := range a.config.Meters {
		d := a.home.Device(m.EUI64)
		if d == nil || d.Kind != kindElectricity && d.Kind != kindGas {
			continue
		}
		w[a.topic(m.EUI64, availabilityLevel)] = a.available(d)
		put(a.configTopic(m.EUI64), a.meterDevice(m, d))
		put(a.topic(m.EUI64, "state"), a.meterState(now, d))
		put(a.topic(m.EUI64, "update"), updateState(d, a.waits(d)))
	}
	return w
}

const (
	availabilityLevel = "availability"
	online            = "online"
	silent            = "silent"
	offline           = "offline"
)

// available tells whether the hub can be reached, and a device behind it: a meter whose
// heartbeat is overdue is silent.
func (a *Adapter) available(d *bridge.Device) []byte {
	switch {
	case a.lost:
		return []byte(offline)
	case d != nil && !d.OverdueSince.IsZero():
		return []byte(silent)
	default:
		return []byte(online)
	}
}

func (a *Adapter) topics() []string { return sortedTopics(a.left) }

func sortedTopics(m map[string][]byte) []string {
	all := []string{}
	for topic := range m {
		all = append(all, topic)
	}
	slices.Sort(all)
	return all
}
