//go:build browser

package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/commshub/commshub/internal/browsertest"
)

// views are the page's, by what follows #/ in the address.
var views = []string{"", "meters", "firmware", "battery", "alerts", "traffic", "lab"}

// TestBrowserShowsEveryViewFitToBeSeen looks at every view of a home in the middle of an update,
// light and dark, on a phone and on a desktop: nothing serious for axe-core, nothing
// wider than the screen, no complaint of the browser.
func TestBrowserShowsEveryViewFitToBeSeen(t *testing.T) {
	p := newProcesses(t)
	p.demo("--lab", "--speed", "200", "--pacing", "radio=5s")
	p.until("the gas meter is under way", func() bool { return p.update("00DB1234567890A1").Windows >= 4 })
	b := browsertest.New(t)
	for _, theme := range []string{"light", "dark"} {
		for screen, size := range map[string][2]int64{"phone": {360, 740}, "desktop": {1440, 900}} {
			b.Look(size[0], size[1], theme)
			b.Open(p.apiURL)
			for _, v := range views {
				name := fmt.Sprintf("%s-%s-%s", viewName(v), theme, screen)
				t.Run(name, func(t *testing.T) { checkView(t, b, v, name) })
			}
		}
	}
	for _, width := range []int64{390, 768, 1024, 2560} {
		b.Look(width, 900, "light")
		for _, v := range views {
			showView(b, v)
			checkWidth(t, b, fmt.Sprintf("%s at %d", viewName(v), width))
		}
	}
	if c := b.Complaints(); len(c) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(c, "\n"))
	}
}

func viewName(v string) string {
	if v == "" {
		return "overview"
	}
	return v
}

func showView(b *browsertest.Page, v string) {
	browsertest.Eval[chromedp.Void](b, fmt.Sprintf("void (location.hash = %q)", "#/"+v))
	b.Until("the view "+viewName(v), fmt.Sprintf(`document.querySelector("nav [aria-current]")?.hash === %q && document.querySelector("main h1")`, "#/"+v))
}

func checkView(t *testing.T, b *browsertest.Page, v, name string) {
	showView(b, v)
	if v == "traffic" {
		b.Until("frames are shown", `document.querySelectorAll(".traffic tbody tr").length > 20`)
		const kind = `(() => { const r = new XMLHttpRequest(); r.open("GET", document.querySelector("a[download]").href, false); r.send(); return r.getResponseHeader("Content-Type"); })()`
		if got := browsertest.Eval[string](b, kind); got != "application/x-pcapng" {
			t.Errorf("what is saved for Wireshark is %s", got)
		}
	}
	for _, x := range b.Violations() {
		if x.Impact == "serious" || x.Impact == "critical" {
			t.Errorf("%s: %s (%s): %s", x.Impact, x.ID, x.Help, strings.Join(x.Where, "; "))
		} else {
			t.Logf("%s: %s (%s): %s", x.Impact, x.ID, x.Help, strings.Join(x.Where, "; "))
		}
	}
	checkWidth(t, b, name)
	screenshot(t, b, name)
}

func checkWidth(t *testing.T, b *browsertest.Page, name string) {
	t.Helper()
	if over := browsertest.Eval[int](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		t.Errorf("%s: %d pixels wider than the screen", name, over)
	}
}

// TestBrowserSaysWhatToDoInAnEmptyHome looks at a hub that has nothing yet.
func TestBrowserSaysWhatToDoInAnEmptyHome(t *testing.T) {
	p := newProcesses(t)
	p.embeddedBroker()
	p.hub()
	b := browsertest.New(t)
	b.Look(1440, 900, "light")
	b.Open(p.apiURL)
	for v, want := range map[string]string{
		"": "Add a device", "meters": "Add a device, then start it", "firmware": "Drop a file above", "battery": "Add a gas meter under Meters",
		"alerts": "Add a device, or distribute an image", "traffic": "A mains meter speaks at once",
	} {
		showView(b, v)
		b.Until(viewName(v)+" says what to do next", fmt.Sprintf("document.querySelector('main').innerText.includes(%q)", want))
		screenshot(t, b, "empty-"+viewName(v))
	}
	// Without --lab there is no such view, whatever the address says.
	browsertest.Eval[chromedp.Void](b, `void (location.hash = "#/lab")`)
	b.Until("the overview instead", `document.querySelector("nav [aria-current]").hash === "#/"`)
	if browsertest.Eval[bool](b, `[...document.querySelectorAll("nav a")].some((a) => a.innerText === "Lab" && a.checkVisibility())`) {
		t.Error("the lab is offered by a hub without one")
	}
}

// TestBrowserShowsEveryTab: a browser has six connections for one address, and more tabs
// than that are live, also after the one is closed that has the hub's events.
func TestBrowserShowsEveryTab(t *testing.T) {
	p := newProcesses(t)
	p.embeddedBroker()
	p.hub()
	first := browsertest.New(t)
	leader, closeLeader := first.Tab()
	leader.Open(p.apiURL)
	const live = `document.body.dataset.connection === "live"`
	leader.Until("the leading tab is live", live)
	var tabs []*browsertest.Page
	for i := range 8 {
		tab, _ := first.Tab()
		tab.Open(p.apiURL + "/#/meters")
		tab.Until(fmt.Sprintf("tab %d is live", i+2), live)
		tabs = append(tabs, tab)
	}
	closeLeader()
	p.command("device", "add", "00DB1234567890A1", "--kind", "GSME")
	for i, tab := range tabs {
		tab.Front()
		tab.Until(fmt.Sprintf("tab %d shows what happened after the leading tab was closed", i+2), live+` && document.querySelector("main").innerText.includes("1 of 16 places")`)
	}
}

// TestBrowserKeepsNoTraceOfTheTokenLink opens the link that the hub prints.
func TestBrowserKeepsNoTraceOfTheTokenLink(t *testing.T) {
	p := newProcesses(t)
	p.embeddedBroker()
	p.hub()
	link, err := exec.Command(p.binary, "token", "--link", "--state", p.dir+"/state", "--api", p.apiURL).Output()
	if err != nil {
		t.Fatal(err)
	}
	b := browsertest.New(t)
	b.Open(strings.TrimSpace(string(link)))
	b.Until("the hub's home", `document.querySelector("#link-state").innerText === "Live"`)
	if at := browsertest.Eval[string](b, "location.href"); strings.Contains(at, "token") {
		t.Errorf("the address is still %s", at)
	}
	status := browsertest.Eval[int](b, `fetch("/v1/session", { headers: { Authorization: "Bearer " + sessionStorage.getItem("commshub-token") } }).then((r) => r.status)`)
	if status != http.StatusNoContent {
		t.Errorf("the token that was kept is answered with %d", status)
	}
}

// demo runs the whole home in one process.
func (p *processes) demo(args ...string) {
	p.t.Helper()
	address := strings.TrimPrefix(p.apiURL, "http://")
	p.run("hub", append([]string{"demo", "--listen", address}, args...)...)
	p.listening(address)
}
