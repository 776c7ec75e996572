//go:build browser

package dashboard_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/tracing"
	"github.com/chromedp/chromedp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/dashboard"
	"github.com/commshub/commshub/internal/browsertest"
)

// A day of an update: 16,000 blocks in 48 windows.
const (
	gasMeter    = han.EUI64(0x00DB1234567890A1)
	dayBlocks   = 16_000
	dayWindows  = 48
	blockSize   = 48
	period      = 30 * time.Minute
	updates     = 150 // that the page gets while it is being profiled
	updateEvery = 50 * time.Millisecond
)

var dayStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// day is a hub that tells of one meter with a day of history, and whose last window
// goes on: the same events that a real hub sends, without a home behind them.
type day struct {
	feed    chan struct{}
	mirrors []api.Mirror
}

func (d *day) window(number, blocks uint32) api.Window {
	from := (number - 1) * dayBlocks / dayWindows * blockSize
	to := from + blocks*blockSize
	wait, radio := 1790.0, 9985.0
	at := dayStart.Add(time.Duration(number-1) * period)
	w := api.Window{Number: number, OpenedAt: at, EndedAt: at.Add(10 * time.Second), Blocks: blocks, Bytes: to - from, From: &from, To: &to,
		Runs: []api.Run{{from, to}}, Repeated: []uint32{}, RadioOn: &radio, Wait: &wait}
	if number%3 == 0 {
		w.Repeats, w.Repeated = 4, []uint32{from + 480, from + 960, from + 1440, from + 1920}
	}
	return w
}

func (d *day) update(served uint32) api.Update {
	offset := served * blockSize
	expected, left := dayStart.Add((dayWindows+1)*period), uint32(1)
	return api.Update{Device: gasMeter, Kind: "GSME", Image: image, Version: "02000000", State: "downloading", Offset: &offset,
		Size: dayBlocks * blockSize, Windows: dayWindows, Blocks: served, Repeats: 64, StartedAt: &dayStart, BlockSize: blockSize,
		ExpectedAt: &expected, WindowsLeft: &left}
}

const image = "abababababababababababababababababababababababababababababababab"

func (d *day) clock() api.Clock {
	return api.Clock{Now: dayStart.Add((dayWindows-1)*period + time.Minute), Speed: 1, Wall: time.Now(), Emulated: dayStart}
}

func (d *day) timeline() api.Timeline {
	t := api.Timeline{Device: gasMeter, Image: image, Size: dayBlocks * blockSize, BlockSize: blockSize, Since: dayStart, Complete: true}
	for n := uint32(1); n < dayWindows; n++ {
		t.Windows = append(t.Windows, d.window(n, dayBlocks/dayWindows))
	}
	t.Served = []api.Run{{0, (dayWindows - 1) * dayBlocks / dayWindows * blockSize}}
	return t
}

// device is the gas meter as it is when its n-th event comes.
func (d *day) device(n int) api.Device {
	heard, next := dayStart.Add((dayWindows-1)*period+time.Duration(n)*time.Second), dayStart.Add(dayWindows*period)
	return api.Device{EUI64: gasMeter, Kind: "GSME", LastHeard: &heard, FirmwareVersion: "01000000", Sleeps: true, Awake: true,
		Period: period.Seconds(), NextHeartbeat: &next, Connected: true}
}

func (d *day) battery(n int) api.Battery {
	percent, left, capacity, spent, life := 97.0, 5480.0, 19e6, 1234.5+float64(n), 0.7
	return api.Battery{Device: gasMeter, Source: "meter", At: &dayStart, Percent: &percent, DaysLeft: &left, Capacity: &capacity, Spent: &spent,
		Update: &api.UpdateCost{Version: "02000000", Image: image, Charge: 812, RadioOn: 93, Windows: dayWindows, CostDays: &life}}
}

