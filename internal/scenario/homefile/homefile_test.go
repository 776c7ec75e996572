package homefile

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/transport/fault"
)

const smallest = "devices:\n  gas: {kind: GSME}\nimage: {size: 4KiB}\n"

func TestTheSmallestScenarioHasDefaults(t *testing.T) {
	h, err := Parse("small.yaml", []byte(smallest))
	if err != nil {
		t.Fatal(err)
	}
	d := h.Devices[0]
	got := []any{h.Seed, h.Start.Format(time.RFC3339), h.Duration.String(), h.Pacing.String(), int(h.BlockSize), d.Name, d.Address().String(),
		d.Heartbeat.Period.String(), d.Battery.Charge.String(), d.Version.String(), h.Image.Version.String(), h.Distribute.To, h.Stop}
	want := []any{Number(1), "2026-01-05T00:00:00Z", "14d", "radio=10s", hub.DefaultConfig().BlockSize, Name("gas"), "00DB1234567890A0",
		"30m", "100%", "01000000", "02000000", []Name{"gas"}, StopSettled}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults differ (-want +got):\n%s", diff)
	}
}

func TestDevicesInheritHeartbeatAndBattery(t *testing.T) {
	h, err := Parse("x.yaml", []byte(`
heartbeat: {period: 15m, jitter: 1m}
battery: {charge: 50%}
devices:
  a: {kind: GSME}
  b: {kind: GSME, heartbeat: {period: 1h}, battery: {reserve: 5%}}
`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := h.Devices[0], h.Devices[1]
	if a.Heartbeat.Period.String() != "15m" || a.Heartbeat.Jitter.String() != "1m" || a.Battery.Charge.String() != "50%" {
		t.Errorf("a has %+v and %+v", *a.Heartbeat, *a.Battery)
	}
	// A group of one's own starts from the defaults, not from the home's.
	if b.Heartbeat.Period.String() != "1h" || b.Heartbeat.Jitter != 0 || b.Battery.Charge != fullCharge || b.Battery.Reserve.String() != "5%" {
		t.Errorf("b has %+v and %+v", *b.Heartbeat, *b.Battery)
	}
}

// What most mistakes are put behind.
const (
	gas   = "devices: {gas: {kind: GSME}, power: {kind: ESME}, shows: {kind: IHD}}\n"
	image = gas + "image: {size: 4KiB}\n"
)

// mistakes are scenarios that are wrong in one place.
var mistakes = []struct{ name, text, want string }{
	{"nothing", "", "1:1: an empty file, expected a scenario"},
	{"no YAML", "devices: {gas: {kind: GSME}\n", "1:1: not YAML: did not find expected ',' or '}'"},
	{"two documents", gas + "---\n" + gas, `2:1: a second document, expected one scenario per file`},
	{"a list", "- a\n", "1:1: a list, expected a group of keys: description, seed"},
	{"an unknown key", gas + "link:\n  los: 10%\n", `3:3: link: unknown key "los", expected one of loss, duplication, reordering, reorder_by, corruption, delay, bursts`},
	{"an unknown key of a device", "devices:\n  gas: {kind: GSME, wheels: 4}\n", `2:21: devices.gas: unknown key "wheels", expected one of kind, eui64`},
	{"a key twice", gas + "seed: 1\nseed: 2\n", `3:1: key "seed" a second time, expected once`},
	{"a device twice", "devices:\n  gas: {kind: GSME}\n  gas: {kind: ESME}\n", `3:3: devices: key "gas" a second time, expected once`},
	{"a merge key", gas + "link: {<<: {loss: 10%}}\n", `2:8: link: unknown key "<<"`},
	{"no devices", "seed: 1\n", `1:1: key "devices" is missing, expected names, and a group of keys under each`},
	{"empty devices", "devices: {}\n", `1:10: devices: 0 devices, expected 1 to 16`},
	{"no kind", "devices:\n  gas: {drift: 1ppm}\n", `2:8: devices.gas: key "kind" is missing, expected one of GSME, ESME, IHD`},
	{"a bad name", "devices:\n  the gas meter: {kind: GSME}\n", `2:3: devices: "the gas meter", expected a name of letters, digits, - and _`},
	{"a group for a word", gas + "seed: {a: 1}\n", `2:7: seed: a group of keys, expected a whole number without a unit`},
	{"nothing for a word", gas + "seed:\n", `2:6: seed: nothing, expected a whole number without a unit`},
	{"a word for a list", image + "expect: {alerts: 8F72}\n", `3:18: expect.alerts: "8F72", expected a list`},
	{"a wrong unit", gas + "duration: 14 days\n", `2:11: duration: "14 days", expected a duration such as 90s, 30m, 12h, 3d or 1d12h`},
	{"no unit", gas + "duration: 14\n", `2:11: duration: "14", expected a duration`},
	{"units out of order", gas + "duration: 30m2h\n", `2:11: duration: "30m2h", expected a duration`},
	{"a unit too many", gas + "seed: 1s\n", `2:7: seed: "1s", expected a whole number without a unit`},
	{"more than certain", gas + "link: {loss: 110%}\n", `2:14: link.loss: "110%", expected a share such as 10% or 0.1, at most 100%`},
	{"loss in ppm", gas + "link: {loss: 5ppm}\n", `2:14: link.loss: "5ppm", expected a share`},
	{"drift in percent", "devices: {gas: {kind: GSME, drift: 1%}}\n", `1:36: devices.gas.drift: "1%", expected a drift such as 20ppm or -35ppm, at most 10000ppm`},
	{"charge in volts", image + "expect: {battery_used_below: 3V}\n", `3:30: expect.battery_used_below: "3V", expected a charge such as 0.05%, 3mAh or 500uAh`},
	{"a size in words", gas + "image: {size: big}\n", `2:15: image.size: "big", expected bytes such as 262144, 256KiB or 750kB`},
	{"a pacing that does not exist", gas + "pacing: fast=1\n", `2:9: pacing: pacing "fast=1": want one of`},
	{"a pacing without sense", gas + "pacing: radio=-1s\n", `2:9: pacing: pacing "radio=-1s": want a radio-on time per window above 0 (for example radio=10s)`},
	{"a version of 7 digits", gas + "image: {size: 4KiB, version: 2000000}\n", `2:30: image.version: "2000000", expected a version of 8 hex digits such as 02000000`},
	{"an alert in words", image + "expect: {alerts: [verified]}\n", `3:19: expect.alerts[0]: "verified", expected an alert code of 4 hex digits such as 8F72`},
	{"an event that does not exist", image + "expect: {never: [exploded]}\n", `3:18: expect.never[0]: "exploded", expected one of bricked, node-started`},
	{"a kind that is not emulated", "devices: {gas: {kind: CAD}}\n", `1:23: devices.gas.kind: "CAD", expected one of GSME, ESME, IHD`},
	{"half an install code", "devices: {gas: {kind: GSME, install_code: 83FE D340}}\n", `1:43: devices.gas.install_code: parse install code: got 4 bytes, want 18`},
	{"a slip in an install code", "devices: {gas: {kind: GSME, install_code: 83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B6}}\n",
		`1:43: devices.gas.install_code: parse install code: CRC does not match (got B6C3, want B5C3)`},
	{"a start before Zigbee time", gas + "start: 1999-01-05T00:00:00Z\n", `2:8: start: year 1999, expected 2000 to 2099`},
	{"no duration at all", gas + "duration: 0s\n", `2:11: duration: 0s, expected 1s to 7320d`},
	{"pages too large", gas + "page_size: 70000\n", `2:12: page_size: 70000, expected 0 to 65535`},
	{"blocks too small", gas + "block_size: 8\n", `2:13: block_size: 8, expected 16 to 255`},
	{"a jitter like the period", gas + "heartbeat: {jitter: 20m}\n", `2:21: heartbeat.jitter: 20m, expected at most a quarter of the period of 30m`},
	{"a heartbeat of a display", "devices: {shows: {kind: IHD, heartbeat: {period: 1h}}}\n", `1:41: devices.shows.heartbeat: a key of gas meters, expected none at an IHD`},
	{"a slot of a display", "devices: {shows: {kind: IHD, slot: 1MiB}}\n", `1:36: devices.shows.slot: a key of meters, expected none at an IHD`},
	{"a radio that is not the home's", "radio: 868-gb\ndevices:\n  gas: {kind: GSME, battery: {set: 2.4ghz-old}}\n", `3:36: devices.gas.battery.set: 2.4ghz-old has a radio of 2.4ghz, expected 868mhz like the home's 868-gb`},
	{"a radio that does not exist", gas + "radio: 868mhz\n", `2:8: radio: "868mhz", expected one of 2.4ghz-new, 2.4ghz-old, 868-gb, or a file`},
	{"a radio in a file that is not there", gas + "radio: testdata/none.yaml\n", `2:8: radio: battery set testdata/none.yaml: no such file or directory; want one of 2.4ghz-new, 2.4ghz-old, 868-gb, or a file`},
	{"a set with a mistake", "devices: {gas: {kind: GSME, battery: {set: testdata/unsourced.yaml}}}\n", `1:44: devices.gas.battery.set: battery set testdata/unsourced.yaml: line 5: cell.capacity has no source`},
	{"an empty battery", "devices: {gas: {kind: GSME, battery: {charge: 0%}}}\n", `1:47: devices.gas.battery.charge: an empty battery, expected more than 0%`},
	{"an address twice", "devices: {a: {kind: GSME, eui64: 00DB1234567890A1}, b: {kind: ESME, eui64: 00DB1234567890A1}}\n", `1:76: devices.b.eui64: 00DB1234567890A1 belongs to a, expected another`},
	{"the hub's address", "devices: {a: {kind: GSME, eui64: 00DB1234567890A3}}\n", `1:34: devices.a.eui64: 00DB1234567890A3 belongs to the hub, expected another`},
	{"overtaken by nothing", gas + "link: {reordering: 1%}\n", `2:20: link.reordering: frames are overtaken by nothing, expected link.reorder_by above 0s`},
	{"an endless burst", gas + "link: {bursts: {begin: 1%, end: 0%}}\n", `2:33: link.bursts.end: a burst that never ends, expected more than 0%`},
	{"no image in an image", gas + "image: {version: 02000000}\n", `2:8: image: no image, expected a size or a file`},
	{"two images in one", gas + "image: {size: 4KiB, file: x.ota}\n", `2:27: image.file: a file and a size, expected one of them`},
	{"the version of a file", gas + "image: {file: x.ota, version: 02000000}\n", `2:31: image.version: a key of images that are made, expected none beside file`},
	{"an image too small", gas + "image: {size: 1KiB}\n", `2:15: image.size: 1024, expected 2048 to 10240000`},
	{"an image for nobody", "devices: {shows: {kind: IHD}}\nimage: {size: 4KiB}\n", `1:10: devices: nobody takes the image, expected a GSME or an ESME`},
	{"an expectation without an image", gas + "expect: {version: 01000000}\n", `2:9: expect: nothing is distributed, expected the key image`},
	{"a distribution to a stranger", image + "distribute: {to: [water]}\n", `3:19: distribute.to[0]: no meter "water", expected one of gas, power`},
	{"a distribution to a display", image + "distribute: {to: [gas, shows]}\n", `3:24: distribute.to[1]: no meter "shows", expected one of gas, power`},
	{"a distribution after the end", image + "duration: 1d\ndistribute: {at: 1d}\n", `4:18: distribute.at: 1d, expected less than the duration of 1d`},
	{"an activation in the past", image + "activate: 2025-01-08T03:00:00Z\n", `3:11: activate: 2025-01-08T03:00:00Z, expected between the distribution at 2026-01-05T00:00:00Z and the end at 2026-01-19T00:00:00Z`},
	{"an activation after the end", image + "activate: 15d\n", `3:11: activate: 2026-01-20T00:00:00Z, expected between`},
	{"an activation sometime", image + "activate: soon\n", `3:11: activate: "soon", expected now, never, a time such as 2026-01-08T03:00:00Z, or a duration after the start such as 3d`},
	{"a fault without a time", gas + "faults: [{hub_restart: {off: 1s}}]\n", `2:10: faults[0]: key "at" is missing, expected a duration`},
	{"no fault in a fault", gas + "faults: [{at: 1h}]\n", `2:10: faults[0]: 0 faults, expected one of power_cut, hub_restart`},
	{"two faults in one", gas + "faults: [{at: 1h, hub_restart: {off: 1s}, partition: {for: 1m}}]\n", `2:10: faults[0]: 2 faults, expected one of power_cut`},
	{"a fault after the end", gas + "faults:\n- at: 20d\n  hub_restart: {off: 1s}\n", `3:7: faults[0].at: 20d, expected less than the duration of 14d`},
	{"a fault of a stranger", gas + "faults: [{at: 1h, power_cut: {device: water}}]\n", `2:39: faults[0].power_cut.device: no device "water", expected one of gas, power, shows`},
	{"a low battery of a display", gas + "faults: [{at: 1h, battery_low: {device: shows, charge: 1%}}]\n", `2:41: faults[0].battery_low.device: no meter "shows", expected one of gas, power`},
	{"a partition of a stranger", gas + "faults: [{at: 1h, partition: {for: 1m, device: water}}]\n", `2:48: faults[0].partition.device: no device "water"`},
	{"how often of what", gas + "faults: [{at: 1h, times: 3, hub_restart: {off: 1s}}]\n", `2:26: faults[0].times: how often without in which interval, expected the key every`},
	{"a newer image than none", gas + "faults: [{at: 1h, image_superseded: {size: 4KiB}}]\n", `2:37: faults[0].image_superseded: nothing to supersede at that time, expected a distribution before`},
	{"a cancellation of nothing", gas + "faults: [{at: 1h, update_cancelled: {device: gas}}]\n", `2:37: faults[0].update_cancelled: nothing to cancel at that time, expected a distribution before`},
	{"a dated activation of nothing", gas + "faults: [{at: 1h, activation_cancelled: {device: gas}}]\n", `2:41: faults[0].activation_cancelled: nothing to cancel at that time, expected a distribution before`},
	{"an offer again of nothing", gas + "faults: [{at: 1h, image_offered_again: {device: gas}}]\n", `2:40: faults[0].image_offered_again: nothing to offer again at that time, expected a distribution before`},
	{"a clock of a display", gas + "faults: [{at: 1h, clock_step: {device: shows, by: -1m}}]\n", `2:40: faults[0].clock_step.device: no meter "shows", expected one of gas, power`},
	{"a bit of a display", gas + "faults: [{at: 1h, bit_flip: {device: shows, region: control}}]\n", `2:38: faults[0].bit_flip.device: no meter "shows", expected one of gas, power`},
	{"a bit of no region", gas + "faults: [{at: 1h, bit_flip: {device: gas, region: slot-a}}]\n", `2:51: faults[0].bit_flip.region: "slot-a", expected one of registers, control, application`},
	{"a step of nothing", gas + "faults: [{at: 1h, clock_step: {device: gas, by: back}}]\n", `2:49: faults[0].clock_step.by: "back", expected a step such as 90s or -30m`},
	{"a link that is overtaken by nothing", gas + "faults: [{at: 1h, bad_link: {for: 1m, link: {reordering: 5%}}}]\n", `2:58: faults[0].bad_link.link.reordering: frames are overtaken by nothing, expected faults[0].bad_link.link.reorder_by above 0s`},
	{"a bad link of a stranger", gas + "faults: [{at: 1h, bad_link: {for: 1m, device: water, link: {loss: 5%}}}]\n", `2:47: faults[0].bad_link.device: no device "water"`},
	{"a removal of a stranger", gas + "faults: [{at: 1h, device_removed: {for: 1m, device: water}}]\n", `2:53: faults[0].device_removed.device: no device "water"`},
	{"the moment of no commit", gas + "faults: [{at: 1h, hub_restart: {moment: after}}]\n", `2:41: faults[0].hub_restart.moment: the moment of no commit, expected the key commit`},
	{"completion after the end", image + "expect: {complete_within: 15d}\n", `3:27: expect.complete_within: 15d, expected at most the duration of 14d`},
	{"a device's expectation", "devices:\n  gas: {kind: GSME, expect: {activated_within: 15d}}\nimage: {size: 4KiB}\n", `2:48: devices.gas.expect.activated_within: 15d, expected at most`},
}

func TestMistakesAreFoundWhereTheyAre(t *testing.T) {
	for _, tt := range mistakes {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("home.yaml", []byte(tt.text))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v, want an *Error", err)
			}
			if got := err.Error(); !strings.HasPrefix(got, "home.yaml:"+tt.want) {
				t.Errorf("got  %s\nwant home.yaml:%s…", got, tt.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Error("more than one line")
			}
		})
	}
}

