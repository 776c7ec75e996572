package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/scenario"
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
		"demo", "--state", t.TempDir(), "--until", "updated", "--json", "--listen", "127.0.0.1:0", "--pacing", "blocks=50", "--speed", "3600",
	}, streams{strings.NewReader(""), &out, told})
	if code != exitOutcome {
		t.Errorf("exit code %d: %s", code, told)
	}
	var r demoReport
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	if r.Outcome != outcomeInterrupted || len(r.Meters) != 2 {
		t.Fatalf("outcome %s, %d meters", r.Outcome, len(r.Meters))
	}
	gas := r.Meters[1]
	if gas.EUI != scenario.DefaultGSME.String() || gas.VersionAfter != "01000000" || gas.Blocks < 50 || gas.Windows == 0 {
		t.Errorf("%+v", gas)
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
