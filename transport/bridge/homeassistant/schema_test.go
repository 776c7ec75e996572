package homeassistant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// The keys that Home Assistant documents for MQTT discovery, with what their
// values have to be; those with "!" are required. Recorded from its integration
// documentation and the schemas of its MQTT component (core 2024.11 and later).
// Keys that the bridge never uses are left out where they would only make the
// tables longer: a payload with one of them fails here.
var (
	deviceKeys = keys{
		"identifiers!": "texts", "name": "text", "manufacturer": "text", "model": "text", "hw_version": "text",
		"serial_number": "text", "sw_version": "text", "via_device": "text", "suggested_area": "text", "configuration_url": "text",
	}
	originKeys       = keys{"name!": "text", "sw_version": "text", "support_url": "text"}
	availabilityKeys = keys{"topic!": "topic", "payload_available": "text", "payload_not_available": "text", "value_template": "text"}
	discoveryKeys    = keys{
		"device!": "object", "origin!": "object", "components!": "object", "state_topic": "topic", "command_topic": "topic",
		"availability": "objects", "availability_mode": "text", "qos": "qos", "encoding": "text",
	}
	sensorKeys = keys{
		"platform!": "text", "unique_id!": "text", "name": "text", "device_class": "text", "state_class": "text",
		"unit_of_measurement": "text", "options": "texts", "entity_category": "text", "suggested_display_precision": "number",
		"value_template": "text", "state_topic": "topic", "expire_after": "number", "force_update": "bool", "icon": "text",
		"enabled_by_default": "bool", "object_id": "text", "availability": "objects", "availability_mode": "text",
	}
	updateKeys = keys{
		"platform!": "text", "unique_id!": "text", "name": "text", "device_class": "text", "entity_category": "text",
		"state_topic": "topic", "value_template": "text", "latest_version_topic": "topic", "latest_version_template": "text",
		"command_topic": "topic", "payload_install": "text", "title": "text", "release_url": "text", "release_summary": "text",
		"entity_picture": "text", "display_precision": "number", "retain": "bool", "icon": "text", "enabled_by_default": "bool", "object_id": "text",
	}
	updateStateKeys = keys{
		"installed_version": "text", "latest_version": "text", "title": "text", "release_summary": "summary",
		"release_url": "text", "entity_picture": "text", "in_progress": "bool", "update_percentage": "percent or null",
	}
	// deviceClasses are the units that go with a sensor's device class; nil for none.
	deviceClasses = map[string][]string{
		"energy": {"Wh", "kWh", "MWh", "GJ", "MJ"}, "gas": {"m³", "ft³", "CCF"}, "power": {"W", "kW", "MW"}, "battery": {"%"},
		"duration": {"d", "h", "min", "s", "ms"}, "timestamp": nil, "enum": nil,
	}
	stateClasses = map[string][]string{
		"energy": {"total", "total_increasing"}, "gas": {"total", "total_increasing"}, "power": {"measurement"},
		"battery": {"measurement"}, "duration": {"measurement", "total", "total_increasing"}, "timestamp": {""}, "enum": {""}, "": {"", "measurement"},
	}
)

type keys map[string]string

// check demands that an object has all required keys, none that is not in the
// table, and values of the right kind.
func (k keys) check(t *testing.T, where string, object map[string]any) {
	t.Helper()
	for key, kind := range k {
		if name, required := strings.CutSuffix(key, "!"); required {
			if _, there := object[name]; !there {
				t.Errorf("%s: key %s is missing", where, name)
			}
			k = merged(k, name, kind)
		}
	}
	for name, v := range object {
		kind, known := k[name]
		if !known {
			t.Errorf("%s: key %s is not documented", where, name)
			continue
		}
		if !isKind(kind, v) {
			t.Errorf("%s: %s is %#v, want %s", where, name, v, kind)
		}
	}
}

func merged(k keys, name, kind string) keys {
	out := keys{name: kind}
	for key, v := range k {
		out[key] = v
	}
	return out
}

