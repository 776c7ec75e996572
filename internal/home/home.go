// Package home describes the devices of a home: identities, figures, and what the
// nodes are configured with. Two packages under it put the nodes of a described home
// on a driver: virtual in virtual time, live over MQTT and DTLS. They are where nodes
// and drivers meet; neither knows the other.
package home

import (
	"crypto/ecdsa"
	"math/rand/v2"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/devices/metrology"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
)

// Identities of the published GBCS test set.
const (
	DefaultESME han.EUI64 = 0x00DB1234567890A0
	DefaultGSME han.EUI64 = 0x00DB1234567890A1
	DefaultIHD  han.EUI64 = 0x00DB1234567890A4
)

// Device is a device of a home by address and kind.
type Device struct {
	EUI64 han.EUI64
	Kind  store.Kind
}

// DefaultLowBattery is the share of a new cell, in percent, under which a gas meter
// tells the supplier. An assumption: no public text has the figure.
const DefaultLowBattery = 10

// DefaultCheckPeriod is how often a running meter checks its memory. An assumption.
const DefaultCheckPeriod = meter.DefaultCheckPeriod

// DefaultSlotCapacity is the room for an image in a meter, in bytes.
const DefaultSlotCapacity = 1 << 20

// Meter describes a meter of a home.
type Meter struct {
	EUI64       han.EUI64
	Kind        store.Kind // KindESME or KindGSME
	Policy      bootloader.Policy
	SupplierKey *ecdsa.PublicKey
	// Messages says which GBCS messages it takes, Security has the keys for them; whoever puts
	// the meter on a driver fills it.
	Messages seal.Policy
	Security remote.Security
	// Factory is the OTA file that a new meter leaves the factory with.
	Factory      []byte
	SlotCapacity int
	Battery      battery.Set
	OTA          otaclient.Config
	DriftPPM     int64
	CheckPeriod  time.Duration // of the memory, while it runs; 0 is meter.DefaultCheckPeriod
	// Gas meters only.
	Period         time.Duration
	FirstHeartbeat time.Duration
	Jitter         time.Duration // of heartbeats, drawn from Dice
	Dice           *rand.Rand
	Awake          time.Duration // how long a window lasts at most; 0 is gsme.DefaultAwake
	Budget         battery.Budget
	// LowBattery is the share of a new cell, in percent, under which the meter tells
	// the supplier (8F1F).
	LowBattery int64
}

// NewMeter returns the description of a meter with default figures.
func NewMeter(eui han.EUI64, kind store.Kind, policy bootloader.Policy, factory []byte) Meter {
	return Meter{
		EUI64: eui, Kind: kind, Policy: policy, Factory: factory,
		SlotCapacity: DefaultSlotCapacity, Battery: battery.Default(), OTA: otaclient.DefaultConfig(),
		Period: gsme.DefaultPeriod, LowBattery: DefaultLowBattery,
	}
}

// Metrology of the two kinds: a load of 250 l of gas or 350 W of electricity.
var (
	gasMetrology         = metrology.Config{FirmwareVersion: 0x09030000, Initial: 1_234_567, PerHour: 250}
	electricityMetrology = metrology.Config{FirmwareVersion: 0x09010000, Initial: 7_654_321, PerHour: 350}
)

// config returns what both kinds of meter are configured with.
func (m Meter) config(h hub.Config) meter.Config {
	c := meter.Config{
		EUI64: m.EUI64, Hub: h.EUI64, Supplier: h.Supplier, SupplierKey: m.SupplierKey, Security: m.Security,
		Endpoint: 1, HubEndpoint: h.Endpoint,
		Policy: m.Policy, Factory: m.Factory, SlotCapacity: m.SlotCapacity,
		Metrology: electricityMetrology, Battery: m.Battery, OTA: m.OTA, DriftPPM: m.DriftPPM, CheckPeriod: m.CheckPeriod,
	}
	if m.Kind == store.KindGSME {
		c.Metrology = gasMetrology
	}
	return c
}

// ESME returns the configuration of an electricity meter.
func (m Meter) ESME(h hub.Config) esme.Config { return esme.Config{Config: m.config(h)} }

// GSME returns the configuration of a gas meter. One without a radio-on time of its
// own takes the hub's, if the hub paces by radio-on time: what the hub cannot hear,
// the meter knows.
func (m Meter) GSME(h hub.Config) gsme.Config {
	if pacing, ok := h.Policy.(gasproxy.Radio); ok && m.Budget.RadioOn == 0 {
		m.Budget.RadioOn = time.Duration(pacing)
	}
	return gsme.Config{
		Config: m.config(h), Period: m.Period, FirstHeartbeat: m.FirstHeartbeat,
		Jitter: m.Jitter, Dice: m.Dice, Awake: m.Awake, Budget: m.Budget,
		LowBattery: m.Battery.Capacity() / 100 * battery.Charge(m.LowBattery),
	}
}

// IHD returns the configuration of an in-home display.
func IHD(eui han.EUI64, h hub.Config) ihd.Config {
	return ihd.Config{EUI64: eui, Hub: h.EUI64, Endpoint: 1, MirrorEndpoint: h.MirrorEndpoint}
}

// Link returns the radio link over which a device with the given parameter set sends:
// with the times of the set's radio, and what goes wrong on it.
func Link(faults fault.Link, set battery.Set) radio.Link {
	return radio.Link{Params: set.Radio, Faults: faults}
}

// HubLink returns the radio link over which the hub sends: its answers take it a
// moment.
func HubLink(faults fault.Link, h hub.Config) radio.Link {
	l := Link(faults, h.Battery)
	l.Latency = h.Battery.Radio.Latency
	return l
}
