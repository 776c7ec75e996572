//go:build browser

package dashboard_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/commshub/commshub/internal/browsertest"
)

// TestBrowserModulesReckon checks the parts of the page that reckon, each where it runs.
func TestBrowserModulesReckon(t *testing.T) {
	server := httptest.NewServer(http.FileServer(http.Dir("assets")))
	t.Cleanup(server.Close)
	b := browsertest.New(t)
	b.Open(server.URL + "/icon.svg")
	for _, tt := range []struct{ name, module, expression, want string }{
		{"nothing is 0 percent", "format", `m.percent(0, 10)`, "0"},
		{"something is more than 0 percent", "format", `m.percent(1, 1000000)`, "1"},
		{"almost all is not all", "format", `m.percent(999999, 1000000)`, "99"},
		{"all is 100 percent", "format", `m.percent(10, 10)`, "100"},
		{"of nothing", "format", `m.percent(0, 0)`, "0"},
		{"milliseconds", "format", `m.duration(250)`, "250 ms"},
		{"seconds", "format", `m.duration(9990)`, "9.9 s"},
		{"minutes", "format", `m.duration(725000)`, "12 min 05 s"},
		{"hours", "format", `m.duration(2 * 3600000 + 9 * 60000)`, "2 h 09 min"},
		{"days", "format", `m.duration(72 * 3600000)`, "3 days"},
		{"a countdown", "format", `m.countdown(61000)`, "01:01"},
		{"a long countdown", "format", `m.countdown(3661000)`, "1:01:01"},
		{"a countdown that is over", "format", `m.countdown(-5)`, "00:00"},
		{"bytes", "format", `m.bytes(2336)`, "2,336 bytes"},
		{"kilobytes", "format", `m.bytes(262144)`, "262.1 kB"},
		{"a version that runs", "transfer", `m.stateName({state: "activated", version: "02000000"}, {firmware_version: "02000000"})`, "running"},
		{"a version that another replaced", "transfer", `m.stateName({state: "activated", version: "02000000"}, {firmware_version: "03000000"})`, "replaced since"},
		{"what a device runs", "transfer", `m.versionText({state: "activated", version: "02000000"}, "02000000")`, "Runs 02000000"},
		{"what a device does not run", "transfer", `m.versionText({state: "activated", version: "02000000"}, "03000000")`, "02000000, replaced since by 03000000"},
		{"a device of a hub without a broker", "overview", `m.linkText({connected: false, last_heard: "2026-01-05T11:00:00Z"}, 0, false)`, "The hub has no broker"},
		{"why a silent meter's update stands", "firmware", `m.noteOf({waiting: {code: "overdue", text: "the meter is silent since …", silent_since: "2026-01-05T11:00:00Z", overdue_since: "2026-01-05T11:30:00Z"}}).replace(/[0-9:]+/g, "0")`, "Silent since 0 Jan, 0; its heartbeat was due 0 Jan, 0 and did not come."},
		{"what an update waits for", "transfer", `m.waitText({code: "query", text: "the image is offered, the device did not ask for it yet"})`, "The image is offered, the device did not ask for it yet."},
		{"what an update of a silent meter waits for", "transfer", `m.waitText({code: "response", text: "its answer is to come; the meter is silent since 2026", silent_since: "2026-01-05T11:00:00Z", overdue_since: "2026-01-05T11:30:00Z"}).replace(/[0-9:]+/g, "0")`, "Its answer is to come. Silent since 0 Jan, 0; its heartbeat was due 0 Jan, 0 and did not come."},
		{"a silent meter without a session", "overview", `m.linkText({sleeps: true, overdue: true, overdue_since: "2026-01-05T11:30:00Z", last_heard: "2026-01-05T11:00:00Z"}, Date.parse("2026-01-05T12:00:00Z")).slice(0, 38)`, "No session; overdue by 30:00, silent s"},
		{"little charge", "format", `m.charge(2)`, "2.00 µAh"},
		{"much charge", "format", `m.charge(19e6)`, "19.00 Ah"},
		{"days of life", "format", `m.days(0.0382)`, "0.038 days"},
		{"years of life", "format", `m.days(5480)`, "15.0 years"},
		{"an address", "format", `m.eui("00DB1234567890A1")`, "00DB 1234 5678 90A1"},
		{"text of others", "format", `m.harmless("", "a\u001b[2J\u202eb\n")`, `a\u{1b}[2J\u{202e}b\u{a}`},
		{"blocks per cell are round", "windows", `[0.4, 1, 1.2, 7, 35, 410].map(m.unitFor).join()`, "1,1,2,8,40,500"},
		{"16,000 cells fit", "strip", `(() => { const g = m.layout(16000, 1200, 84); return g.columns * g.rows >= 16000 && g.columns * g.pitch <= 1200; })()`, "true"},
		{"few cells are large", "strip", `m.layout(40, 1200, 84).pitch`, "14"},
		{"an event in pieces", "stream", `(() => { const p = new m.Parser(); const got = []; for (const c of ["id: a-1\nev", "ent: update\nda", "ta: {\"x\":1}\n", "\n"]) p.feed(c, (e) => got.push(e)); return JSON.stringify(got); })()`,
			`[{"type":"update","id":"a-1","data":{"x":1}}]`},
		{"comments and fields without data", "stream", `(() => { const p = new m.Parser(); let n = 0; p.feed(": hb\n\nretry: 5\n\nid: 7\r\n\r\n", () => n++); return n; })()`, "0"},
		{"data over several lines", "stream", `(() => { const p = new m.Parser(); let got; p.feed("data: [1,\ndata: 2]\n\n", (e) => { got = e; }); return got.type + got.data.length; })()`, "message2"},
	} {
		got := browsertest.Eval[string](b, `import("/`+tt.module+`.js").then((m) => String(`+tt.expression+`))`)
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestBrowserFontsAreAsPublished compares the fonts with the packages they come from.
func TestBrowserFontsAreAsPublished(t *testing.T) {
	packages := filepath.FromSlash("../../internal/browsertest/node_modules")
	for ours, theirs := range map[string]string{
		"plex-sans.woff2": "@fontsource-variable/ibm-plex-sans/files/ibm-plex-sans-latin-wght-normal.woff2",
		"plex-mono.woff2": "@fontsource/ibm-plex-mono/files/ibm-plex-mono-latin-400-normal.woff2",
		"LICENSE.txt":     "@fontsource-variable/ibm-plex-sans/LICENSE",
	} {
		want, err := os.ReadFile(filepath.Join(packages, filepath.FromSlash(theirs)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("assets", "fonts", ours))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not %s", ours, theirs)
		}
	}
}