func (d *day) handler() http.Handler {
	mux := http.NewServeMux()
	page := dashboard.Handler()
	mux.Handle("GET /{$}", page)
	mux.Handle("GET /assets/", page)
	var alerts []api.InboxEntry
	for n := uint64(200); n > 0; n-- {
		alerts = append(alerts, api.InboxEntry{Sequence: n, At: &dayStart, Device: gasMeter, Code: "8F12", Name: "CHF Device Log Changed", Text: "CHF Device Log Changed"})
	}
	for path, v := range map[string]any{
		"/v1/hub": api.Hub{Pacing: "radio=10s", BlockSize: blockSize, BrokerConnected: true}, "/v1/clock": d.clock(),
		"/v1/devices": map[string]any{"devices": []api.Device{d.device(0)}, "size": 16}, "/v1/images": map[string]any{"images": []api.Image{}},
		"/v1/updates": map[string]any{"updates": []api.Update{d.update(15_000)}}, "/v1/alerts": map[string]any{"alerts": alerts},
		"/v1/messages": map[string]any{"messages": []api.Message{}}, "/v1/mirror": map[string]any{"mirrors": append([]api.Mirror{}, d.mirrors...)},
		"/v1/devices/" + gasMeter.String() + "/battery": d.battery(0), "/v1/updates/" + gasMeter.String() + "/timeline": d.timeline(),
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v) // the browser is gone if this fails
		})
	}
	mux.HandleFunc("GET /events", d.events)
	return mux
}

// events says hello, and then, once feed is closed, sends what a window in hand makes
// a hub send: its blocks, the figures, the meter, its battery.
func (d *day) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(kind string, v any) {
		b, _ := json.Marshal(v) // these types can be
		fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, b)
	}
	send("hello", map[string]any{"instance": "day", "clock": d.clock()})
	_ = http.NewResponseController(w).Flush()
	select {
	case <-d.feed:
	case <-r.Context().Done():
		return
	}
	ticker := time.NewTicker(updateEvery)
	defer ticker.Stop()
	for n := range updates {
		<-ticker.C
		blocks := uint32(n * dayBlocks / dayWindows / updates)
		last := d.window(dayWindows, blocks)
		last.Open, last.Wait = true, nil
		send("window", map[string]any{"device": gasMeter, "image": image, "window": last})
		send("update", d.update((dayWindows-1)*dayBlocks/dayWindows+blocks))
		send("device", d.device(n))
		send("battery", d.battery(n))
		_ = http.NewResponseController(w).Flush()
	}
	send("clock", api.Clock{Now: dayStart.Add(dayWindows * period), Speed: 7})
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// task is one piece of work of the page's main thread.
type task struct {
	Name string  `json:"name"`
	Dur  float64 `json:"dur"`  // microseconds
	CPU  float64 `json:"tdur"` // the same in time of the processor
	Ph   string  `json:"ph"`
	TS   float64 `json:"ts"`
	PID  int     `json:"pid"`
	TID  int     `json:"tid"`
}

// scripting are the names under which the browser's profiler files time spent in
// scripts.
var scripting = []string{"FireAnimationFrame", "FunctionCall", "RunMicrotasks", "TimerFire", "EvaluateScript"}

// TestBrowserStaysSmoothWithADayOfHistory profiles the page while it gets updates, with the
// browser's own profiler. The figures are for docs/performance.md; what is demanded
// here is that nothing moves about, and that the page shows the end of it.
func TestBrowserStaysSmoothWithADayOfHistory(t *testing.T) {
	d := &day{feed: make(chan struct{})}
	server := httptest.NewServer(d.handler())
	t.Cleanup(server.CloseClientConnections)
	b := browsertest.New(t)
	b.Look(1440, 1400, "light")
	b.Open(server.URL)
	b.Until("the page is live", `document.querySelector("#link-state").innerText === "Live" && document.querySelector(".strip canvas").width > 300`)
	browsertest.Eval[chromedp.Void](b, `globalThis.moved = 0;
		new PerformanceObserver((l) => { for (const e of l.getEntries()) moved += e.value; }).observe({ type: "layout-shift", buffered: false });`)

	stop := profile(t, b)
	close(d.feed)
	b.Until("all updates are there", `document.querySelector("#clock-speed").innerText === "×7"`)
	tasks := stop()

	if len(tasks) == 0 {
		t.Fatal("the profiler saw no script run")
	}
	elapsed, cpu := figures(tasks, func(x task) float64 { return x.Dur }), figures(tasks, func(x task) float64 { return x.CPU })
	t.Logf("%d updates, %d blocks in %d windows, %d pieces of work; elapsed: %s; of the processor: %s", updates, dayBlocks, dayWindows, len(tasks), elapsed, cpu)
	if moved := browsertest.Eval[float64](b, "moved"); moved > 0.01 {
		t.Errorf("things moved about on the page: a layout shift of %.3f", moved)
	}
}

