//go:build browser

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/commshub/commshub/internal/browsertest"
	"github.com/commshub/commshub/internal/home"
)

// TestBrowserDoesTheWholeJob does from the page what the product is for, over a home
// of separate processes: a device is added, an image uploaded and distributed, blocks
// arrive window by window, the meter is told to switch, and runs the new version. Then
// the hub is killed, and the page says so; it is started again, and the page recovers.
func TestBrowserDoesTheWholeJob(t *testing.T) {
	p := newProcesses(t)
	p.embeddedBroker()
	p.hub()
	esme, gsme := home.DefaultESME.String(), home.DefaultGSME.String()
	p.command("device", "add", esme, "--kind", "ESME")
	p.meter("esme")
	p.meter("gsme")

	b := browsertest.New(t)
	b.Look(1440, 1000, "light")
	b.Open(p.apiURL)
	b.Until("the hub's home", `document.querySelector("#link-state").innerText === "Live"`)
	addDevice(t, p, b, gsme)

	b.Click("nav a", "Firmware")
	b.Choose("#image-file", p.sample())
	b.Until("the image is in the cache", `[...document.querySelectorAll("tbody th")].some((e) => e.innerText === "02000000")`)
	b.Click("td button", "Distribute")
	b.Until("both meters can be chosen", `document.querySelectorAll("dialog input:checked").length === 2`)
	b.Click("dialog button", "Distribute")

	watchTransfer(t, b)
	b.Click(".actions button", "Activate now")
	b.Until("the gas meter runs the new version", `document.querySelector(".hero .versions").innerText === "Runs 02000000"`)
	if got := p.update(gsme).State; got != "activated" {
		t.Errorf("the page says that the meter runs the image, the hub says %q", got)
	}

	p.kill("hub")
	b.Until("disconnected is shown as disconnected", `document.querySelector("#link-state").innerText === "Disconnected" && document.querySelector("#banner").checkVisibility()`)
	screenshot(t, b, "disconnected")
	// With 1,800 emulated seconds per second, a clock that goes on shows within this.
	if moved := browsertest.Eval[string](b, `(() => {
		const said = () => document.querySelector("#clock-time").innerText + document.querySelector(".facts").innerText;
		const before = said();
		return new Promise((done) => setTimeout(() => done(said() === before ? "" : before + " → " + said()), 400));
	})()`); moved != "" {
		t.Errorf("the clock goes on without a hub: %s", moved)
	}
	p.hub()
	b.Until("the page recovers by itself", `document.querySelector("#link-state").innerText === "Live" && !document.querySelector("#banner").checkVisibility()`)
	b.Until("the page tells of the restart", `document.querySelector(".toast")?.innerText.includes("started again")`)
	if got := b.Text(".hero .versions"); got != "Runs 02000000" {
		t.Errorf("after the restart the page says %q", got)
	}
	removeImage(p, b, esme)
	if c := b.Complaints("Failed to load resource", "ERR_"); len(c) > 0 {
		t.Errorf("the browser complains: %s", strings.Join(c, "\n"))
	}
}

// removeImage removes the image from the page: refused, with the reason, while the
// electricity meter has an update to it.
func removeImage(p *processes, b *browsertest.Page, esme string) {
	b.Click("nav a", "Firmware")
	b.Click("td button", "Remove")
	b.Click("dialog button", "Remove it")
	b.Until("it is refused with the reason", `document.querySelector("dialog .failed")?.innerText.includes("it is in use")`)
	p.command("firmware", "cancel", esme)
	b.Click("dialog button", "Remove it")
	b.Until("the image is gone", `!document.querySelector("dialog") && ![...document.querySelectorAll("tbody th")].some((e) => e.innerText === "02000000")`)
}

// addDevice adds the gas meter from the page, which asks for the token once: a wrong
// one is refused, and nothing is added; the right one is kept for this tab.
func addDevice(t *testing.T, p *processes, b *browsertest.Page, eui string) {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(p.dir, "state", tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	b.Click("nav a", "Meters")
	b.Click(".head button", "Add a device")
	b.Type("dialog input.mono", eui)
	b.Click("dialog button", "Add it")
	b.Type("dialog input[type=password]", "not-the-token-of-this-hub")
	b.Click("dialog button", "Use this token")
	b.Until("a wrong token is refused", `[...document.querySelectorAll(".failed")].some((e) => e.innerText.includes("does not take this token"))`)
	browsertest.Eval[chromedp.Void](b, `document.querySelector("dialog input[type=password]").value = ""`)
	b.Type("dialog input[type=password]", strings.TrimSpace(string(token)))
	b.Click("dialog button", "Use this token")
	b.Until("the device is in the log", `[...document.querySelectorAll(".card .id")].some((e) => e.innerText.replaceAll(" ", "") === "`+eui+`")`)
}

// watchTransfer sees blocks arrive over several windows: in the figures, and as
// filled cells of the strip.
func watchTransfer(t *testing.T, b *browsertest.Page) {
	t.Helper()
	const windows = `Number(document.querySelector(".facts dd")?.innerText.split(",")[0])`
	const filled = `(() => {
		const c = document.querySelector(".strip canvas");
		const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
		let n = 0;
		for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 128 && data[i + 2] - data[i] > 60) n++;
		return n / (c.width * c.height);
	})()`
	b.Until("the first window", windows+" >= 1")
	b.Until("it says that the meter sleeps, and why", `document.querySelector(".why").innerText.includes("Asleep until its next heartbeat") && document.querySelector(".why").innerText.includes("WAIT_FOR_DATA")`)
	first := browsertest.Eval[float64](b, filled)
	b.Until("the third window", windows+" >= 3")
	later := browsertest.Eval[float64](b, filled)
	if later <= first || first == 0 {
		t.Errorf("the strip does not fill up: %.3f of it after the first window, %.3f after the third", first, later)
	}
	screenshot(t, b, "transfer")
	b.Until("all is there and verified", `document.querySelector(".hero:not(.empty)").dataset.state === "transferred"`)
}

// screenshotFolder is where screenshots are kept, if it is set.
const screenshotFolder = "COMMSHUB_SCREENSHOTS"

func screenshot(t *testing.T, b *browsertest.Page, name string) {
	t.Helper()
	dir := os.Getenv(screenshotFolder)
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), b.Screenshot(), 0o644); err != nil {
		t.Fatal(err)
	}
}
