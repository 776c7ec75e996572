// Package zigbee2mqtt delivers images of the hub to Zigbee devices behind
// Zigbee2MQTT, which does the radio: the bridge orders an update and follows it.
//
//	<base>/bridge/state                               retained: online, offline
//	<base>/bridge/devices                             retained: what is paired
//	<base>/<friendly name>                            a device's state, "update" in it
//	<base>/bridge/request/device/ota_update/<order>   schedule, unschedule, update, update/abort
//	<base>/bridge/response/device/ota_update/<order>
//
// A device on batteries is scheduled: Zigbee2MQTT starts when the device asks for
// an image the next time. One on the mains is updated at once. Either is ordered
// only when it was heard lately or is due, its battery is good enough, and not
// more devices than agreed are at it. A device that does not come gives way to
// the next after a while.
//
//	        order          response            state
//	waiting ─────► ordered ───────► scheduled ──────► updating ─► done
//	   ▲              │                 │                │     └─► failed
//	   └──────────────┴──── no answer, gave way, failed ─┘
//	               withdrawn: aborting ─► unscheduling ─► waiting
package zigbee2mqtt

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/bridge"
)

// Name is the adapter's section in the configuration.
const Name = "zigbee2mqtt"

// Config is the adapter's section.
type Config struct {
	// Base is the base topic of Zigbee2MQTT.
	Base string `yaml:"base"`
	// Concurrency is how many devices may be ordered or transferring at a time.
	Concurrency int `yaml:"concurrency"`
	// Attempts is how often a transfer may fail before the update has failed.
	Attempts int `yaml:"attempts"`
	// GiveWay is how long a device may be ordered without beginning.
	GiveWay time.Duration  `yaml:"give-way"`
	Devices []DeviceConfig `yaml:"devices"`
}

// DeviceConfig maps one device.
type DeviceConfig struct {
	bridge.Mapping `yaml:",inline"`
	// Address is its IEEE address, as Zigbee2MQTT writes it: 0x and 16 hex digits.
	Address string `yaml:"address"`
	// Deliver is how Zigbee2MQTT gets the image: url, with the bridge's HTTP
	// endpoint, or hex, in the order itself. Default: url with an endpoint, else hex.
	Deliver string `yaml:"deliver"`
	// BatteryFloor is the least charge in percent to begin at; 0: any.
	BatteryFloor int `yaml:"battery-floor"`
	// HeardWithin is how lately it must have been heard to be ordered.
	HeardWithin time.Duration `yaml:"heard-within"`
	// Every is how often it comes by itself; 0: not known. Once that much has passed
	// since it was heard, it is due, and ordered as well.
	Every time.Duration `yaml:"every"`
}

// Defaults of a section.
const (
	defaultBase         = "zigbee2mqtt"
	defaultConcurrency  = 1
	defaultAttempts     = 3
	defaultGiveWay      = 6 * time.Hour
	defaultBatteryFloor = 30
	defaultHeardWithin  = time.Hour
)

// Kind makes the adapter from its section.
func Kind() bridge.Kind {
	return bridge.KindOf(Name, Config{Base: defaultBase, Concurrency: defaultConcurrency, Attempts: defaultAttempts, GiveWay: defaultGiveWay}, New)
}

// Adapter is the adapter.
type Adapter struct {
	config  Config
	devices []*device
	byName  map[string]*device // friendly name, once known
	online  bool
	// homely tells that the hub was seen since the start. Before that nothing is
	// known of what the supplier wants.
	homely bool
	// orphans are the addresses of devices whose entry is gone, and that may still
	// be scheduled.
	orphans []string
	listed  string // the last list that was noted
	orders  uint64 // counts orders, for their transactions
	next    time.Time
}

var _ bridge.Adapter = (*Adapter)(nil)

// New returns an adapter.
func New(c Config) (*Adapter, error) {
	switch {
	case bridge.CheckTopic(c.Base) != nil:
		return nil, fmt.Errorf("base: %w", bridge.CheckTopic(c.Base))
	case c.Concurrency < 1 || c.Attempts < 1 || c.GiveWay <= 0:
		return nil, errors.New("concurrency, attempts and give-way: want more than 0")
	}
	a := &Adapter{config: c, byName: map[string]*device{}}
	addresses := map[string]bool{}
	for _, d := range c.Devices {
		if err := d.complete(); err != nil {
			return nil, fmt.Errorf("device %s: %w", d.EUI64, err)
		}
		if addresses[d.Address] {
			return nil, fmt.Errorf("device %s: address %s stands there twice", d.EUI64, d.Address)
		}
		addresses[d.Address] = true
		if d.EUI64 == 0 {
			d.EUI64 = bridge.OutsideID(Name, d.Address)
		}
		a.devices = append(a.devices, &device{config: d, battery: -1})
	}
	return a, nil
}

