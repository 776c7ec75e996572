package homeassistant

import (
	"cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/bridge"
)

const (
	kindElectricity = "ESME"
	kindGas         = "GSME"

	payloadInstall = "install"
	// onlyActive makes the presence of the bridge an availability. An empty message,
	// which a last will leaves, is not active either.
	onlyActive = "{{ 'online' if value == 'active' else 'offline' }}"
)

// discovery is the payload of <prefix>/device/<object>/config.
type discovery struct {
	Device       deviceInfo           `json:"device"`
	Origin       origin               `json:"origin"`
	Components   map[string]component `json:"components"`
	StateTopic   string               `json:"state_topic"`
	Availability []availability       `json:"availability"`
	Mode         string               `json:"availability_mode"`
	QoS          int                  `json:"qos"`
}

type deviceInfo struct {
	Identifiers     []string `json:"identifiers"`
	Name            string   `json:"name"`
	Manufacturer    string   `json:"manufacturer"`
	Model           string   `json:"model"`
	SerialNumber    string   `json:"serial_number"`
	SoftwareVersion string   `json:"sw_version,omitempty"`
	ViaDevice       string   `json:"via_device,omitempty"`
}

type origin struct {
	Name            string `json:"name"`
	SoftwareVersion string `json:"sw_version,omitempty"`
}

type availability struct {
	Topic         string `json:"topic"`
	ValueTemplate string `json:"value_template"`
}

// all is the availability mode in which everything has to be available.
const all = "all"

const (
	onlyOnline = "{{ 'online' if value == 'online' else 'offline' }}"
	notOffline = "{{ 'offline' if value == 'offline' else 'online' }}"
)

// reachable are the conditions under which a device can be reached: the bridge works,
// and the device's own topic says so by a template.
func (a *Adapter) reachable(eui han.EUI64, template string) []availability {
	return []availability{{Topic: a.presence, ValueTemplate: onlyActive}, {Topic: a.topic(eui, availabilityLevel), ValueTemplate: template}}
}

// component is an entity.
type component struct {
	Platform           string   `json:"platform"`
	UniqueID           string   `json:"unique_id"`
	Name               string   `json:"name"`
	DeviceClass        string   `json:"device_class,omitempty"`
	StateClass         string   `json:"state_class,omitempty"`
	Unit               string   `json:"unit_of_measurement,omitempty"`
	Options            []string `json:"options,omitempty"`
	EntityCategory     string   `json:"entity_category,omitempty"`
	SuggestedPrecision *int     `json:"suggested_display_precision,omitempty"`
	ValueTemplate      string   `json:"value_template,omitempty"`
	StateTopic         string   `json:"state_topic,omitempty"`
	CommandTopic       string   `json:"command_topic,omitempty"`
	PayloadInstall     string   `json:"payload_install,omitempty"`
	Title              string   `json:"title,omitempty"`
	// Availability is the entity's own, in place of the device's.
	Availability []availability `json:"availability,omitempty"`
	Mode         string         `json:"availability_mode,omitempty"`
}

// field returns the template of one member of the state. A member that is not
// there is a state that is not known.
func field(name string) string { return "{{ value_json." + name + " | default(None) }}" }

func objectID(eui han.EUI64) string { return "commshub_" + eui.String() }

// device returns what all devices have.
func (a *Adapter) device(eui han.EUI64, name, model string) discovery {
	return discovery{
		Device: deviceInfo{
			Identifiers: []string{objectID(eui)}, Name: name, Manufacturer: "commshub", Model: model, SerialNumber: eui.String(),
		},
		Origin:       origin{Name: "commshub", SoftwareVersion: a.home.Version},
		Components:   map[string]component{},
		StateTopic:   a.topic(eui, "state"),
		Availability: a.reachable(eui, onlyOnline), Mode: all,
		QoS: 1,
	}
}

// add adds a sensor whose value is a member of the state of the same name.
func (d *discovery) add(key string, c component) {
	c.Platform, c.UniqueID = "sensor", d.Device.Identifiers[0]+"_"+key
	c.ValueTemplate = field(key)
	d.Components[key] = c
}

func (a *Adapter) hubDevice() discovery {
	d := a.device(a.home.EUI64, "Communications Hub", "Communications Hub")
	d.Device.SoftwareVersion = a.home.Version
	d.add("devices", component{Name: "Devices", StateClass: "measurement", EntityCategory: "diagnostic"})
	d.add("updates", component{Name: "Updates under way", StateClass: "measurement"})
	d.add("speed", component{Name: "Clock speed", StateClass: "measurement", EntityCategory: "diagnostic"})
	return d
}

func (a *Adapter) meterDevice(m MeterConfig, b *bridge.Device) discovery {
	model := "Electricity meter (ESME)"
	if b.Kind == kindGas {
		model = "Gas meter (GSME)"
	}
	d := a.device(m.EUI64, cmp.Or(m.Label, b.Kind+" "+m.EUI64.String()), model)
	d.Device.SoftwareVersion = b.Version
	if a.config.Hub {
		d.Device.ViaDevice = objectID(a.home.EUI64)
	}
	three := 3
	if b.Kind == kindGas {
		d.add("gas", component{Name: "Gas", DeviceClass: "gas", StateClass: "total_increasing", Unit: "m³", SuggestedPrecision: &three})
		d.add("battery", component{Name: "Battery", DeviceClass: "battery", StateClass: "measurement", Unit: "%", EntityCategory: "diagnostic"})
		d.add("battery_days", component{Name: "Battery life", DeviceClass: "duration", StateClass: "measurement", Unit: "d", EntityCategory: "diagnostic"})
		d.add("next_heartbeat", component{Name: "Next heartbeat", DeviceClass: "timestamp", EntityCategory: "diagnostic"})
		d.add("heartbeat", component{Name: "Heartbeat", DeviceClass: "enum", Options: []string{heartbeatOnTime, heartbeatOverdue}})
		d.add("overdue_since", component{Name: "Heartbeat overdue since", DeviceClass: "timestamp", EntityCategory: "diagnostic"})
	} else {
		d.add("energy", component{Name: "Energy", DeviceClass: "energy", StateClass: "total_increasing", Unit: "kWh", SuggestedPrecision: &three})
		d.add("power", component{Name: "Power", DeviceClass: "power", StateClass: "measurement", Unit: "kW", SuggestedPrecision: &three})
	}
	// What tells that a meter is silent has to be seen while it is.
	for _, key := range []string{"heartbeat", "overdue_since"} {
		if c, ok := d.Components[key]; ok {
			c.Availability, c.Mode = a.reachable(m.EUI64, notOffline), all
			d.Components[key] = c
		}
	}
	d.add("supply", component{Name: "Supply", DeviceClass: "enum", Options: supplyNames[:]})
	d.add("last_heard", component{Name: "Last heard", DeviceClass: "timestamp", EntityCategory: "diagnostic"})
	update := component{
		Platform: "update", UniqueID: objectID(m.EUI64) + "_update", Name: "Firmware", DeviceClass: "firmware",
		StateTopic: a.topic(m.EUI64, "update"), Title: model,
	}
	if m.Install {
		update.CommandTopic, update.PayloadInstall = a.topic(m.EUI64, "install"), payloadInstall
	}
	d.Components["update"] = update
	return d
}
