package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/demo"
)

// interrupter cancels when a line with the given words is written.
type interrupter struct {
	bytes.Buffer
	words  string
	cancel context.CancelFunc
}

func (w *interrupter) Write(b []byte) (int, error) {
	if strings.Contains(string(b), w.words) {
		w.cancel()
	}
	return w.Buffer.Write(b)
}

// TestAnInterruptedDemoReportsHowFarItGot: the meters are asked before they stop.
func TestAnInterruptedDemoReportsHowFarItGot(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := &interrupter{words: "window 1:", cancel: cancel}
	var out bytes.Buffer
	code := run(ctx, []string{
		"demo", "--state", t.TempDir(), "--until", "updated", "--json", "--listen", "127.0.0.1:0", "--pacing", "blocks=50", "--speed", "3600", "--published-ids",
	}, streams{strings.NewReader(""), &out, told})
	if code != exitOutcome {
		t.Errorf("exit code %d: %s", code, told)
	}
	var r demo.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	if r.Outcome != demo.OutcomeInterrupted || len(r.Meters) != 2 {
		t.Fatalf("outcome %s, %d meters", r.Outcome, len(r.Meters))
	}
	gas := r.Meters[1]
	if gas.EUI64 != home.DefaultGSME.String() || gas.VersionAfter != "01000000" || gas.Blocks < 50 || gas.Windows == 0 {
		t.Errorf("%+v", gas)
	}
}

// TestADemoHasTheDeviceThatAnImageIsFor: the gas meter, if no other meter is it.
func TestADemoHasTheDeviceThatAnImageIsFor(t *testing.T) {
	t.Parallel()
	for _, eui := range []han.EUI64{0x70B3D5FFFE0A0B0C, home.DefaultESME} {
		file := filepath.Join(t.TempDir(), "one.zigbee")
		if err := os.WriteFile(file, imageFor(eui), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, told bytes.Buffer
		code := run(t.Context(), []string{
			"demo", "--image", file, "--trust", "any", "--until", "updated", "--json", "--listen", "127.0.0.1:0", "--speed", "3600", "--timeout", "2m",
			"--state", t.TempDir(),
		}, streams{strings.NewReader(""), &out, &told})
		var r demo.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil || code != exitOK {
			t.Fatalf("%s: exit code %d, %v: %s", eui, code, err, told.String())
		}
		for _, m := range r.Meters {
			state, version := "not offered", r.Meters[0].VersionBefore
			if m.EUI64 == eui.String() {
				state, version = "activated", "00010203"
			}
			if m.State != state || m.VersionAfter != version {
				t.Errorf("image for %s: %s %s is %s and runs %s, want %s and %s", eui, m.Kind, m.EUI64, m.State, m.VersionAfter, state, version)
			}
		}
	}
}

// TestADemoIsInterruptedWhileItStarts: it ends, and reports nothing.
func TestADemoIsInterruptedWhileItStarts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := &interrupter{words: "hub ready", cancel: cancel}
	var out bytes.Buffer
	code := run(ctx, []string{"demo", "--until", "updated", "--json", "--listen", "127.0.0.1:0"}, streams{strings.NewReader(""), &out, told})
	if code != exitOutcome || out.Len() > 0 || !strings.Contains(told.String(), "commshub: interrupted while the home started\n") {
		t.Errorf("exit code %d, %q, %s", code, out.String(), told)
	}
}
