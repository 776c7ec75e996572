package observe_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// kept returns a home whose store keeps history, and how often something was committed.
func kept(t *testing.T) (h *home, commits *int) {
	t.Helper()
	h = newHome(t)
	for _, eui := range []han.EUI64{gsme, esme} {
		h.put(store.Update{Device: eui, FileHash: image, State: store.UpdateDownloading})
	}
	h.store.Accompany(h.o.Along)
	h.keep(start, false)
	commits = new(int)
	h.store.Watched(func() func(error) { *commits++; return func(error) {} })
	return h, commits
}

func (h *home) keep(at time.Time, all bool) {
	h.t.Helper()
	if err := h.o.Keep(at, all); err != nil {
		h.t.Fatal(err)
	}
}

// beat is a heartbeat with its commit of the mirror.
func (h *home) beat(at time.Time) {
	h.t.Helper()
	h.put(store.Mirror{Device: gsme, UpdatedAt: at.UnixMicro(), Attributes: []store.MirrorAttribute{
		{ID: metering.AttributeCurrentSummationDelivered, Number: uint64(at.Sub(start) / time.Minute)},
	}})
	h.report(at, gsme)
}

// restart is what a hub that was killed does first.
func (h *home) restart(now time.Time) {
	h.o = observe.New(hub.DefaultConfig(), h.store, now)
	h.store.Accompany(h.o.Along)
}

// window is a heartbeat in which n blocks from an offset on are served, and its end.
func (h *home) window(at time.Time, offset, n uint32) {
	h.beat(at)
	for i := range n {
		h.serve(at.Add(time.Duration(i+1)*time.Second+time.Nanosecond), gsme, offset+i*48, 48)
	}
	h.wait(at.Add(time.Minute), gsme, 1740)
	h.keep(at.Add(time.Minute), false)
}

// TestAMeterThatWakesAfterARestartHasAWindowOfItsOwn, however soon after it was told to wait:
// as one does whose power was cut together with the hub's. The hub counts it too.
func TestAMeterThatWakesAfterARestartHasAWindowOfItsOwn(t *testing.T) {
	h, _ := kept(t)
	h.window(start, 0, 2)
	h.restart(start.Add(2 * time.Minute))
	h.window(start.Add(3*time.Minute), 96, 2)
	windows := h.timeline(gsme, start.Add(10*time.Minute)).Windows
	if len(windows) != 2 || windows[0].Blocks != 2 || windows[1].Blocks != 2 {
		t.Errorf("%+v, want two windows of two blocks", windows)
	}
}

func TestATransferOutlivesTheHub(t *testing.T) {
	h, _ := kept(t)
	for i := range uint32(3) {
		h.window(start.Add(time.Duration(i)*30*time.Minute), i*96, 2)
	}
	now := start.Add(70 * time.Minute)
	before := h.timeline(gsme, now)
	readings, since, _ := h.o.History(gsme)
	seen, _ := h.o.Device(gsme, now)
	h.restart(now)
	if diff := cmp.Diff(before, h.timeline(gsme, now)); diff != "" {
		t.Errorf("timeline: %s", diff)
	}
	after, sinceAfter, _ := h.o.History(gsme)
	if diff := cmp.Diff(readings, after); diff != "" || !since.Equal(sinceAfter) || len(after) != 3 {
		t.Errorf("%d readings since %v, before since %v: %s", len(after), sinceAfter, since, diff)
	}
	if d, _ := h.o.Device(gsme, now); !d.WindowAt.Equal(seen.WindowAt) {
		t.Errorf("last window at %v, before at %v", d.WindowAt, seen.WindowAt)
	}

	h.window(start.Add(90*time.Minute), 288, 2)
	v := h.timeline(gsme, start.Add(100*time.Minute))
	if w := v.Windows[3]; len(v.Windows) != 4 || w.Number != 4 || !w.Resumed || w.ResumedAt != 288 || w.Interrupted || !v.Complete {
		t.Errorf("goes on with %+v, complete %v", w, v.Complete)
	}
}

