package systemtest

import (
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/trace"
)

// TestNoWindowIsWasted compares the windows used with the least possible number:
// the blocks' radio-on time over what a window has for them.
func TestNoWindowIsWasted(t *testing.T) {
	im := exactImage(t, 256<<10)
	for _, name := range battery.Names() {
		for _, budget := range []time.Duration{5 * time.Second, 10 * time.Second, 30 * time.Second} {
			set := must(battery.Named(name))
			policy := gasproxy.Radio(budget)
			least := leastWindows(set, budget, 5462)
			if got := (paced{set: set, policy: policy, image: im, seed: 1}).run(t); got.windows != least {
				t.Errorf("%s %s: %d windows without loss, the least possible is %d", name, policy, got.windows, least)
			}
		}
	}
}

// needsTime skips a test of statistics or tables with -short: hundreds of runs of
// the same machines, each in one goroutine, tell the race detector and another
// processor nothing that a single run does not.
func needsTime(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("hundreds of runs; without -short")
	}
}

// TestLossCostsFewWindows: at 5 % loss the windows used are at most 1.05 times the
// least possible number at that loss, in which every frame that arrives is one
// that was needed: each block is paid for once, and once more for each of its
// answers that was lost.
func TestLossCostsFewWindows(t *testing.T) {
	needsTime(t)
	const loss, seeds = 0.05, 30
	im := exactImage(t, 256<<10)
	for _, name := range []string{"2.4ghz-new", "868-gb"} {
		set := must(battery.Named(name))
		used, least := 0, 0
		for seed := range uint64(seeds) {
			got := paced{set: set, policy: gasproxy.Radio(5 * time.Second), image: im, loss: share(loss), seed: seed + 1}.run(t)
			used += got.windows
			least += leastWindows(set, 5*time.Second, 5462+int(got.progress.Repeats))
		}
		ratio := float64(used) / float64(least)
		t.Logf("%s: %d windows in %d runs, the least possible number is %d: %.3f", name, used, seeds, least, ratio)
		if ratio > 1.05 {
			t.Errorf("%s: %.3f times the least possible number of windows, want at most 1.05", name, ratio)
		}
	}
}

// leastWindows returns the least number of windows for so many block exchanges
// under a limit on radio-on time: each window has a report and its answer, what the
// meter spent, and all but the last a request that is told to wait.
func leastWindows(set battery.Set, budget time.Duration, exchanges int) int {
	const report, flags, wait, spent = 64, 28, 14, 48
	block := set.Block(hub.DefaultConfig().BlockSize).Cost.RadioOn()
	fixed := set.Radio.Exchange(report, flags).RadioOn() + set.Radio.Send(spent).RadioOn() + set.Radio.Exchange(blockRequest, wait).RadioOn()
	perWindow := int((budget - fixed) / block)
	return (exchanges + perWindow - 1) / perWindow
}

// TestAResumeFetchesAtMostOneBlockTwice interrupts a download in every way there
// is, many times, and counts the blocks that were served more than once.
func TestAResumeFetchesAtMostOneBlockTwice(t *testing.T) {
	im := exactImage(t, 64<<10)
	set := must(battery.Named("2.4ghz-new"))
	interruptions := 0
	var home *virtual.Home
	run := paced{set: set, policy: gasproxy.Radio(time.Second), image: im, seed: 1, before: func(s *virtual.Home) { home = s }}
	run.each = func(s *virtual.Home, _ *trace.Record) {
		interruptions++
		at := s.Now().Add(30*time.Minute + 300*time.Millisecond) // in the middle of the next window's blocks
		switch interruptions % 3 {
		case 0:
			s.Schedule(at, func() { s.Cut(theGSME, time.Second) })
		case 1:
			s.Schedule(at, func() { s.Cut(hub.DefaultConfig().EUI64, time.Second) })
		case 2:
			s.Schedule(at, func() { s.Partition(theGSME, true) })
			s.Schedule(at.Add(time.Minute), func() { s.Partition(theGSME, false) })
		}
	}
	got := run.run(t)
	least := (64<<10 + 47) / 48
	t.Logf("%d interruptions, %d blocks stored of %d", interruptions, got.blocks, least)
	if !got.done || interruptions < 20 {
		t.Fatalf("done %v after %d interruptions, want a finished download after 20 or more", got.done, interruptions)
	}
	if again := got.blocks - least; again < 0 || again > interruptions {
		t.Errorf("%d blocks were fetched again after %d interruptions, want at most one each", again, interruptions)
	}
	_ = home
}