// TestBrowserPaintsFirst opens the page again and again, each time without what the browser
// kept of it, and logs when something was first to be seen.
func TestBrowserPaintsFirst(t *testing.T) {
	const turns = 15
	d := &day{feed: make(chan struct{})}
	server := httptest.NewServer(d.handler())
	t.Cleanup(server.CloseClientConnections)
	b := browsertest.New(t)
	b.Look(1440, 1000, "light")
	if _, err := chromedp.Call(b.Context(), network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}); err != nil {
		t.Fatal(err)
	}
	var paints, live []float64
	for range turns {
		b.Open(server.URL)
		b.Until("the page is live", `document.querySelector("#link-state").innerText === "Live"`)
		b.Until("it is painted", `performance.getEntriesByName("first-contentful-paint").length`)
		paints = append(paints, browsertest.Eval[float64](b, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
		live = append(live, browsertest.Eval[float64](b, `performance.getEntriesByName("commshub-live")[0].startTime`))
	}
	slices.Sort(paints)
	slices.Sort(live)
	t.Logf("%d turns: first paint after %.0f ms (%.0f to %.0f), everything there after %.0f ms (%.0f to %.0f)", turns,
		paints[turns/2], paints[0], paints[turns-1], live[turns/2], live[0], live[turns-1])
}

// figures sums up a duration of all tasks, given in microseconds.
func figures(tasks []task, of func(task) float64) string {
	var all []float64
	total := 0.0
	for _, x := range tasks {
		all = append(all, of(x)/1000)
		total += of(x) / 1000
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f ms of scripting per update, a piece %.2f ms in the median, %.2f ms at 99 %%, %.2f ms at most",
		total/updates, all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
}

// profile starts the browser's profiler. What it returns stops it and gives the
// scripts that ran, without those that ran inside of another.
func profile(t *testing.T, b *browsertest.Page) (stop func() []task) {
	t.Helper()
	ctx := b.Context()
	var all []task
	done := make(chan struct{})
	// One listener for both kinds of event: they come in order.
	err := chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *tracing.EventDataCollected:
			all = append(all, scripts(e.Value)...)
		case *tracing.EventTracingComplete:
			close(done)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = chromedp.Call(ctx, tracing.Start, tracing.StartParams{TraceConfig: &tracing.TraceConfig{IncludedCategories: []string{"devtools.timeline"}}})
	if err != nil {
		t.Fatal(err)
	}
	return func() []task {
		if _, err := chromedp.Call(ctx, tracing.End, struct{}{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
		case <-time.After(browsertest.Patience):
			t.Fatal("the profiler does not end")
		}
		return outermost(all)
	}
}

// scripts returns the pieces of work in a profile that ran scripts.
func scripts(events []jsonv2.Value) (out []task) {
	for _, v := range events {
		var x task
		if json.Unmarshal(v, &x) == nil && x.Ph == "X" && slices.Contains(scripting, x.Name) {
			out = append(out, x)
		}
	}
	return out
}

// outermost drops the tasks that ran inside of another.
func outermost(all []task) []task {
	slices.SortFunc(all, func(x, y task) int {
		if x.TS != y.TS {
			return int(x.TS - y.TS)
		}
		return int(y.Dur - x.Dur)
	})
	var out []task
	end := map[int]float64{}
	for _, x := range all {
		if x.TS < end[x.TID] {
			continue
		}
		end[x.TID] = x.TS + x.Dur
		out = append(out, x)
	}
	return out
}