func isKind(kind string, v any) bool {
	text, isText := v.(string)
	number, isNumber := v.(float64)
	list, isList := v.([]any)
	switch kind {
	case "text":
		return isText && text != ""
	case "summary":
		return isText && text != "" && len(text) <= 255
	case "topic":
		return isText && text != "" && !strings.ContainsAny(text, "+#\x00")
	case "texts":
		return isList && len(list) > 0 && !slices.ContainsFunc(list, func(v any) bool { s, ok := v.(string); return !ok || s == "" })
	case "number":
		return isNumber && number >= 0
	case "qos":
		return isNumber && (number == 0 || number == 1 || number == 2)
	case "percent or null":
		return v == nil || isNumber && number >= 0 && number <= 100
	case "bool":
		_, ok := v.(bool)
		return ok
	case "object":
		_, ok := v.(map[string]any)
		return ok
	case "objects":
		return isList && !slices.ContainsFunc(list, func(v any) bool { _, ok := v.(map[string]any); return !ok })
	default:
		panic(kind)
	}
}

// checkPayload validates one retained message of the adapter.
func checkPayload(t *testing.T, topic string, payload []byte) {
	t.Helper()
	if strings.HasSuffix(topic, "/availability") {
		if text := string(payload); text != "online" && text != "silent" && text != "offline" {
			t.Errorf("%s: %q, want online, silent or offline", topic, text)
		}
		return
	}
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(payload))
	if err := d.Decode(&object); err != nil {
		t.Fatalf("%s: %v: %s", topic, err, payload)
	}
	switch {
	case strings.HasSuffix(topic, "/config"):
		checkDiscovery(t, topic, object)
	case strings.HasSuffix(topic, "/update"):
		updateStateKeys.check(t, topic, object)
		if object["update_percentage"] != nil && object["in_progress"] != true {
			t.Errorf("%s: a percentage of something that is not in progress: %s", topic, payload)
		}
	case strings.HasSuffix(topic, "/state"):
		for key, v := range object {
			if v == nil {
				t.Errorf("%s: %s is null, want it left out", topic, key)
			}
			if strings.HasPrefix(key, "last_") || strings.HasPrefix(key, "next_") {
				if _, err := time.Parse(time.RFC3339, fmt.Sprint(v)); err != nil {
					t.Errorf("%s: %s: %v", topic, key, err)
				}
			}
		}
	default:
		t.Errorf("%s: an unexpected topic", topic)
	}
}

func checkDiscovery(t *testing.T, topic string, object map[string]any) {
	t.Helper()
	parts := strings.Split(topic, "/")
	if len(parts) != 4 || parts[1] != "device" || strings.Trim(parts[2], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		t.Errorf("%s: want prefix/device/object/config", topic)
	}
	discoveryKeys.check(t, topic, object)
	deviceKeys.check(t, topic+" device", object["device"].(map[string]any))
	originKeys.check(t, topic+" origin", object["origin"].(map[string]any))
	for _, a := range object["availability"].([]any) {
		availabilityKeys.check(t, topic+" availability", a.(map[string]any))
	}
	unique := map[any]bool{}
	for key, v := range object["components"].(map[string]any) {
		c, where := v.(map[string]any), topic+" "+key
		if unique[c["unique_id"]] {
			t.Errorf("%s: unique_id %v stands there twice", where, c["unique_id"])
		}
		unique[c["unique_id"]] = true
		switch c["platform"] {
		case "sensor":
			sensorKeys.check(t, where, c)
			checkSensor(t, where, c)
		case "update":
			updateKeys.check(t, where, c)
			if (c["command_topic"] == nil) != (c["payload_install"] == nil) {
				t.Errorf("%s: command_topic and payload_install come together", where)
			}
		default:
			t.Errorf("%s: platform %v", where, c["platform"])
		}
	}
}

// checkSensor checks that device class, state class and unit go together.
func checkSensor(t *testing.T, where string, c map[string]any) {
	t.Helper()
	class, _ := c["device_class"].(string)
	units, known := deviceClasses[class]
	unit, _ := c["unit_of_measurement"].(string)
	if class != "" && (!known || units == nil && unit != "" || units != nil && !slices.Contains(units, unit)) {
		t.Errorf("%s: unit %q does not go with device class %q", where, unit, class)
	}
	state, _ := c["state_class"].(string)
	if !slices.Contains(stateClasses[class], state) {
		t.Errorf("%s: state class %q does not go with device class %q", where, state, class)
	}
	if (class == "enum") != (c["options"] != nil) {
		t.Errorf("%s: options belong to device class enum, and to that alone", where)
	}
}