func TestWordsAreReadAndWritten(t *testing.T) {
	set := battery.Default()
	for _, tt := range []struct {
		text string
		into scalar
		want string
		read func(scalar) string
	}{
		{"1d12h30m5s20ms", new(Duration), "1d12h30m5s20ms", func(s scalar) string { return s.(*Duration).String() }},
		{"1.5h", new(Duration), "1h30m", func(s scalar) string { return s.(*Duration).String() }},
		{"250ms", new(Duration), "250ms", func(s scalar) string { return s.(*Duration).String() }},
		{"90s", new(Duration), "1m30s", func(s scalar) string { return s.(*Duration).String() }},
		{"10%", new(Share), "10%", func(s scalar) string { return s.(*Share).String() }},
		{"0.1", new(Share), "10%", func(s scalar) string { return s.(*Share).String() }},
		{"0.0001%", new(Share), "0.0001%", func(s scalar) string { return s.(*Share).String() }},
		{"1", new(Share), "100%", func(s scalar) string { return s.(*Share).String() }},
		{"0.05%", new(ChargePart), "9500", func(s scalar) string { return microamps(s, &set) }},
		{"3mAh", new(ChargePart), "3000", func(s scalar) string { return microamps(s, &set) }},
		{"1.5Ah", new(ChargePart), "1500000", func(s scalar) string { return microamps(s, &set) }},
		{"500 µAh", new(ChargePart), "500", func(s scalar) string { return microamps(s, &set) }},
	} {
		if err := tt.into.set(tt.text); err != nil {
			t.Errorf("%s: %v", tt.text, err)
		} else if got := tt.read(tt.into); got != tt.want {
			t.Errorf("%s reads as %s, want %s", tt.text, got, tt.want)
		}
	}
}

