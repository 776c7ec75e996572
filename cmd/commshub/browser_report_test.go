//go:build browser

package main

import (
	"path/filepath"
	"testing"

	"github.com/commshub/commshub/internal/browsertest"
	"github.com/commshub/commshub/internal/home"
)

// TestBrowserShowsHistoryAfterAKill kills the hub in the middle of a window. The page,
// opened anew, has the windows before it and says what is not recorded; the report of
// the update says the same, and breaks no rule of accessibility.
func TestBrowserShowsHistoryAfterAKill(t *testing.T) {
	p := newProcesses(t)
	p.embeddedBroker()
	p.hub()
	gsme := home.DefaultGSME.String()
	p.command("device", "add", gsme, "--kind", "GSME")
	p.meter("gsme")
	p.command("firmware", "upload", p.sample())
	p.command("firmware", "distribute", "02000000", gsme)
	p.until("the gas meter is under way", func() bool { return p.update(gsme).Windows >= 3 })
	p.until("a window is open", func() bool {
		w := p.tells(gsme).Timeline.Windows
		return w[len(w)-1].Open && w[len(w)-1].Blocks > 0
	})
	p.kill("hub")
	p.kill("gsme")
	p.hub()

	b := browsertest.New(t)
	b.Look(1440, 1100, "light")
	b.Open(p.apiURL)
	b.Until("the hub's home", `document.querySelector("#link-state").innerText === "Live"`)
	b.Until("the windows before the kill", `Number(document.querySelector(".windows").getAttribute("aria-valuemax")) >= 3`)
	screenshot(t, b, "after-a-kill")
	p.meter("gsme")
	p.until("the gas meter holds the image", func() bool { return p.update(gsme).State == "transferred" })
	screenshot(t, b, "after-a-kill-complete")

	page := filepath.Join(p.dir, "report.html")
	p.command("report", gsme, "--html", page)
	b.Open("file://" + page)
	screenshot(t, b, "report")
	for _, v := range b.Violations() {
		t.Errorf("%s (%s): %s %v", v.ID, v.Impact, v.Help, v.Where)
	}
	b.Look(390, 844, "light")
	checkWidth(t, b, "the report on a phone")
}
