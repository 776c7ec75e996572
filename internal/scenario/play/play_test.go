package play

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/trace"
)

const examples = "../../../docs/examples/"

// stage makes the stage of a scenario text.
func stage(t testing.TB, name, text string, overrides ...homefile.Override) *Stage {
	t.Helper()
	home, err := homefile.Parse(name, []byte(text), overrides...)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewStage(home, filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func example(t testing.TB, name string, overrides ...homefile.Override) *Stage {
	t.Helper()
	text, err := os.ReadFile(examples + name)
	if err != nil {
		t.Fatal(err)
	}
	return stage(t, examples+name, string(text), overrides...)
}

func play(t testing.TB, s *Stage, o Options) *Result {
	t.Helper()
	r, err := s.Play(uint64(s.Home().Seed), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestTheExamplesHold plays every scenario that is published.
func TestTheExamplesHold(t *testing.T) {
	files, err := filepath.Glob(examples + "*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d examples, want 10 or more; error %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && name == "ten_years.yaml" {
				t.Skip("long; without -short")
			}
			r := play(t, example(t, name), Options{})
			for _, f := range r.Failures {
				t.Error(f)
			}
			if name != "ten_years.yaml" && r.Checks == 0 {
				t.Error("nothing is expected")
			}
		})
	}
}

// TestEveryExpectationCanFail: each is turned into what does not hold, and named.
func TestEveryExpectationCanFail(t *testing.T) {
	const home = "devices:\n  gas: {kind: GSME, first_heartbeat: 1m}\nimage: {size: 16KiB}\nlink: {loss: 5%}\nexpect: {"
	for _, tt := range []struct{ holds, fails, want string }{
		{"complete_within: 2h", "complete_within: 1s", "gas: complete_within: 1s: it took "},
		{"activated_within: 2h", "activated_within: 2m", "gas: activated_within: 2m: it took "},
		{"windows_at_most: 3", "windows_at_most: 0", "gas: windows_at_most: 0: there were "},
		{"refetched_at_most: 0", "", ""},
		{"retries_at_most: 100", "retries_at_most: 1", "gas: retries_at_most: 1: there were "},
		{"battery_used_below: 1mAh", "battery_used_below: 1uAh", "gas: battery_used_below: 1uAh: 0."},
		{"battery_used_below: 0.001%", "battery_used_below: 0.00001%", "gas: battery_used_below: 0.00001%: 0."},
		{"version: 02000000", "version: 01000000", "gas: version: 01000000: it runs 02000000"},
		{"state: activated", "state: failed", "gas: state: failed: it is activated"},
		{"alerts: [8F72]", "alerts: [8F1C]", "gas: alerts: 8F1C Firmware Verification Failed: the supplier got ["},
		{"no_alerts: [8F1C]", "no_alerts: [8F72]", "gas: no_alerts: 8F72 Firmware Verification Successful: the supplier got it"},
		{"never: [bricked, image-rejected]", "never: [image-verified]", "gas: never: image-verified: it happened 1 times"},
	} {
		if r := play(t, stage(t, "x.yaml", home+tt.holds+"}\n"), Options{}); !r.Passed() || r.Checks == 0 {
			t.Errorf("%s: %v", tt.holds, r.Failures)
		}
		if tt.fails == "" {
			continue
		}
		r := play(t, stage(t, "x.yaml", home+tt.fails+"}\n"), Options{})
		if len(r.Failures) != 1 || !strings.HasPrefix(r.Failures[0].String(), tt.want) {
			t.Errorf("%s: %v, want one that begins %q", tt.fails, r.Failures, tt.want)
		}
	}
}

func TestWhatNeverCameIsNotInTime(t *testing.T) {
	r := play(t, stage(t, "x.yaml", `
devices: {gas: {kind: GSME}}
image: {size: 16KiB}
link: {loss: 100%}
duration: 6h
expect: {complete_within: 6h, activated_within: 6h}
`), Options{})
	want := []string{"gas: complete_within: 6h: the image was never complete", "gas: activated_within: 6h: the new firmware never ran for good"}
	var got []string
	for _, f := range r.Failures {
		got = append(got, f.String())
	}
	if !slices.Equal(got, want) || r.Settled {
		t.Errorf("failures %q, settled %v", got, r.Settled)
	}
}

func TestExpectationsOfOneDevice(t *testing.T) {
	r := play(t, stage(t, "x.yaml", `
devices:
  gas: {kind: GSME, expect: {version: 03000000}}
  power: {kind: ESME}
image: {size: 16KiB}
expect: {version: 02000000}
`), Options{})
	if len(r.Failures) != 1 || r.Failures[0].Meter != "gas" || r.Checks != 3 {
		t.Errorf("%v of %d", r.Failures, r.Checks)
	}
}

// TestFaultsHappen: each fault leaves its mark.
func TestFaultsHappen(t *testing.T) {
	const home = "devices:\n  gas: {kind: GSME, first_heartbeat: 1m}\n  power: {kind: ESME}\nimage: {size: 64KiB}\n"
	kinds := func(text string) map[string]int {
		var trace bytes.Buffer
		play(t, stage(t, "x.yaml", home+text), Options{Trace: &trace})
		n := map[string]int{}
		for line := range strings.Lines(trace.String()) {
			words := strings.Fields(line)
			n[words[1][12:]+" "+words[2]]++
		}
		return n
	}
	calm := kinds("")
	if calm["90A0 rebooted"] != 2 || calm["90A3 node-started"] != 1 {
		t.Errorf("without a fault: %v", calm)
	}
	for _, tt := range []struct{ text, kind string }{
		{"faults: [{at: 35m, power_cut: {device: gas}}]\n", "90A0 rebooted"},
		{"faults: [{at: 1m, power_cut: {device: gas, flash_operation: 50}}]\n", "90A0 power-cut"},
		{"faults: [{at: 35m, every: 10m, times: 3, power_cut: {device: power}}]\n", "90A1 rebooted"},
		{"faults: [{at: 65s, partition: {for: 10s}}]\n", "90A0 request-retried"},
		{"faults: [{at: 1s, partition: {for: 10s, device: power}}]\n", "90A1 request-retried"},
		{"faults: [{at: 2s, hub_restart: {off: 5s}}]\n", "90A1 request-retried"},
		{"faults: [{at: 2s, hub_restart: {off: 5s}}]\n", "90A3 node-started"},
		{"faults: [{at: 3m, image_superseded: {size: 8KiB, version: 05000000}}]\n", "90A0 download-aborted"},
		{"faults: [{at: 3m, update_cancelled: {device: gas}}]\n", "90A3 distribution-cancelled"},
		{"battery: {reserve: 10%}\nfaults: [{at: 5m, battery_low: {device: gas, charge: 9%}}]\nduration: 1d\n", "90A0 budget-spent"},
	} {
		if got := kinds(tt.text)[tt.kind]; got <= calm[tt.kind] {
			t.Errorf("%s: %q %d times, and %d times without it", strings.TrimSpace(tt.text), tt.kind, got, calm[tt.kind])
		}
	}
}

// TestASettledRunWaitsForItsFaults: but not for those that come again for ever.
func TestASettledRunWaitsForItsFaults(t *testing.T) {
	const home = "devices: {power: {kind: ESME}}\nimage: {size: 16KiB}\n"
	for text, want := range map[string]time.Duration{
		"": 0,
		"faults: [{at: 10h, power_cut: {device: power}}]\n":                       10 * time.Hour,
		"faults: [{at: 1h, every: 3h, times: 4, power_cut: {device: power}}]\n":   10 * time.Hour,
		"faults: [{at: 1m, every: 30m, power_cut: {device: power}}]\n":            0,
		"faults: [{at: 5h, image_superseded: {size: 8KiB, version: 03000000}}]\n": 5 * time.Hour,
	} {
		r := play(t, stage(t, "x.yaml", home+text), Options{})
		if got := time.Duration(r.Seconds * float64(time.Second)); got < want || got > want+10*time.Minute || !r.Settled {
			t.Errorf("%s: settled %v after %v, want %v", strings.TrimSpace(text), r.Settled, got, want)
		}
	}
}

// TestBlocksThatComeTwiceAreCounted: none on a good link, at most one for each power
// cut in the middle of writing a block.
func TestBlocksThatComeTwiceAreCounted(t *testing.T) {
	const home = "devices: {gas: {kind: GSME, first_heartbeat: 1m}}\nimage: {size: 16KiB}\n"
	most := uint32(0)
	for operation := range 12 {
		text := fmt.Sprintf("faults: [{at: 1s, power_cut: {device: gas, flash_operation: %d}}]\n", 200+operation)
		m := play(t, stage(t, "x.yaml", home+text), Options{}).Meter("gas")
		if m.Refetched > 1 || m.PowerCuts != 1 || m.State != "activated" {
			t.Errorf("operation %d: %d blocks twice, %d cuts, %s", 200+operation, m.Refetched, m.PowerCuts, m.State)
		}
		most = max(most, m.Refetched)
	}
	if most != 1 {
		t.Error("no block came twice, wherever power was cut")
	}
	if m := play(t, stage(t, "x.yaml", home), Options{}).Meter("gas"); m.Refetched != 0 || m.Blocks != 342 {
		t.Errorf("%d blocks, %d twice", m.Blocks, m.Refetched)
	}
}

// TestNeverSeesEveryFault: whatever is said never to strike is noticed when it does.
func TestNeverSeesEveryFault(t *testing.T) {
	const home = "devices: {power: {kind: ESME, battery: {charge: 100%}}}\nimage: {size: 16KiB}\n"
	for text, kind := range map[string]trace.Kind{
		"faults: [{at: 1s, power_cut: {device: power}}]\n":                      trace.PowerCut,
		"faults: [{at: 1s, power_cut: {device: power, flash_operation: 20}}]\n": trace.PowerCut,
		"faults: [{at: 1s, partition: {device: power, for: 1m}}]\n":             trace.PartitionStarted,
		"faults: [{at: 1s, battery_low: {device: power, charge: 5%}}]\n":        trace.BatteryDrained,
		"link: {loss: 5%}\n":                         trace.FrameLost,
		"link: {duplication: 5%}\n":                  trace.FrameDuplicated,
		"link: {reordering: 5%, reorder_by: 10ms}\n": trace.FrameReordered,
		"link: {corruption: 5%}\n":                   trace.FrameCorrupted,
		"link: {delay: 1ms}\n":                       trace.FrameDelayed,
	} {
		r := play(t, stage(t, "x.yaml", home+text+"expect: {never: ["+kind.String()+"]}\n"), Options{})
		if len(r.Failures) != 1 {
			t.Errorf("%snever %s: %q", text, kind, r.Failures)
		}
		if r := play(t, stage(t, "x.yaml", home+"expect: {never: ["+kind.String()+"]}\n"), Options{}); !r.Passed() {
			t.Errorf("without a fault, never %s: %q", kind, r.Failures)
		}
	}
}

// TestOverlappingPartitionsEndWithTheLast: and a power cut in a power cut is as long as
// the longer of the two.
func TestOverlappingPartitionsEndWithTheLast(t *testing.T) {
	const home = "devices: {power: {kind: ESME}}\nimage: {size: 16KiB}\nexpect: {complete_within: 3h}\n"
	for text, least := range map[string]time.Duration{
		"faults: [{at: 1s, partition: {for: 1h}}, {at: 10m, partition: {for: 5m}}]\n":                                  time.Hour,
		"faults: [{at: 1s, power_cut: {device: power, off: 1h}}, {at: 10m, power_cut: {device: power, off: 5m}}]\n":    time.Hour,
		"faults: [{at: 1s, power_cut: {device: power, off: 20m}}, {at: 10m, power_cut: {device: power, off: 100m}}]\n": 110 * time.Minute,
	} {
		r := play(t, stage(t, "x.yaml", home+text), Options{})
		if got := r.Meters[0].CompleteIn(); got < least || !r.Passed() {
			t.Errorf("%s: complete in %v, want at least %v; %v", strings.TrimSpace(text), got, least, r.Failures)
		}
	}
}

// TestJitterMovesHeartbeatsWithinItsLimit and leaves their grid alone.
func TestJitterMovesHeartbeatsWithinItsLimit(t *testing.T) {
	var trace bytes.Buffer
	play(t, stage(t, "x.yaml", `
devices: {gas: {kind: GSME, first_heartbeat: 1m}}
heartbeat: {period: 30m, jitter: 5m}
duration: 2d
stop: duration
`), Options{Trace: &trace})
	late, beats := map[bool]int{}, 0
	for line := range strings.Lines(trace.String()) {
		if !strings.Contains(line, "heartbeat-started") {
			continue
		}
		at, err := time.Parse(time.RFC3339, strings.Fields(line)[0])
		if err != nil {
			t.Fatal(err)
		}
		offset := at.Sub(time.Date(2026, 1, 5, 0, 1, 0, 0, time.UTC)) % (30 * time.Minute)
		if offset >= 5*time.Minute+2*time.Second { // the clock is set to whole seconds
			t.Errorf("a heartbeat %v after its time", offset)
		}
		late[offset > 2*time.Minute+30*time.Second]++
		beats++
	}
	if beats != 96 || late[true] < 30 || late[false] < 30 {
		t.Errorf("%d heartbeats, %d of them late, %d not", beats, late[true], late[false])
	}
}

// TestAnImageFileIsPlayed: with the identity that it names.
func TestAnImageFileIsPlayed(t *testing.T) {
	dir := t.TempDir()
	built, err := buildImage(stage(t, "x.yaml", "devices: {gas: {kind: GSME}}\nimage: {size: 8KiB, version: 07000000, hardware: 0203}\n").home.Image, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "meter.ota"), built, 0o600); err != nil {
		t.Fatal(err)
	}
	const text = "devices: {gas: {kind: GSME, trust: any}}\nimage: {file: meter.ota}\nexpect: {version: 07000000}\n"
	if r := play(t, stage(t, filepath.Join(dir, "x.yaml"), text), Options{}); !r.Passed() {
		t.Error(r.Failures)
	}
	for file, want := range map[string]string{"missing.ota": "missing.ota", "x.yaml": "x.yaml"} {
		home, err := homefile.Parse("s.yaml", []byte(strings.Replace(text, "meter.ota", file, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte("no image"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := NewStage(home, dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", file, err)
		}
	}
}

func TestJUnitReport(t *testing.T) {
	good := play(t, example(t, "wrong_hardware.yaml"), Options{})
	bad := play(t, example(t, "wrong_hardware.yaml", homefile.Override{Path: "expect.version", Value: "02000000"}), Options{})
	text, err := JUnit([]*Result{good, bad}, []time.Duration{time.Millisecond, 2 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var got junitReport
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Tests != 2 || got.Failures != 1 || len(got.Suites) != 2 || got.Suites[1].Failures != 1 ||
		got.Suites[1].Cases[0].Failures[0].Message != "version: 02000000: it runs 01000000: the device's hardware version is 0100, the image is for 0200 to 0200" || got.Suites[0].Time != "0.001000" {
		t.Errorf("report:\n%s", text)
	}
}

// TestTheCellsLastWhatTheyAreSizedFor: heartbeats and one update a year leave ten
// years and a half until a tenth of the cell is left, with each set. Whatever adds to
// a meter's duties comes off the margin that this prints; when it is used up, the base
// load of devices/battery/sets is calibrated anew.
func TestTheCellsLastWhatTheyAreSizedFor(t *testing.T) {
	for _, set := range battery.Names() {
		r := play(t, example(t, "battery_life.yaml", homefile.Override{Path: "radio", Value: set}), Options{})
		life := r.Meter("gas").Life / 365.25
		t.Logf("%s: %.3f years, %.1f %% more than 10.5", set, life, 100*(life/10.5-1))
		if !r.Passed() {
			t.Errorf("%s: %v", set, r.Failures)
		}
	}
}

// TestACarelessPolicyCostsYears: with each set the battery is seen to constrain, most
// where the meter listens for its answers, and docs/energy.md says how much. life=11 is
// until the cell is empty, battery_life_above until a tenth is left.
func TestACarelessPolicyCostsYears(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/energy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range battery.Names() {
		careless := weekly(t, set, "radio=600s")
		if len(careless.Failures) != 1 || !strings.HasPrefix(careless.Failures[0].String(), "gas: battery_life_above: 10.5y: a new cell lasts ") {
			t.Errorf("%s: %v, want the life of the cell to be found too short", set, careless.Failures)
		}
		listening := listeningSet(t, set)
		life := []float64{
			years(careless), years(weekly(t, set, "life=11")),
			years(weekly(t, listening, "radio=600s")), years(weekly(t, listening, "radio=10s")),
		}
		if life[1] < 10 {
			t.Errorf("%s: %.2f years under life=11, want 10 or more", set, life[1])
		}
		if life[2] > life[3]/2 {
			t.Errorf("%s, listening: %.2f years under radio=600s, want less than half of the %.2f under radio=10s", set, life[2], life[3])
		}
		t.Logf("| `%s` | %.2f | %.2f | %.2f | %.2f |", set, life[0], life[1], life[2], life[3])
		_, below, _ := strings.Cut(string(manual), "careless.yaml")
		_, row, _ := strings.Cut(below, "\n| `"+set+"` |")
		for i, want := range life { // a duty more or less of the meter is within 1 %
			var cell string
			cell, row, _ = strings.Cut(row, "|")
			if got, err := strconv.ParseFloat(strings.TrimSpace(cell), 64); err != nil || math.Abs(got-want) > 0.01*want {
				t.Errorf("docs/energy.md says %s years in column %d of %s, want %.2f", cell, i+1, set, want)
			}
		}
	}
}

// weekly plays an image each week on a bad link.
func weekly(t *testing.T, set, pacing string) *Result {
	t.Helper()
	const file = "testdata/careless.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return play(t, stage(t, file, string(text), homefile.Override{Path: "radio", Value: set}, homefile.Override{Path: "pacing", Value: pacing}), Options{})
}

func years(r *Result) float64 { return r.Meter("gas").Life / yearDays }

// listeningSet writes a set whose meter has its receiver on while it waits, and returns
// the file.
func listeningSet(t *testing.T, name string) string {
	t.Helper()
	model, err := battery.NamedModel(name)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(strategy: +\{value: )poll`).ReplaceAll(model.YAML(), []byte("${1}listen"))
	file := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOneUpdateShowsInWhatIsLeft: 256 KiB at 2.4 GHz are 0.0008 % of the cell and 0.04
// ordinary days, also when every window of the run had work in it.
func TestOneUpdateShowsInWhatIsLeft(t *testing.T) {
	const home = "devices: {gas: {kind: GSME, first_heartbeat: 1m}}\nduration: 4h30m\nstop: duration\n"
	idle := play(t, stage(t, "idle.yaml", home), Options{}).Meter("gas")
	busy := play(t, stage(t, "busy.yaml", home+"image: {size: 256KiB}\n"), Options{}).Meter("gas")
	t.Logf("without an update %.6f %%, %.3f days; with it %.6f %%, %.3f days", idle.Left, idle.DaysLeft, busy.Left, busy.DaysLeft)
	if d := idle.Left - busy.Left; d < 0.0008 || d > 0.0010 {
		t.Errorf("the update took %.6f %% of the cell, want 0.0008 to 0.0010", d)
	}
	if d := idle.DaysLeft - busy.DaysLeft; d < 0.03 || d > 0.05 {
		t.Errorf("the update took %.3f days, want 0.03 to 0.05", d)
	}
}

// TestTheCellIsLowWhenAYearSaysSo: the meter tells that its cell is low (8F1F) when the
// life foreseen after a year is over, and not before.
func TestTheCellIsLowWhenAYearSaysSo(t *testing.T) {
	if testing.Short() {
		t.Skip("twenty years of heartbeats; without -short")
	}
	life := play(t, example(t, "battery_life.yaml"), Options{}).Meter("gas").Life
	for days, low := range map[int]bool{int(life) - 4: false, int(life) + 4: true} {
		duration := homefile.Override{Path: "duration", Value: fmt.Sprintf("%dd", days)}
		got := play(t, example(t, "battery_life.yaml", duration), Options{}).Meter("gas")
		if slices.Contains(got.Alerts, "8F1F") != low {
			t.Errorf("after %d days of %.0f foreseen the alerts are %v; want 8F1F among them: %v", days, life, got.Alerts, low)
		}
	}
}

// TestWhatIsDrainedByHandHasACauseOfItsOwn, and costs the life foreseen nothing.
func TestWhatIsDrainedByHandHasACauseOfItsOwn(t *testing.T) {
	const home = "devices: {gas: {kind: GSME}}\nduration: 2d\nstop: duration\n"
	whole := play(t, stage(t, "whole.yaml", home), Options{}).Meter("gas")
	drained := play(t, stage(t, "drained.yaml", home+"faults: [{at: 1d, battery_low: {device: gas, charge: 50%}}]\n"), Options{}).Meter("gas")
	if whole.Causes["drained"] != 0 || drained.Causes["drained"] < 9_400_000 || drained.Causes["drained"] > 9_500_000 {
		t.Errorf("drained by hand %.0f µAh, otherwise %.0f; want half of 19 Ah, less what a day took, and nothing", drained.Causes["drained"], whole.Causes["drained"])
	}
	for cause, charge := range whole.Causes {
		if got := drained.Causes[cause]; cause != "drained" && math.Abs(got-charge) > 0.001*charge+0.5 {
			t.Errorf("%s took %.3f µAh, without draining %.3f", cause, got, charge)
		}
	}
	if math.Abs(drained.Life-whole.Life) > 0.001*whole.Life || drained.Left > 50 {
		t.Errorf("a new cell lasts %.1f days and %.3f %% are left, want %.1f days and less than 50 %%", drained.Life, drained.Left, whole.Life)
	}
}
