package main

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/home"
)

// account is what a hub tells of an update, but for what depends on the present.
type account struct {
	State                    string
	Windows, Blocks, Repeats uint32
	Offset                   *uint32
	Foreseen                 *api.Foreseen
	Timeline                 api.Timeline
	Readings                 api.MirrorHistory
}

// tells reads what the hub tells of a device's update.
func (p *processes) tells(eui string) (v account) {
	p.t.Helper()
	c := p.client()
	var u api.Update
	for path, out := range map[string]any{
		"/v1/updates/" + eui: &u, "/v1/updates/" + eui + "/timeline": &v.Timeline, "/v1/mirror/" + eui + "/history": &v.Readings,
	} {
		if there, err := c.Get(context.Background(), path, out); err != nil || !there {
			p.t.Fatalf("%s: %v", path, err)
		}
	}
	v.State, v.Windows, v.Blocks, v.Repeats, v.Offset, v.Foreseen = u.State, u.Windows, u.Blocks, u.Repeats, u.Offset, u.Foreseen
	return v
}

// TestHistorySurvivesAKilledHub kills the hub half-way through a transfer, while the
// meter sleeps, and after its end. Strip, chart, numbers of the windows, figures and
// readings are the same before and after.
func TestHistorySurvivesAKilledHub(t *testing.T) {
	t.Parallel()
	p := newProcesses(t)
	p.embeddedBroker()
	p.hub()
	gsme := home.DefaultGSME.String()
	p.command("device", "add", gsme, "--kind", "GSME")
	p.meter("gsme")
	p.command("firmware", "upload", p.sample())
	p.command("firmware", "distribute", "02000000", gsme)

	p.until("the gas meter is half-way", func() bool { u := p.update(gsme); return u.Offset != nil && *u.Offset >= 20_000 })
	p.kill("gsme") // so that nothing happens while the two are compared
	p.until("its window is over", func() bool { w := p.tells(gsme).Timeline.Windows; return !w[len(w)-1].Open })
	time.Sleep(time.Second) // the hub looks for windows that end in silence many times a second
	p.restarted(gsme)

	p.meter("gsme")
	p.until("the gas meter holds the image", func() bool { return p.update(gsme).State == "transferred" })
	p.command("firmware", "activate", gsme)
	p.until("it runs the image", func() bool { return p.update(gsme).State == "activated" })
	p.kill("gsme")
	whole := p.restarted(gsme)
	if f := whole.Foreseen; f == nil || f.CompletesAt == nil || math.Abs(f.Windows-float64(whole.Windows)) > 1 {
		t.Errorf("foreseen %+v, it took %d windows", f, whole.Windows)
	}
	if v := whole.Timeline; len(v.Served) != 1 || v.Served[0] != (api.Run{0, v.Size}) || !v.Complete || len(v.Missed) > 0 {
		t.Errorf("served %v of %d bytes, not recorded %v, complete %v", v.Served, v.Size, v.Missed, v.Complete)
	}
	unaccounted := 0 // windows: the meter may be killed in one, and the first has no account before it
	for i, w := range whole.Timeline.Windows {
		if w.Causes["transmit"] == 0 {
			unaccounted++
		}
		if unaccounted > 2 {
			t.Errorf("window %d took %v", w.Number, w.Causes)
		}
		if w.Number != uint32(i+1) {
			t.Errorf("window %d stands where %d should", w.Number, i+1)
		}
	}

	page := filepath.Join(p.dir, "report.html")
	p.command("report", gsme, "--html", page)
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"to version 02000000", "activated", "blocks=80", "8F72", `<th scope="row">5</th>`,
		"As the hub foresaw it at ", "Charge by cause, window by window", "Charge over time"} {
		if !strings.Contains(string(text), s) {
			t.Errorf("the report does not tell %q", s)
		}
	}
}

// restarted kills the hub, starts it again and compares what it tells.
func (p *processes) restarted(eui string) account {
	p.t.Helper()
	before := p.tells(eui)
	p.kill("hub")
	p.hub()
	after := p.tells(eui)
	if diff := cmp.Diff(before, after); diff != "" {
		p.t.Errorf("before and after in state %s: %s", before.State, diff)
	}
	return after
}