// TestABatterySetOfOnesOwn counts from the scenario's folder, also where an override
// names it.
func TestABatterySetOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	model, err := battery.NamedModel("868-gb")
	if err != nil {
		t.Fatal(err)
	}
	mine := strings.Replace(string(model.YAML()), "name: 868-gb", "name: mine", 1)
	if err := os.WriteFile(filepath.Join(dir, "mine.yaml"), []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "home.yaml")
	for name, overrides := range map[string][]Override{
		"radio: mine.yaml\n":                         nil,
		"radio: 868-gb\n":                            {{Path: "radio", Value: "mine.yaml", Source: "--vary radio"}},
		"radio: 868-gb\nbattery: {set: mine.yaml}\n": nil,
	} {
		h, err := Parse(file, []byte(gas+name), overrides...)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := h.Devices[0].ParameterSet(h); got.Name != "mine" || got.Radio.Name != "868mhz" {
			t.Errorf("%s: the meter has %s at %s", name, got.Name, got.Radio.Name)
		}
	}
	wrong := Override{Path: "radio", Value: "other.yaml", Source: "--vary radio=other.yaml"}
	if _, err := Parse(file, []byte(gas), wrong); err == nil || !strings.HasPrefix(err.Error(), "--vary radio=other.yaml: radio: battery set other.yaml: no such file") {
		t.Errorf("error %v", err)
	}
	band := gas + "battery: {set: mine.yaml}\n"
	if _, err := Parse(file, []byte(band)); err == nil || !strings.HasSuffix(err.Error(), "home.yaml:2:16: battery.set: mine has a radio of 868mhz, expected 2.4ghz like the home's 2.4ghz-new") {
		t.Errorf("error %v", err)
	}
}

