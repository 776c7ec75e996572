// Package glow publishes the hub's meters as a GB in-home display with local MQTT
// does, the Hildebrand Glow, so that what reads those topics works unchanged.
//
//	glow/<mac>/SENSOR/electricitymeter
//	glow/<mac>/SENSOR/gasmeter
//	glow/<mac>/STATE
//
// Like the display, it publishes at an interval, whether or not there is news, and
// leaves nothing retained. Consumption of the day, week and month counts from the
// first reading in it that the bridge saw; what it counts from is kept. Days are
// those of the emulated clock, in UTC.
package glow

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/transport/bridge"
)

// Name is the adapter's section in the configuration.
const Name = "glow"

// Config is the adapter's section.
type Config struct {
	// Root is the first level of the topics.
	Root string `yaml:"root"`
	// MAC names the display: 12 hex digits; default: the last 12 of the hub's identifier.
	MAC         string        `yaml:"mac"`
	Interval    time.Duration `yaml:"interval"`
	Electricity MeterConfig   `yaml:"electricity"`
	Gas         GasConfig     `yaml:"gas"`
}

// MeterConfig names a meter, and says what a display knows from elsewhere.
type MeterConfig struct {
	ID bridge.MeterID `yaml:"id"`
	// Point is the supply point: MPAN or MPRN.
	Point          string  `yaml:"point"`
	Supplier       string  `yaml:"supplier"`
	UnitRate       float64 `yaml:"unit-rate"`       // pounds per kWh
	StandingCharge float64 `yaml:"standing-charge"` // pounds per day
}

// GasConfig is that of a gas meter.
type GasConfig struct {
	MeterConfig `yaml:",inline"`
	// CalorificValue is in MJ per m³; Correction is for temperature and pressure.
	CalorificValue float64 `yaml:"calorific-value"`
	Correction     float64 `yaml:"correction"`
}

// Kind makes the adapter from its section.
func Kind() bridge.Kind {
	return bridge.KindOf(Name, Config{Root: "glow", Interval: 10 * time.Second, Gas: GasConfig{CalorificValue: 39.5, Correction: 1.02264}}, New)
}

// Adapter is the adapter.
type Adapter struct {
	config Config
	home   *bridge.Home
	since  map[string]*baselines // by meter: electricitymeter, gasmeter
	next   time.Time             // of publishing; zero while down
}

var _ bridge.Adapter = (*Adapter)(nil)

// New returns an adapter.
func New(c Config) (*Adapter, error) {
	if err := bridge.CheckTopic(c.Root); err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	c.MAC = strings.ToUpper(c.MAC)
	switch {
	case c.MAC != "" && (len(c.MAC) != 12 || strings.Trim(c.MAC, "0123456789ABCDEF") != ""):
		return nil, fmt.Errorf("mac %q: want 12 hex digits", c.MAC)
	case c.Interval < time.Second:
		return nil, errors.New("interval: want at least 1s")
	case !c.Electricity.ID.Named() && !c.Gas.ID.Named():
		return nil, errors.New("want the id of an electricity or a gas meter")
	case c.Gas.CalorificValue <= 0 || c.Gas.Correction <= 0:
		return nil, errors.New("calorific-value and correction: want more than 0")
	}
	return &Adapter{config: c, since: map[string]*baselines{}}, nil
}

// Name implements bridge.Adapter.
func (a *Adapter) Name() string { return Name }

// Devices implements bridge.Adapter: it brings no devices into the hub.
func (a *Adapter) Devices() []bridge.Mapping { return nil }

// Territories implements bridge.Adapter.
func (a *Adapter) Territories(home *bridge.Home) []string {
	return []string{a.config.Root + "/" + a.mac(home)}
}

// Filters implements bridge.Adapter: it listens to nobody.
func (a *Adapter) Filters() []string { return nil }

// Restore implements bridge.Adapter.
func (a *Adapter) Restore(kept []byte) error { return json.Unmarshal(kept, &a.since) }

// HandleUp implements bridge.Adapter.
func (a *Adapter) HandleUp(now time.Time, _ string, _ *bridge.Outbox) { a.next = now }

// HandleDown implements bridge.Adapter. Nothing is retained.
func (a *Adapter) HandleDown(*bridge.Outbox) {}

// HandleMessage implements bridge.Adapter.
func (a *Adapter) HandleMessage(time.Time, bridge.Message, *bridge.Outbox) error { return nil }

// HandleHome implements bridge.Adapter.
func (a *Adapter) HandleHome(_ time.Time, home *bridge.Home, out *bridge.Outbox) {
	a.home = home
	changed := a.count(meterElectricity, a.home.Meter(a.config.Electricity.ID))
	changed = a.count(meterGas, a.home.Meter(a.config.Gas.ID)) || changed
	if !changed {
		return
	}
	text, err := json.Marshal(a.since)
	if err != nil {
		out.Warn(fmt.Sprintf("what is to be kept cannot be written: %v", err))
		return
	}
	out.Keep(text)
}

// HandleHubLost implements bridge.HubWatcher: a display that hears nothing from its hub
// has nothing to show.
func (a *Adapter) HandleHubLost(time.Time, *bridge.Outbox) { a.home = nil }

// count begins days, weeks and months.
func (a *Adapter) count(name string, eui han.EUI64) (changed bool) {
	d := a.home.Device(eui)
	if d == nil || d.ReadAt.IsZero() {
		return false
	}
	register, ok := d.Reading()
	if !ok {
		return false
	}
	b := a.since[name]
	if b == nil {
		b = &baselines{}
		a.since[name] = b
	}
	return b.count(d.ReadAt.UTC(), register)
}

// NextTimer implements bridge.Adapter.
func (a *Adapter) NextTimer() (time.Time, bool) { return a.next, !a.next.IsZero() }

// HandleTimer implements bridge.Adapter.
func (a *Adapter) HandleTimer(now time.Time, out *bridge.Outbox) {
	a.next = now.Add(a.config.Interval)
	if a.home == nil {
		return
	}
	prefix := a.config.Root + "/" + a.mac(a.home) + "/"
	put := func(topic string, v any) {
		text, err := json.Marshal(v)
		if err != nil {
			out.Warn(fmt.Sprintf("%s cannot be written: %v", topic, err))
			return
		}
		out.Publish(prefix+topic, foreign.JSON(text))
	}
	put("STATE", a.state())
	if m, ok := a.electricity(); ok {
		put("SENSOR/"+meterElectricity, map[string]any{meterElectricity: m})
	}
	if m, ok := a.gas(); ok {
		put("SENSOR/"+meterGas, map[string]any{meterGas: m})
	}
}

func (a *Adapter) mac(home *bridge.Home) string {
	if a.config.MAC != "" {
		return a.config.MAC
	}
	return home.EUI64.String()[4:]
}
