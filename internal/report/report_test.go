package report_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/report"
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// full is an update of many windows, with foreign text everywhere.
func full(text string, windows int) report.Report {
	u := report.Update{
		Device: text, Facts: []report.Fact{{Name: text, Value: text}}, Size: 100_000, BlockSize: 50,
		Steps: []report.Step{{At: start, What: text}}, Alerts: []report.Step{{At: start, What: text}},
		Expected: []report.Comparison{{What: text, Expected: text, Actual: text}}, ExpectedNote: text,
		Charge: []report.Cause{{Name: text, Charge: 1}, {Name: "sleep", Charge: 3}}, ChargeNote: text, Earlier: text,
		Missed: []report.Run{{From: 200, To: 300}},
	}
	for i := range windows {
		at := uint32(i * 100)
		u.Windows = append(u.Windows, report.Window{
			Number: uint32(i + 1), OpenedAt: start.Add(time.Duration(i) * 30 * time.Minute), Blocks: 2, Repeats: uint32(i % 2),
			Runs: []report.Run{{From: at, To: at + 50}, {From: at + 50, To: at + 100}}, RadioOn: 1500 * time.Millisecond, Interrupted: i == 2,
			Charge: 12.5, Causes: report.CausesOf(given(i), []string{"base", "self-discharge", "sleep"}),
		})
		u.Battery = append(u.Battery, report.Point{At: u.Windows[i].OpenedAt, Value: 100 - float64(i)/100})
	}
	return report.Report{
		Title: text, About: text, Facts: u.Facts, Updates: []report.Update{u},
		Tables: []report.Table{{Caption: text, Head: []string{text}, Rows: [][]string{{text}}}}, Notes: []string{text},
	}
}

// given is what the cell gave in a window, all that a meter tells apart.
func given(window int) map[string]float64 {
	if window == 0 {
		return nil // there is no account before it
	}
	return map[string]float64{
		"sleep": 0.7, "base": 80, "self-discharge": 10.8, "listen": 2 * float64(window), "transmit": 1, "receive": 1, "processor": 1, "flash": 1,
		"hash": 1, "signature": 1, "reboot": 1,
	}
}

func write(t *testing.T, r report.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestForeignTextIsData(t *testing.T) {
	page := write(t, full(`</title><script>alert(1)</script><img src="https://example.org/x" onerror=x>`, 3))
	if n := strings.Count(page, "<script") + strings.Count(page, "<img"); n != 0 {
		t.Errorf("%d elements of foreign text", n)
	}
}

func TestThePageNeedsNothingElse(t *testing.T) {
	page := write(t, full("gas meter", 3))
	for _, s := range []string{"http:", "https:", "<link", "<script", "@import", "src=", "url(http"} {
		if strings.Contains(page, s) {
			t.Errorf("the page has %q", s)
		}
	}
}

func TestWhatThePageTells(t *testing.T) {
	page := write(t, full("gas meter", 3))
	for _, s := range []string{
		"5 January 2026, 00:30:00", `datetime="2026-01-05T00:00:00Z"`, "3 (interrupted: not recorded)", "1.50 s",
		"75.00 %", "12.5 µAh", "The highest column is 11.0 µAh", "up to 203.0 µAh",
		`<th scope="row">All</th><td>2.0</td><td>2.0</td><td>6.0</td>`, "window 2: 2 blocks, 1 sent again", `class="missed"`, "@media print",
	} {
		if !strings.Contains(page, s) {
			t.Errorf("the page does not tell %q", s)
		}
	}
	if strings.Contains(page, "%!") {
		t.Error("a figure of the page is malformed")
	}
	if empty := write(t, report.Report{Title: "nothing", Updates: []report.Update{{Device: "gas"}}}); !strings.Contains(empty, "No window of it is known.") {
		t.Error("an update without windows is not said to have none")
	}
}

// The most windows that a hub keeps, each of two runs.
func TestThePageIsSmall(t *testing.T) {
	const most = 450_000
	if n := len(write(t, full("gas meter", 512))); n > most {
		t.Errorf("%d bytes, want at most %d", n, most)
	}
}

// TestABatteryIsDrawnByWhatShowsOneUpdate: whole percents are left out where there is
// better, and drawn where there is not.
func TestABatteryIsDrawnByWhatShowsOneUpdate(t *testing.T) {
	whole, fine := report.Point{Value: 99}, report.Point{Value: 99.9995}
	for name, tt := range map[string]struct{ all, want []report.Point }{
		"a meter that told after its first report": {[]report.Point{whole, fine, fine}, []report.Point{fine, fine}},
		"a meter that tells whole percents":        {[]report.Point{whole, whole}, []report.Point{whole, whole}},
	} {
		if got := report.Finest(tt.all); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