// The hub is killed in the middle of a window: what was served in it is missing, and
// said to be. The meter goes on, in that window or a later one.
func TestAWindowInWhichTheHubIsKilledIsNotRecorded(t *testing.T) {
	for _, test := range []struct {
		name  string
		again time.Duration // after the start of the window
		last  observe.Window
	}{
		{"goes on in the window", time.Minute, observe.Window{Number: 2, Blocks: 1, Bytes: 48, Interrupted: true, Resumed: true, ResumedAt: 192}},
		{"goes on in the next", 30 * time.Minute, observe.Window{Number: 3, Blocks: 1, Bytes: 48, Resumed: true, ResumedAt: 192}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, _ := kept(t)
			h.window(start, 0, 2)
			at := start.Add(30 * time.Minute)
			h.beat(at)
			h.serve(at, gsme, 96, 48)
			h.serve(at, gsme, 144, 48)
			h.restart(at.Add(time.Second))
			v := h.timeline(gsme, at)
			if w := v.Windows[len(v.Windows)-1]; len(v.Windows) != 2 || w.Number != 2 || !w.OpenedAt.Equal(at) || !w.Interrupted || w.Blocks != 0 {
				t.Fatalf("the window under way is listed as %+v", w)
			}
			again := at.Add(test.again)
			h.beat(again)
			h.serve(again, gsme, 192, 48)
			v = h.timeline(gsme, again)
			got := v.Windows[len(v.Windows)-1]
			got.OpenedAt, got.EndedAt, got.RadioOn, got.Runs = time.Time{}, time.Time{}, 0, nil
			if diff := cmp.Diff(test.last, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]ota.Run{{From: 96, To: 192}}, v.Missed); diff != "" || v.Complete || !v.Windows[1].Interrupted {
				t.Errorf("complete %v, %+v: %s", v.Complete, v.Windows[1], diff)
			}
		})
	}
}

// A meter that was told to sleep through its next window, or woke for nothing new, has
// no window under way when the hub is killed.
func TestNoWindowIsMadeUp(t *testing.T) {
	h, _ := kept(t)
	h.beat(start)
	h.serve(start, gsme, 0, 48)
	h.wait(start.Add(time.Second), gsme, 7200)
	h.keep(start.Add(time.Second), false)
	h.beat(start.Add(30 * time.Minute))
	h.restart(start.Add(31 * time.Minute))
	if v := h.timeline(gsme, start); len(v.Windows) != 1 {
		t.Errorf("%+v", v.Windows)
	}
	h.record(start, trace.Record{Kind: trace.TransferDone, Peer: uint64(gsme)})
	if v := h.timeline(gsme, start); len(v.Missed) != 1 || v.Missed[0] != (ota.Run{From: 48, To: size}) {
		t.Errorf("the meter has all, and %+v of it was not recorded", v.Missed)
	}
}

func TestADownloadOnMainsThatIsCutShort(t *testing.T) {
	h, _ := kept(t)
	h.serve(start, esme, 0, 48)
	h.keep(start, false)
	h.restart(start.Add(time.Second))
	if v := h.timeline(esme, start); len(v.Windows) != 1 || !v.Windows[0].Interrupted {
		t.Errorf("%+v", v.Windows)
	}
	h.serve(start.Add(time.Second), esme, 48, 48)
	if v := h.timeline(esme, start); len(v.Missed) != 1 || v.Missed[0] != (ota.Run{To: 48}) {
		t.Errorf("missed %+v", v.Missed)
	}
}

// Nothing is written per block, and a heartbeat has the one commit of its mirror.
func TestWhenHistoryIsWritten(t *testing.T) {
	h, commits := kept(t)
	expect := func(what string, n int) {
		t.Helper()
		if *commits != n {
			t.Errorf("%s: %d commits, want %d", what, *commits, n)
		}
		*commits = 0
	}
	h.beat(start)
	h.keep(start, false)
	expect("a heartbeat", 1)
	for i := range uint32(50) {
		h.serve(start, gsme, i*48, 48)
		h.keep(start, false)
	}
	expect("50 blocks", 0)
	h.wait(start, gsme, 1800)
	h.keep(start, false)
	expect("the end of the window", 1)
	at := start.Add(30 * time.Minute)
	h.beat(at)
	h.wait(at, gsme, 1800)
	h.keep(at, false)
	h.keep(at.Add(10*time.Minute), false)
	expect("a window in which nothing was served", 1)
	at = start.Add(60 * time.Minute)
	h.beat(at)
	h.serve(at, gsme, 2400, 48)
	h.keep(at.Add(10*time.Second), false)
	expect("the meter may still ask", 1)
	h.keep(at.Add(time.Minute), false)
	expect("it fell silent", 1)
	if w := h.store.Windows(); len(w) != 3 || w[1].Waits != 1 || w[2].Blocks != 1 {
		t.Errorf("%+v", w)
	}
}

func TestWhatIsKeptInTheStoreIsBounded(t *testing.T) {
	h, _ := kept(t)
	for i := range uint32(1600) {
		at := start.Add(time.Duration(i) * 30 * time.Minute)
		h.beat(at)
		h.serve(at, gsme, i, 1)
		h.wait(at, gsme, 1800)
		h.keep(at, false)
	}
	if n := len(h.store.Windows()); n != 512 {
		t.Errorf("%d windows", n)
	}
	if r := h.store.ReadingsOf(gsme); len(r) != 1500 || r[0].At != start.Add(100*30*time.Minute).UnixMicro() {
		t.Errorf("%d readings", len(r))
	}
	before := h.timeline(gsme, start)
	h.restart(start)
	if diff := cmp.Diff(before, h.timeline(gsme, start)); diff != "" {
		t.Error(diff)
	}
	for i := range byte(100) {
		u := store.Update{Device: gsme, FileHash: [32]byte{2, i}}
		h.put(u)
		h.record(start.Add(time.Duration(i)), trace.Record{Kind: trace.DistributionStarted, Peer: uint64(gsme), Hash: u.FileHash})
	}
	h.keep(start, false)
	if n := len(h.store.Timelines()); n != 64 {
		t.Errorf("%d timelines", n)
	}
}