// TestLifeNeverFallsUnder: whatever the loss, the life that the meter projects at
// the end of each window in which blocks came, if all were like it, is never under
// the one asked for.
func TestLifeNeverFallsUnder(t *testing.T) {
	im := exactImage(t, 96<<10)
	for _, name := range battery.Names() {
		for _, years := range []int{5, 8, 10} {
			for _, loss := range []float64{0, 0.1} {
				set := must(battery.Named(name))
				least, windows := int64(1<<62), 0
				run := paced{set: set, policy: gasproxy.Life(years), image: im, loss: share(loss), seed: 1}
				run.each = func(s *virtual.Home, r *trace.Record) {
					windows++
					least = min(least, s.Ledger(theGSME).DaysLeft(battery.Charge(r.Charge), gsme.DefaultPeriod))
				}
				got := run.run(t)
				t.Logf("%s life=%d at %v loss: %d windows, least projected life %.2f years", name, years, loss, windows, float64(least)/365.25)
				if want := int64(years) * 8766 / 24; !got.done || least < want {
					t.Errorf("%s life=%d at %v loss: done %v, a window projects %d days, want %d", name, years, loss, got.done, least, want)
				}
			}
		}
	}
}

// TestLifeHoldsForAMeterThatListens for its answers, and pays for each that gets lost with its
// receiver on for as long as it has patience: more than many blocks take. Single windows come
// out above what they should take, since the hub hears of it too late; all of them together
// do not, but for 3 %, if a lost answer takes less than a third of a window's share.
func TestLifeHoldsForAMeterThatListens(t *testing.T) {
	im := exactImage(t, 32<<10)
	for _, tt := range []struct {
		set   string
		years int
	}{{"2.4ghz-new", 5}, {"2.4ghz-new", 8}, {"2.4ghz-new", 10}, {"2.4ghz-old", 5}, {"868-gb", 5}, {"868-gb", 8}} {
		for _, loss := range []float64{0, 0.1, 0.2, 0.3} {
			set := must(battery.Named(tt.set))
			set.Radio.Listening = true
			var home *virtual.Home
			run := paced{set: set, policy: gasproxy.Life(tt.years), image: im, loss: share(loss), seed: 1, limit: 60 * 24 * time.Hour}
			run.before = func(s *virtual.Home) { home = s }
			windows := 0
			run.each = func(*virtual.Home, *trace.Record) { windows++ }
			got := run.run(t)
			ledger := home.Ledger(theGSME)
			beats := home.Now().Sub(storyStart) / gsme.DefaultPeriod
			fresh := battery.NewLedger(set, storyStart)
			life := float64(fresh.DaysLeft(ledger.Active()/battery.Charge(beats), gsme.DefaultPeriod)) / 365.25
			t.Logf("%s life=%d at %v loss: done %v in %d windows of %d, %.2f years", tt.set, tt.years, loss, got.done, windows, beats, life)
			if !got.done || life < 0.97*float64(tt.years) {
				t.Errorf("%s life=%d at %v loss: done %v, %.2f years if all goes on like this", tt.set, tt.years, loss, got.done, life)
			}
		}
	}
}

// TestLifeThatCannotBeReachedGetsNothing: a cell that will not last so long in any
// case is not drawn on.
func TestLifeThatCannotBeReachedGetsNothing(t *testing.T) {
	got := paced{
		set: must(battery.Named("2.4ghz-new")), policy: gasproxy.Life(35), image: exactImage(t, 16<<10), seed: 1, limit: 48 * time.Hour,
	}.run(t)
	if got.blocks != 0 || got.waits < 10 || !got.prediction.Never {
		t.Errorf("%d blocks, told to wait %d times, predicted never %v; want no blocks", got.blocks, got.waits, got.prediction.Never)
	}
}