// complete checks a device's settings and fills in what is missing.
func (d *DeviceConfig) complete() error {
	digits, ok := strings.CutPrefix(strings.ToLower(d.Address), "0x")
	if _, err := han.ParseEUI64(digits); !ok || len(digits) != 16 || err != nil {
		return fmt.Errorf("address %q: want an IEEE address such as 0x00124b0012345678", d.Address)
	}
	d.Address = "0x" + digits
	if d.Deliver != "" && d.Deliver != deliverURL && d.Deliver != deliverHex {
		return fmt.Errorf("deliver %q: want url or hex", d.Deliver)
	}
	if d.BatteryFloor < 0 || d.BatteryFloor > 100 {
		return fmt.Errorf("battery-floor %d: want 0 to 100", d.BatteryFloor)
	}
	if d.HeardWithin < 0 || d.Every < 0 {
		return errors.New("heard-within and every: want no less than 0")
	}
	d.HeardWithin = cmp.Or(d.HeardWithin, defaultHeardWithin)
	d.Label = cmp.Or(d.Label, d.Address)
	return nil
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

// Territories implements bridge.Adapter: what is ordered of a device goes to one topic for
// all of them, so each stands for itself.
func (a *Adapter) Territories(*bridge.Home) []string {
	var all []string
	for _, d := range a.devices {
		all = append(all, a.config.Base+"/"+d.config.Address)
	}
	return all
}

// Filters implements bridge.Adapter. Friendly names may have any number of levels.
func (a *Adapter) Filters() []string { return []string{a.config.Base + "/#"} }

// kept is what lasts.
type kept struct {
	Orders  uint64                 `json:"orders"`
	Devices map[han.EUI64]keptCase `json:"devices"`
}

// Restore implements bridge.Adapter.
func (a *Adapter) Restore(text []byte) error {
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}
	a.orders = k.Orders
	for _, d := range a.devices {
		c, ok := k.Devices[d.config.EUI64]
		if ok && c.Phase.known() && c.Address == d.config.Address {
			d.keptCase = c
			delete(k.Devices, d.config.EUI64)
		}
	}
	for _, c := range k.Devices {
		if c.Phase.busy() {
			a.orphans = append(a.orphans, c.Address)
		}
	}
	slices.Sort(a.orphans)
	return nil
}

// keep hands out what lasts, if it changed.
func (a *Adapter) keep(before kept, out *bridge.Outbox) {
	now := a.snapshot()
	if before.Orders == now.Orders && equalCases(before.Devices, now.Devices) {
		return
	}
	text, err := json.Marshal(now)
	if err != nil {
		out.Warn(fmt.Sprintf("what is to be kept cannot be written: %v", err))
		return
	}
	out.Keep(text)
}

func (a *Adapter) snapshot() kept {
	k := kept{Orders: a.orders, Devices: map[han.EUI64]keptCase{}}
	for _, d := range a.devices {
		if d.Phase != phaseWaiting || d.Attempts > 0 {
			c := d.keptCase
			c.Address = d.config.Address
			k.Devices[d.config.EUI64] = c
		}
	}
	return k
}

func equalCases(x, y map[han.EUI64]keptCase) bool {
	if len(x) != len(y) {
		return false
	}
	for eui, c := range x {
		if other, ok := y[eui]; !ok || other != c {
			return false
		}
	}
	return true
}

// HandleUp implements bridge.Adapter. The retained messages that tell whether
// Zigbee2MQTT is there, and what it knows, are on their way. The answer to a
// withdrawal may have come while nobody listened, so it is asked for again.
func (a *Adapter) HandleUp(time.Time, string, *bridge.Outbox) {
	a.online = false
	for _, d := range a.devices {
		if d.Phase == phaseAborting || d.Phase == phaseUnscheduling {
			d.Since, d.Withdrawals = time.Time{}, 0
		}
	}
}

// HandleDown implements bridge.Adapter. Nothing is left on the broker; what is
// scheduled goes on.
func (a *Adapter) HandleDown(*bridge.Outbox) {}

