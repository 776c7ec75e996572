package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
)

const (
	gsme  = han.EUI64(0x00DB1234567890A1)
	esme  = han.EUI64(0x00DB1234567890A0)
	image = "ab"
)

var noon = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

func ptr[T any](v T) *T { return &v }

// update is the gas meter's, with so many of its 100 blocks of 50 bytes served.
func update(state string, served uint32) api.Update {
	u := api.Update{Device: gsme, Kind: "GSME", Image: image, Version: "02000000", State: state, Size: 5000, Offset: ptr(served * 50), Windows: 2, Blocks: served, BlockSize: 50}
	if state == "downloading" {
		u.Waiting = &api.Waiting{Code: "heartbeat", Text: "the meter sleeps", Until: ptr(noon.Add(10 * time.Minute))}
		u.ExpectedAt, u.WindowsLeft = ptr(noon.Add(70*time.Minute)), ptr(uint32(3))
	}
	return u
}

func window(number, blocks uint32) api.Window {
	return api.Window{Number: number, Blocks: blocks, OpenedAt: noon, Wait: ptr(1790.0), RadioOn: ptr(9.985)}
}

// fake is a hub that answers what it was given. Each connection to its events is one
// script; when they are used up it is gone for good, and ctx is ended.
type fake struct {
	resources map[string]any
	scripts   [][]client.Event
	end       context.CancelFunc
}

func (f *fake) Get(_ context.Context, path string, out any) (bool, error) {
	base, _, _ := strings.Cut(path, "?")
	v, ok := f.resources[base]
	if !ok {
		return false, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return true, err
	}
	return true, json.Unmarshal(b, out)
}

func (f *fake) Events(_ context.Context, _ string, yield func(e client.Event) error) error {
	if len(f.scripts) == 0 {
		f.end()
		return errors.New("nobody there")
	}
	script := f.scripts[0]
	f.scripts = f.scripts[1:]
	for _, e := range script {
		if err := yield(e); err != nil {
			return err
		}
	}
	return errors.New("the hub went away")
}

func event(kind string, v any) client.Event {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return client.Event{Kind: kind, Data: b}
}

var hello = client.Event{Kind: "hello", Data: []byte(`{}`)}

func newFake(u api.Update, scripts ...[]client.Event) (*fake, context.Context) {
	ctx, cancel := context.WithCancel(context.Background())
	return &fake{end: cancel, scripts: scripts, resources: map[string]any{
		"/v1/hub": api.Hub{EUI64: 0x00DB1234567890A3, Pacing: "radio=10s", BrokerConnected: true}, "/v1/clock": api.Clock{Now: noon, Speed: 600},
		"/v1/devices": map[string]any{"devices": []api.Device{
			{EUI64: esme, Kind: "ESME", FirmwareVersion: "02000000", Connected: true, Awake: true},
			{EUI64: gsme, Kind: "GSME", FirmwareVersion: "01000000", Connected: true, Sleeps: true, Mailbox: 1, NextHeartbeat: ptr(noon.Add(12*time.Minute + 5*time.Second))},
		}},
		"/v1/updates": map[string]any{"updates": []api.Update{u}},
		"/v1/alerts":  map[string]any{"alerts": []api.InboxEntry{{Sequence: 1, At: &noon, Device: gsme, Code: "8F72", Name: "Firmware Verification Successful", Text: "Firmware Verification Successful, hash 12"}}},
		"/v1/updates/" + gsme.String() + "/timeline": api.Timeline{Windows: []api.Window{window(1, 20), window(2, 20)}},
		"/v1/devices/" + gsme.String() + "/battery":  api.Battery{Device: gsme, Percent: ptr(97.0), PercentText: "97.000 %", Update: &api.UpdateCost{Image: image, Charge: 81.2}},
	}}, ctx
}

// watched runs WatchLines and returns what it wrote, with times cut off where the
// clock of the machine shows in them.
func watched(t *testing.T, f *fake, ctx context.Context, until Until, asJSON bool) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := WatchLines(ctx, &out, f, nil, until, asJSON)
	var lines []string
	for l := range strings.Lines(out.String()) {
		if !asJSON {
			_, l, _ = strings.Cut(l, "  ")
			l, _, _ = strings.Cut(l, ", in ")
			l = strings.TrimRight(l, "\n")
		}
		lines = append(lines, l)
	}
	return strings.Join(lines, "\n"), err
}