func microamps(s scalar, set *battery.Set) string {
	return strconv.FormatInt(int64(s.(*ChargePart).Of(set)/battery.MicroampHour), 10)
}

func TestOverridesReplaceOneValue(t *testing.T) {
	over := func(path, value string) (*Home, error) {
		return Parse("x.yaml", []byte(smallest), Override{Path: path, Value: value, Source: "--vary " + path})
	}
	h, err := over("loss", "0.25")
	if err != nil || h.Link.Loss.String() != "25%" {
		t.Errorf("loss %v, error %v", h.Link.Loss, err)
	}
	h, err = over("devices.gas.heartbeat.period", "1h")
	if err != nil || h.Devices[0].Heartbeat.Period.String() != "1h" {
		t.Errorf("error %v", err)
	}
	for path, want := range map[string]string{
		"loss.of":      `--vary loss.of: unknown key "loss"`,
		"los":          `--vary los: unknown key "los"`,
		"image.size.x": `--vary image.size.x: image.size: no group of keys, expected one`,
		"link.loss":    `--vary link.loss: link.loss: "7", expected a share`,
	} {
		if _, err := over(path, "7"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", path, err, want)
		}
	}
}

// FuzzParse: whatever a file holds, Parse says yes, or where the mistake is.
func FuzzParse(f *testing.F) {
	f.Add([]byte(smallest))
	f.Add([]byte("devices: {gas: {kind: GSME, battery: {charge: 5%}}}\nlink: {loss: 0.1, bursts: {begin: 1%, end: 2%}}\n"))
	f.Add([]byte("devices: &d {gas: {kind: GSME}}\nimage: {file: a.ota}\nfaults: [{at: 1h, every: 2h, power_cut: {device: gas}}]\n"))
	f.Add([]byte("a: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := Parse("f.yaml", text)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Column < 1) {
			t.Errorf("error without a place: %v", err)
		}
		if err == nil && (len(h.Devices) == 0 || h.Duration <= 0) {
			t.Errorf("an impossible home: %+v", h)
		}
	})
}

// TestALinkHasEveryFaultOfFrames, by the name that it has everywhere.
func TestALinkHasEveryFaultOfFrames(t *testing.T) {
	keys := fieldsOf(reflect.TypeFor[Link]()).keys()
	for k := fault.Loss; int(k) < fault.Kinds; k++ {
		if !slices.Contains(keys, k.String()) {
			t.Errorf("link has no key %q: %q", k, keys)
		}
	}
}
