//go:build browser

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/browsertest"
	"github.com/commshub/commshub/internal/home"
)

// TestBrowserShowsTrouble looks at a home whose gas meter has a low battery, then is
// silent, and whose hub then loses its broker: each is said, and nothing that cannot come
// is announced. Desktop and phone.
func TestBrowserShowsTrouble(t *testing.T) {
	p := newProcesses(t)
	p.embeddedBroker()
	p.demo("--lab", "--speed", "300", "--pacing", "radio=2s", "--broker", p.broker)
	gsme := home.DefaultGSME.String()
	p.until("the gas meter is under way", func() bool { return p.update(gsme).Windows >= 3 })
	b := browsertest.New(t)

	p.lab(http.MethodPost, "/lab/devices/"+gsme+"/battery", map[string]any{"battery_left_percent": 4})
	p.until("the meter tells that its battery is low", func() bool { return strings.Contains(string(p.command("top", "--json")), "8F1F") })
	p.look(b, "low-battery", map[string]string{"": "Low: 4.", "battery": "Low.", "alerts": "8F1F"})

	p.lab(http.MethodPut, "/lab/devices/"+gsme+"/link", map[string]any{"loss_percent": 100})
	p.until("the meter is overdue", func() bool { w := p.update(gsme).Waiting; return w != nil && w.OverdueSince != nil })
	p.look(b, "silent", map[string]string{"": "Silent since", "meters": "silent since", "firmware": "Gas meter", "battery": "4."})
	for _, lie := range []string{"wakes in", "due to wake", "any moment", "to go"} {
		showView(b, "")
		if text := b.Text("main"); strings.Contains(text, lie) {
			t.Errorf("the page of a silent meter says %q:\n%s", lie, text)
		}
	}

	p.kill("broker")
	b.Until("the broker is missed", `document.body.innerText.toLowerCase().includes("broker")`)
	p.until("no device is connected", func() bool { return !strings.Contains(string(p.command("top", "--json")), `"connected": true`) })
	p.look(b, "no-broker", map[string]string{"": "The hub has no broker", "meters": "3 of 16 places are taken", "firmware": "Gas meter"})
	if text := b.Text("main"); strings.Contains(text, "Connected") || strings.Contains(text, "undefined") {
		t.Errorf("the page of a hub without a broker says\n%s", text)
	}
	for _, width := range []int64{390, 900, 1440} {
		b.Look(width, 900, "light")
		b.Until("the banner is above what it could cover", `document.querySelector("main").getBoundingClientRect().top >= document.querySelector(".banner").getBoundingClientRect().bottom - 0.5`)
	}
}

// lab orders a fault.
func (p *processes) lab(method, path string, body any) {
	p.t.Helper()
	token := strings.TrimSpace(string(p.command("token")))
	c, err := client.New(p.apiURL, token)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Call(context.Background(), method, path, body, nil); err != nil {
		p.t.Fatal(err)
	}
}

// look takes the views on desktop and phone, and demands that each says something.
func (p *processes) look(b *browsertest.Page, name string, want map[string]string) {
	p.t.Helper()
	for screen, size := range map[string][2]int64{"phone": {390, 844}, "desktop": {1440, 900}} {
		b.Look(size[0], size[1], "light")
		b.Open(p.apiURL)
		for v, text := range want {
			showView(b, v)
			b.Until(name+": "+viewName(v)+" tells it", fmt.Sprintf("document.body.innerText.includes(%q)", text))
			checkWidth(p.t, b, name+"-"+viewName(v)+"-"+screen)
			screenshot(p.t, b, name+"-"+viewName(v)+"-"+screen)
		}
	}
}
