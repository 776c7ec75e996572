package play

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/scenario/judge"
)

const trouble = "devices: {gas: {kind: GSME, first_heartbeat: 1m}}\nimage: {size: 8KiB}\n"

// TestWhatGoesWrongIsSeen in the trace, and the update comes to its end all the same.
func TestWhatGoesWrongIsSeen(t *testing.T) {
	for _, tt := range []struct{ faults, want string }{
		{"{at: 30s, bad_link: {for: 40s, link: {loss: 30%}}}", "90A0 frame-lost"},
		{"{at: 30s, bad_link: {device: gas, for: 40s, link: {duplication: 100%}}}", "90A0 frame-duplicated"},
		{"{at: 30s, clock_step: {device: gas, by: -90s}}", "90A0 time-set took=1m29.94"},
		{"{at: 30s, bit_flip: {device: gas, region: control, bit: 8}}\n  - {at: 40s, power_cut: {device: gas}}", "90A0 memory-damaged text=\"bootloader control"},
		{"{at: 30s, hub_restart: {commit: 2}}", "90A3 power-cut count="},
		{"{at: 30s, hub_restart: {commit: 2, moment: after}}", "90A3 power-cut count="},
		{"{at: 30s, device_removed: {device: gas, for: 2h}}", "90A3 device-removed peer=00DB1234567890A0"},
		{"{at: 30s, hub_restart: {commit: 1}}\n  - {at: 40s, device_removed: {device: gas, for: 1s}}", "90A3 device-removed peer=00DB1234567890A0"},
		{"{at: 61s, update_cancelled: {device: gas}}\n  - {at: 2h, image_offered_again: {device: gas}}", "90A3 distribution-cancelled"},
	} {
		s := stage(t, "x.yaml", trouble+"faults:\n  - "+tt.faults+"\nexpect: {version: 02000000, state: activated}\n")
		var lines bytes.Buffer
		r, err := s.Play(1, Options{Trace: &lines, Judge: true})
		if err != nil || !r.Passed() || !r.Settled {
			t.Errorf("%s: settled %v, %v, error %v", tt.faults, r.Settled, r.Failures, err)
		}
		if !strings.Contains(lines.String(), tt.want) {
			t.Errorf("%s: no %q in the trace", tt.faults, tt.want)
		}
	}
}

// TestAnInstallCodeStandsInTheDeviceLogAndNowhereElse, also after the device was away.
func TestAnInstallCodeStandsInTheDeviceLogAndNowhereElse(t *testing.T) {
	const code = "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5"
	home := func(keys string) string {
		return "devices: {gas: {kind: GSME, first_heartbeat: 1m" + keys + "}, shows: {kind: IHD" + keys + "}}\n" +
			"image: {size: 8KiB}\nfaults: [{at: 30s, device_removed: {device: gas, for: 2h}}]\n"
	}
	var with, without bytes.Buffer
	s := stage(t, "x.yaml", home(", install_code: "+code))
	r := s.newRun(1, Options{Trace: &with})
	r.sim.Run(r.home.Start.Add(3 * time.Hour))
	for _, d := range r.sim.Store().Devices() {
		if !d.HasInstallCode || d.InstallCode[0] != 0x83 || d.InstallCode[15] != 0x05 {
			t.Errorf("the device log has %+v", d)
		}
	}
	plain := stage(t, "x.yaml", home("")).newRun(1, Options{Trace: &without})
	plain.sim.Run(plain.home.Start.Add(3 * time.Hour))
	if with.Len() == 0 || !bytes.Equal(with.Bytes(), without.Bytes()) {
		t.Error("the trace is another one with the code")
	}
}

// TestALinkIsBadForAWhileOnly.
func TestALinkIsBadForAWhileOnly(t *testing.T) {
	s := stage(t, "x.yaml", trouble+"faults: [{at: 0s, bad_link: {for: 2h, link: {loss: 100%}}}]\n")
	r := play(t, s, Options{})
	if gas := r.Meter("gas"); gas.Activated < 2*3600 || gas.State != "activated" {
		t.Errorf("%s after %v s", gas.State, gas.Activated)
	}
}

// TestAnOrderThatIsRefusedIsAnAnswer: too late to cancel, and nothing dated to cancel.
func TestAnOrderThatIsRefusedIsAnAnswer(t *testing.T) {
	for _, refused := range []string{"update_cancelled", "activation_cancelled"} {
		s := stage(t, "x.yaml", trouble+"faults: [{at: 20m, "+refused+": {device: gas}}, {at: 9h, "+refused+": {device: gas}}]\nexpect: {state: activated}\n")
		if r := play(t, s, Options{Judge: true}); !r.Passed() {
			t.Errorf("%s: %v", refused, r.Failures)
		}
	}
}

// TestAnImageThatTheHubHasNotYetIsARefusal: it lost power in the commit of the upload, and
// the image is offered again before the supplier uploads it once more.
func TestAnImageThatTheHubHasNotYetIsARefusal(t *testing.T) {
	s := stage(t, "x.yaml", trouble+"faults: [{at: 8h, hub_restart: {commit: 1, moment: before}}, "+
		"{at: 8h1s, image_superseded: {size: 2048, version: 03000000}}, {at: 8h2s, image_offered_again: {device: gas}}]\n"+
		"expect: {version: 03000000, state: activated}\n")
	if r := play(t, s, Options{Judge: true}); !r.Passed() {
		t.Error(r.Failures)
	}
}

// TestAJudgeLooksOn: a run is the same with it and without, and what the supplier
// takes for activated is what was seen.
func TestAJudgeLooksOn(t *testing.T) {
	s := stage(t, "x.yaml", trouble)
	with, without := play(t, s, Options{Hash: true, Judge: true}), play(t, s, Options{Hash: true})
	if with.TraceSHA256 != without.TraceSHA256 || without.Seen != nil {
		t.Error("a judge changes what happens")
	}
	for _, mark := range []string{"update transferred to activating", "update activating to activated", "order delivered to done", "block-received"} {
		if with.Seen[mark] == 0 {
			t.Errorf("%s: not seen in %v", mark, with.Seen)
		}
	}
}

// TestABrokenPromiseIsAFailure of the meter that it is about.
func TestABrokenPromiseIsAFailure(t *testing.T) {
	s := stage(t, "x.yaml", trouble)
	r := s.newRun(1, Options{Judge: true})
	r.sim.Run(r.home.Start.Time)
	r.bench.judge.Look(&judge.Snapshot{At: r.sim.Now(), Meters: []judge.Meter{{EUI64: 0x00DB1234567890A0, Bricked: true}}})
	out := r.result(1, 0)
	r.bench.verdict(r, out)
	if out.Passed() || out.Failures[0].Meter != "gas" || !strings.HasPrefix(out.Failures[0].Expectation, "promise: "+judge.MeterRuns.String()) {
		t.Errorf("%v", out.Failures)
	}
}
