package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/store"
)

// TestCountersOfAHomeThatDoesNotRun are read from its state folder, in which nothing changes.
// Where a hub runs, or has never been, a line says so.
func TestCountersOfAHomeThatDoesNotRun(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	if code, _, errs := called(t, "demo", "--state", state, "--until", "updated", "--json", "--listen", "127.0.0.1:0", "--speed", "3600", "--pacing", "blocks=5000", "--published-ids"); code != exitOK {
		t.Fatal(errs)
	}
	before := kept(t, state)
	code, out, errs := called(t, "gbcs", "counters", "--state", state, "--json")
	var counters []api.Counter
	if err := json.Unmarshal([]byte(out), &counters); err != nil || code != exitOK {
		t.Fatalf("exit code %d, %v: %s", code, err, errs)
	}
	last := uint64(0)
	for _, c := range counters {
		last = max(last, c.LastCounter)
		if c.NextCounter <= last || c.LastUsedAt == nil {
			t.Errorf("%+v, want an order, and a higher counter for the next", c)
		}
	}
	if len(counters) < 2 {
		t.Errorf("%+v, want those of both meters", counters)
	}
	if code, out, errs := called(t, "gbcs", "counters", "--state", state); code != exitOK || !strings.Contains(out, counters[0].Device.String()+"  90B3D51F30010000  ") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if !bytes.Equal(kept(t, state), before) {
		t.Error("reading has changed what is kept")
	}

	records := filepath.Join(state, "hub", "records.db")
	running, err := store.Open(records, nil)
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	for folder, want := range map[string]string{
		state:   "read store " + records + ": in use by another process; if that is a hub, name its address with --api",
		missing: "read store " + filepath.Join(missing, "hub", "records.db") + ": file does not exist",
	} {
		if code, out, errs := called(t, "gbcs", "counters", "--state", folder); code != exitInput || out != "" || errs != "commshub: "+want+"\n" {
			t.Errorf("exit code %d, %q, %q; want %d and %q", code, out, errs, exitInput, want)
		}
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the folder was made")
	}
}