func TestLinesTellEachWindowAndEachChangeOnce(t *testing.T) {
	open := window(3, 7)
	open.Open, open.Wait = true, nil
	closed := window(3, 20)
	closed.Repeats = 2
	f, ctx := newFake(update("downloading", 40), []client.Event{
		hello,
		event("window", windowEvent{gsme, image, open}),
		event("update", update("downloading", 47)),
		event("window", windowEvent{gsme, image, closed}),
		event("window", windowEvent{gsme, image, closed}),
		event("update", update("transferred", 100)),
		event("update", update("transferred", 100)),
		{Kind: "of a newer hub", Data: []byte(`{}`)},
		{Kind: "update", Data: []byte(`not JSON`)},
	}, []client.Event{hello})
	got, err := watched(t, f, ctx, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"connected to the hub 00DB1234567890A3, one second is 600 emulated ones",
		"GSME 02000000: downloading, 2,000 of 5,000 bytes (40 %): the meter sleeps",
		"GSME window 3: 20 blocks, 2 sent again, radio on 9.98 s, told to wait 29 min 50 s (WAIT_FOR_DATA)",
		"GSME 02000000: transferred, 5,000 of 5,000 bytes (100 %)",
		"disconnected: the hub went away",
		"connected to the hub 00DB1234567890A3, one second is 600 emulated ones",
		"GSME 02000000: downloading, 2,000 of 5,000 bytes (40 %): the meter sleeps",
		"disconnected: the hub went away",
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// TestLinesTellWhatTheHubDoesNotKnow: the window in which a hub was killed is told when the
// hub is there again, with those that ended meanwhile, and what is not recorded once the
// device asked on.
func TestLinesTellWhatTheHubDoesNotKnow(t *testing.T) {
	cut := window(4, 0)
	cut.Interrupted, cut.RadioOn, cut.Wait = true, nil, nil
	missing := update("downloading", 60)
	missing.NotRecorded = 950
	f, ctx := newFake(update("downloading", 40), []client.Event{hello}, []client.Event{
		hello, event("update", missing), event("window", windowEvent{gsme, image, cut}),
	}, []client.Event{hello})
	f.resources["/v1/updates/"+gsme.String()+"/timeline"] = api.Timeline{Windows: []api.Window{window(3, 20), cut}}
	got, err := watched(t, f, ctx, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	state := "GSME 02000000: downloading, 2,000 of 5,000 bytes (40 %): the meter sleeps"
	want := strings.Join([]string{
		"connected to the hub 00DB1234567890A3, one second is 600 emulated ones", state,
		"GSME window 4: 0 blocks, interrupted: the rest is not recorded",
		"disconnected: the hub went away",
		"connected to the hub 00DB1234567890A3, one second is 600 emulated ones",
		"GSME 02000000: downloading, 3,000 of 5,000 bytes (60 %); 19 blocks not recorded: the meter sleeps",
		"GSME window 4: 0 blocks, interrupted: the rest is not recorded",
		"disconnected: the hub went away",
		"connected to the hub 00DB1234567890A3, one second is 600 emulated ones", state,
		"disconnected: the hub went away",
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

// TestLinesTellWindowsThatEndedUnseen: after a broken connection none is left out.
func TestLinesTellWindowsThatEndedUnseen(t *testing.T) {
	f, ctx := newFake(update("downloading", 40), []client.Event{hello, event("window", windowEvent{gsme, image, window(1, 20)})}, []client.Event{hello})
	got, err := watched(t, f, ctx, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if first, second := strings.Count(got, "window 1: 20 blocks"), strings.Count(got, "window 2: 20 blocks"); first != 1 || second != 1 {
		t.Errorf("window 1 told %d times, window 2 %d times:\n%s", first, second, got)
	}
}

func TestJSONLinesAreObjectsWithTheHubsOwnTypes(t *testing.T) {
	f, ctx := newFake(update("downloading", 40), []client.Event{hello, event("window", windowEvent{gsme, image, window(3, 20)})})
	got, err := watched(t, f, ctx, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for l := range strings.Lines(got) {
		var v line
		if strings.TrimSpace(l) == "" {
			continue
		}
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		if v.At.Before(noon) {
			t.Errorf("%s: at %v, before the hub's clock", v.Event, v.At)
		}
		kinds = append(kinds, v.Event)
		if v.Event == "window" && (v.Window.Blocks != 20 || *v.Device != gsme || v.Image != image) {
			t.Errorf("window: %s", l)
		}
		if v.Event == "update" && *v.Update.Offset != 2000 {
			t.Errorf("update: %s", l)
		}
	}
	if diff := cmp.Diff([]string{"connected", "update", "window", "disconnected"}, kinds); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestUntilEndsWithTheOutcome(t *testing.T) {
	failed := update("failed", 40)
	failed.Outcome = "8F1C Firmware Verification Failed"
	for _, tt := range []struct {
		name, until, state string
		over               bool
		want               string // in the error
	}{
		{"transferred is there", "transferred", "transferred", true, ""},
		{"activated is behind transferred", "transferred", "activated", true, ""},
		{"not there yet", "activated", "transferred", false, ""},
		{"activated", "activated", "activated", true, ""},
		{"superseded", "activated", "superseded", true, "the update of 00DB1234567890A1 is superseded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			until, err := Reached(tt.until)
			if err != nil {
				t.Fatal(err)
			}
			over, err := until([]api.Update{update(tt.state, 100)})
			if over != tt.over || (err == nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
				t.Errorf("over %v, error %v, want %v, %q", over, err, tt.over, tt.want)
			}
		})
	}
	if _, err := Reached("soon"); err == nil {
		t.Error("--until soon is taken")
	}
	until, err := Reached("activated")
	if err != nil {
		t.Fatal(err)
	}
	if over, _ := until(nil); over {
		t.Error("no update at all counts as reached")
	}
	f, ctx := newFake(update("downloading", 40), []client.Event{hello, event("update", failed)})
	if _, err := watched(t, f, ctx, until, false); err == nil || !strings.Contains(err.Error(), "is failed: 8F1C Firmware Verification Failed") {
		t.Errorf("a failed update ends with %v", err)
	}
}

func TestAHubThatWasNeverReachedIsAnError(t *testing.T) {
	f, ctx := newFake(update("downloading", 40))
	if _, err := watched(t, f, ctx, nil, false); err != nil {
		t.Errorf("ended from outside: %v", err)
	}
	f, ctx = newFake(update("downloading", 40), nil)
	if _, err := watched(t, f, ctx, nil, false); err == nil || err.Error() != "the hub went away" {
		t.Errorf("%v", err)
	}
}

// home returns what read makes of a fake, with the clock at noon when the wall clock
// is at wall.
func home(t *testing.T, f *fake, ctx context.Context, wall time.Time) *Home {
	t.Helper()
	h, err := read(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	h.Clock.wall = wall
	return h
}

func TestTransfersOnAScreen(t *testing.T) {
	time.Local = time.UTC
	wall := time.Now()
	f, ctx := newFake(update("downloading", 40))
	h := home(t, f, ctx, wall)
	h.apply(event("window", windowEvent{gsme, image, window(3, 10)}), wall)
	got := ansi.Strip(h.transfers(paint{on: true}, nil, wall, 100, 40))
	want := strings.Join([]string{
		"commshub  00DB1234567890A3  12:00:00 ×600  live",
		"",
		"Gas meter  00DB1234567890A1  01000000 → 02000000  downloading",
		strings.Repeat("█", 40) + strings.Repeat("░", 60),
		"2,000 of 5,000 bytes (40 %)  2 windows, about 3 to go; 40 blocks, 0 sent again; 81.2 µAh",
		"the meter sleeps, in 10 min 00 s (1.0 s real)",
		"complete at 13:10:00, in 1 h 10 min (7.0 s real)",
		"windows ██▄···",
		"window 3: 10 blocks, radio on 9.98 s, told to wait 29 min 50 s (WAIT_FOR_DATA)",
		"",
		"q: quit",
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
	h.Gone, h.GoneSince = errors.New("gone"), wall
	if first, _, _ := strings.Cut(ansi.Strip(h.transfers(paint{on: true}, nil, wall.Add(time.Minute), 100, 40)), "\n"); !strings.Contains(first, "12:00:00 ×600  disconnected since") {
		t.Errorf("without a hub the clock goes on: %q", first)
	}
}

// TestASadScreen has a window in which the hub was interrupted, what is not recorded, a
// meter that is silent, and an image that another one replaced.
func TestASadScreen(t *testing.T) {
	time.Local = time.UTC
	wall := time.Now()
	u := update("downloading", 40)
	u.NotRecorded, u.ExpectedAt, u.WindowsLeft = 100, nil, nil
	u.Waiting = &api.Waiting{Code: "overdue", Text: "the meter is silent since 2026-01-05T11:00:00Z; its heartbeat was due 2026-01-05T11:30:00Z and did not come"}
	f, ctx := newFake(u)
	h := home(t, f, ctx, wall)
	h.Devices[1].NextHeartbeat, h.Devices[1].Overdue, h.Devices[1].OverdueSince = nil, true, ptr(noon.Add(-30*time.Minute))
	h.Devices[1].LastHeard = ptr(noon.Add(-time.Hour))
	cut := window(3, 10)
	cut.Interrupted, cut.RadioOn, cut.Wait = true, nil, nil
	h.apply(event("window", windowEvent{gsme, image, cut}), wall)
	replaced := api.Update{Device: esme, Kind: "ESME", Image: "cd", Version: "01000000", State: "activated", Replaced: true, Size: 5000, Offset: ptr(uint32(5000))}
	h.apply(event("update", replaced), wall)
	got := ansi.Strip(h.transfers(paint{on: true}, nil, wall, 160, 40))
	for _, want := range []string{
		"windows ██╳", "40 blocks, 0 sent again; 2 blocks not recorded; 81.2 µAh", "window 3: 10 blocks, interrupted: the rest is not recorded",
		"its heartbeat was due 2026-01-05T11:30:00Z and did not come", "02000000 → 01000000  replaced since",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	top := ansi.Strip(h.overview(paint{on: true}, wall, 160, 40))
	for _, want := range []string{"silent since 11:00:00, overdue by 30:00", "replaced since"} {
		if !strings.Contains(top, want) {
			t.Errorf("no %q in\n%s", want, top)
		}
	}
	for _, lie := range []string{"wakes in", "complete", "activated"} {
		if strings.Contains(got+top, lie) {
			t.Errorf("%q in\n%s\n%s", lie, got, top)
		}
	}
}

// TestTheLinksOfAHubWithoutABroker: no device is reachable, whatever it was before.
func TestTheLinksOfAHubWithoutABroker(t *testing.T) {
	f, ctx := newFake(update("downloading", 40))
	wall := time.Now()
	h := home(t, f, ctx, wall)
	h.Hub.BrokerConnected = false
	for i := range h.Devices {
		h.Devices[i].Connected = false
	}
	if top := h.overview(paint{}, wall, 160, 40); strings.Count(top, "the hub has no broker") != len(h.Devices) {
		t.Errorf("want it said of %d devices:\n%s", len(h.Devices), top)
	}
}

func TestNoLineIsLongerThanTheScreen(t *testing.T) {
	f, ctx := newFake(update("downloading", 40))
	wall := time.Now()
	h := home(t, f, ctx, wall)
	for width := 1; width < 120; width += 7 {
		for name, v := range map[string]string{
			"transfers": h.transfers(paint{on: true}, nil, wall, width, 12), "overview": h.overview(paint{on: true}, wall, width, 12),
		} {
			lines := strings.Split(v, "\n")
			if len(lines) > 12 {
				t.Errorf("%s at %d: %d lines, want at most 12", name, width, len(lines))
			}
			for _, l := range lines {
				if n := ansi.StringWidth(l); n > width {
					t.Errorf("%s: %d wide, want %d: %q", name, n, width, l)
				}
			}
		}
	}
}

func TestTopOnceShowsTheHome(t *testing.T) {
	time.Local = time.UTC
	f, ctx := newFake(update("downloading", 40))
	var out bytes.Buffer
	if err := TopOnce(ctx, &out, f, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"pacing radio=10s", "Electricity meter   00DB1234567890A0  02000000  connected", "asleep, wakes in 12:0", "   1  97.000 %",
		"Gas meter           02000000  █████████░░░░░░░░░░░░░░░  40 %  downloading, complete in 1 h 0", "12:00:00  Gas meter           8F72  Firmware Verification Successful, hash 12",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	out.Reset()
	if err := TopOnce(ctx, &out, f, true); err != nil {
		t.Fatal(err)
	}
	var s Snapshot
	if err := json.Unmarshal(out.Bytes(), &s); err != nil || len(s.Devices) != 2 || len(s.Updates) != 1 || len(s.Batteries) != 1 || len(s.Alerts) != 1 {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestEventsKeepTheHomeTrue(t *testing.T) {
	f, ctx := newFake(update("downloading", 40))
	wall := time.Now()
	h := home(t, f, ctx, wall)
	h.apply(event("device", api.Device{EUI64: 0x00DB1234567890A4, Kind: "IHD"}), wall)
	h.apply(event("device-removed", map[string]any{"eui64": esme}), wall)
	h.apply(event("clock", api.Clock{Now: noon, Speed: 60}), wall)
	for n := range uint64(keptAlerts + 5) {
		h.apply(event("alert", api.InboxEntry{Sequence: n}), wall)
	}
	h.apply(event("battery", api.Battery{Device: esme}), wall)
	if len(h.Devices) != 2 || h.Devices[0].EUI64 != gsme || h.Clock.Speed != 60 || len(h.Alerts) != keptAlerts || h.Alerts[0].Sequence != keptAlerts+4 {
		t.Errorf("%+v", h)
	}
	other := update("pending", 0)
	other.Image = "cd"
	h.apply(event("update", other), wall)
	if current := h.Current(); len(current) != 1 || current[0].Image != "cd" {
		t.Errorf("the newest update is not the current one: %+v", current)
	}
	ended := update("superseded", 40)
	h.apply(event("update", ended), wall)
	if current := h.Current(); len(current) != 1 || current[0].Image != "cd" {
		t.Errorf("an ended update took the place of one in hand: %+v", current)
	}
}

func TestWhatAnOrderSaysAtOnce(t *testing.T) {
	late := api.Expected{Windows: 3, Charge: 50}
	doubtful := late
	doubtful.Doubt = "life=10 may not hold"
	given := func(e *api.Expected) []api.Update {
		return []api.Update{{Device: 0xA1, ExpectedAt: &noon, Expected: e}}
	}
	for _, tt := range []struct {
		expected *api.Expected
		force    bool
		want     string
	}{
		{nil, true, ""},
		{&late, false, ""},
		{&late, true, "00000000000000A1: complete by 2026-01-05T12:00:00Z, 3 windows, 50 µAh if it takes a downgrade; if not, all that is spent for nothing"},
		{&doubtful, false, "00000000000000A1: life=10 may not hold"},
		{&api.Expected{Never: true}, true, "00000000000000A1: complete never: the pacing leaves nothing for it"},
	} {
		if got := strings.Join(OrderText(given(tt.expected), tt.force), "\n"); got != tt.want {
			t.Errorf("%+v: %q, want %q", tt.expected, got, tt.want)
		}
	}
	if got := NoteText(api.Update{Expected: &doubtful}); got != doubtful.Doubt {
		t.Errorf("noted %q", got)
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{count(uint32(999)), "999"}, {count(uint32(1234567)), "1,234,567"}, {plural(1, "block"), "1 block"}, {plural(2000, "block"), "2,000 blocks"},
		{span(9900 * time.Millisecond), "9.9 s"}, {span(59 * time.Second), "59 s"}, {span(61 * time.Second), "1 min 01 s"},
		{span(25 * time.Hour), "25 h 00 min"}, {span(72 * time.Hour), "3 days"}, {span(-time.Second), "0.0 s"},
		{countdown(61 * time.Second), "01:01"}, {countdown(time.Hour), "1:00:00"},
		{fmt.Sprint(percent(1, 1000)), "1"}, {fmt.Sprint(percent(999, 1000)), "99"}, {fmt.Sprint(percent(0, 0)), "0"}, {fmt.Sprint(percent(5, 5)), "100"},
		{linkText(api.Device{}, noon), "not joined yet"}, {linkText(api.Device{LastHeard: &noon}, noon.Add(time.Minute)), "no session, heard 1 min 00 s ago"},
		{linkText(api.Device{Kind: "BRIDGED"}, noon), "through a bridge, not heard of yet"},
		{linkText(api.Device{Kind: "BRIDGED", LastHeard: &noon}, noon.Add(time.Minute)), "through a bridge, heard 1 min 00 s ago"},
		{linkText(api.Device{Connected: true, Sleeps: true}, noon), "asleep, its heartbeat is not known yet"},
		{linkText(api.Device{Connected: true, Sleeps: true, Awake: true}, noon), "awake, window open"},
		{linkText(api.Device{Connected: true, Sleeps: true, Overdue: true, OverdueSince: &noon}, noon.Add(90*time.Second)), "overdue by 01:30"},
		{linkText(api.Device{Connected: true, Sleeps: true, Overdue: true, OverdueSince: &noon, LastHeard: ptr(noon.Add(-time.Hour))}, noon.Add(90*time.Second)), "silent since 11:00:00, overdue by 01:30"},
		{ExpectedText(api.Update{}), "-"}, {ExpectedText(api.Update{ExpectedAt: &noon, Expected: &api.Expected{Windows: 0.8, Charge: 6}}), "2026-01-05T12:00:00Z, 1 window, 6 µAh"}, {ChargeText(nil), "-"},
		{since(noon, noon.Add(24*time.Hour)), "5 Jan 12:00"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}