func TestADeviceThatLeavesTakesItsHistoryAlong(t *testing.T) {
	for _, killed := range []bool{false, true} {
		h, _ := kept(t)
		h.window(start, 0, 2)
		if err := h.store.Commit(store.Delete(store.Device{EUI64: gsme}), store.Delete(store.Update{Device: gsme, FileHash: image})); err != nil {
			t.Fatal(err)
		}
		if killed {
			h.restart(start)
		} else {
			h.record(start, trace.Record{Kind: trace.DeviceRemoved, Peer: uint64(gsme)})
		}
		h.keep(start, false)
		if r, w, k := h.store.Readings(), h.store.Windows(), h.store.Timelines(); len(r)+len(w) > 0 || len(k) != 1 || k[0].Device != esme {
			t.Errorf("killed %v: %v, %v, %v", killed, r, w, k)
		}
	}
}

// An image that is distributed again begins a timeline of its own.
func TestDistributedAgainTheTimelineBeginsAnew(t *testing.T) {
	h, _ := kept(t)
	h.window(start, 0, 2)
	h.window(start.Add(30*time.Minute), 96, 2)
	h.record(start.Add(time.Hour), trace.Record{Kind: trace.DistributionStarted, Peer: uint64(gsme), Hash: image})
	h.window(start.Add(time.Hour), 0, 2)
	if w := h.store.Windows(); len(w) != 1 || w[0].Number != 1 || w[0].OpenedAt != start.Add(time.Hour).UnixMicro() {
		t.Errorf("%+v", w)
	}
}

// What could not be written is written later, whatever happened meanwhile.
func TestAFullDiskLosesNoHistory(t *testing.T) {
	h, _ := kept(t)
	h.beat(start)
	h.serve(start, gsme, 0, 48)
	h.wait(start, gsme, 1800)
	full := store.NewMemory()
	if err := full.Close(); err != nil {
		t.Fatal(err)
	}
	whole := h.store
	observe.SetStore(h.o, full)
	if err := h.o.Keep(start, false); err == nil {
		t.Fatal("a closed store took it")
	}
	observe.SetStore(h.o, whole)
	h.keep(start.Add(time.Second), false)
	if w := h.store.Windows(); len(w) != 1 || w[0].Blocks != 1 {
		t.Errorf("%+v", w)
	}
}

// Wherever the hub is killed, a new one agrees with the one before on all windows that
// had ended, and on the numbers of all.
func TestKilledAnywhere(t *testing.T) {
	for seed := range uint64(300) {
		dice := rand.New(rand.NewPCG(seed, 7))
		h, _ := kept(t)
		offset, at := uint32(0), start
		for range 1 + dice.IntN(6) {
			at = at.Add(30 * time.Minute)
			h.beat(at)
			n := uint32(dice.IntN(4))
			for i := range n {
				h.serve(at.Add(time.Duration(i+1)*time.Second), gsme, offset, 48)
				offset += 48
			}
			h.wait(at.Add(10*time.Second), gsme, 1790)
			h.keep(at.Add(10*time.Second), false)
		}
		before := h.timeline(gsme, at.Add(time.Minute)).Windows
		h.restart(at.Add(time.Minute))
		after := h.timeline(gsme, at.Add(time.Minute)).Windows
		if len(before) != len(after) {
			t.Fatalf("seed %d: %d windows before, %d after", seed, len(before), len(after))
		}
		for i := range before {
			if w := after[i]; w.Number != before[i].Number || !w.OpenedAt.Equal(before[i].OpenedAt) {
				t.Fatalf("seed %d: %+v became %+v", seed, before[i], w)
			} else if diff := cmp.Diff(before[i], w); diff != "" && (i < len(before)-1 || before[i].Blocks > 0) {
				t.Fatalf("seed %d: window %d: %s", seed, w.Number, diff)
			}
		}
	}
}

// Messages that follow the last block cost radio time in the same window.
func TestRadioTimeAfterTheEndOfATransferIsKept(t *testing.T) {
	h, _ := kept(t)
	h.beat(start)
	h.serve(start, gsme, 0, 48)
	h.record(start, trace.Record{Kind: trace.TransferDone, Peer: uint64(gsme)})
	h.keep(start, false)
	h.wait(start.Add(time.Second), gsme, 0)
	now := start.Add(time.Minute)
	h.keep(now, false)
	before := h.timeline(gsme, now)
	h.restart(now)
	if diff := cmp.Diff(before, h.timeline(gsme, now)); diff != "" {
		t.Error(diff)
	}
}