// HandleMessage implements bridge.Adapter.
func (a *Adapter) HandleMessage(now time.Time, m bridge.Message, out *bridge.Outbox) error {
	topic, ok := strings.CutPrefix(m.Topic, a.config.Base+"/")
	if !ok {
		return nil
	}
	before := a.snapshot()
	var err error
	switch {
	case topic == "bridge/state":
		err = a.handleState(m.Payload)
	case topic == "bridge/devices":
		err = a.handleList(m.Payload, out)
	case strings.HasPrefix(topic, responsePrefix):
		err = a.handleResponse(now, m.Payload, out)
	case strings.HasPrefix(topic, "bridge/"):
		return nil
	default:
		d, mapped := a.byName[topic]
		if !mapped {
			return nil
		}
		err = d.handleDevice(now, a, m, out)
	}
	if err != nil {
		return err
	}
	a.review(now, out)
	a.keep(before, out)
	return nil
}

// HandleHome implements bridge.Adapter.
func (a *Adapter) HandleHome(now time.Time, home *bridge.Home, out *bridge.Outbox) {
	before := a.snapshot()
	first := !a.homely
	a.homely = true
	for _, d := range a.devices {
		d.wish = wishOf(home.Device(d.config.EUI64))
		if first {
			d.follow(now, a, out)
		}
	}
	a.review(now, out)
	a.keep(before, out)
}

func wishOf(d *bridge.Device) *bridge.Update {
	if d == nil || d.Kind != bridge.KindBridged || d.Update == nil || d.Update.State.Ended() {
		return nil
	}
	return d.Update
}

// NextTimer implements bridge.Adapter.
func (a *Adapter) NextTimer() (time.Time, bool) { return a.next, !a.next.IsZero() }

// HandleTimer implements bridge.Adapter.
func (a *Adapter) HandleTimer(now time.Time, out *bridge.Outbox) {
	before := a.snapshot()
	a.review(now, out)
	a.keep(before, out)
}

// review moves every device as far as it can go and decides when to look again.
func (a *Adapter) review(now time.Time, out *bridge.Outbox) {
	a.next = time.Time{}
	if !a.homely {
		return
	}
	a.dismiss(out)
	busy := 0
	for _, d := range a.devices {
		d.settle(now, a, out)
		if d.Phase.busy() {
			busy++
		}
	}
	// Who waits longest without having been tried comes first.
	queue := slices.DeleteFunc(slices.Clone(a.devices), func(d *device) bool { return d.Phase != phaseWaiting || d.wish == nil })
	slices.SortStableFunc(queue, func(x, y *device) int { return x.GaveWay.Compare(y.GaveWay) })
	for _, d := range queue {
		if reason := d.obstacle(now, a, busy); reason != "" {
			d.report(bridge.Pending, 0, reason, out)
			continue
		}
		d.order(now, a, out)
		busy++
	}
	if busy >= a.config.Concurrency && len(queue) > 0 {
		a.giveWay(now, out)
	}
	for _, d := range a.devices {
		d.tellHeard(now, out)
	}
}

// dismiss takes back what was ordered for devices whose entry is gone. Whether
// Zigbee2MQTT answers does not matter to anybody any more.
func (a *Adapter) dismiss(out *bridge.Outbox) {
	if !a.online {
		return
	}
	for _, address := range a.orphans {
		out.Note(fmt.Sprintf("%s has no entry any more; what was ordered for it is taken back", address))
		d := device{config: DeviceConfig{Address: address}}
		d.request(a, orderAbort, out)
		d.request(a, orderUnschedule, out)
	}
	a.orphans = nil
}

// giveWay withdraws the device that has been ordered longest without beginning,
// if that is too long, so that another gets its turn.
func (a *Adapter) giveWay(now time.Time, out *bridge.Outbox) {
	for _, d := range a.devices {
		if d.Phase != phaseScheduled {
			continue
		}
		over := d.Since.Add(a.config.GiveWay)
		if now.Before(over) {
			a.wake(over)
			continue
		}
		out.Note(fmt.Sprintf("%s did not begin in %s and gives way", d.config.Label, a.config.GiveWay))
		d.GaveWay = now
		d.unschedule(now, a, out)
	}
}

// wake makes sure that the adapter looks again at an instant.
func (a *Adapter) wake(at time.Time) {
	if a.next.IsZero() || at.Before(a.next) {
		a.next = at
	}
}
