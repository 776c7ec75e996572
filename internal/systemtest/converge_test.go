package systemtest

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/trace"
)

// foreseen is what was foreseen of the end of a download: when it was distributed, and
// when a quarter, a half and three quarters of it were served.
type foreseen struct {
	at [4]time.Time
	// lossless is what would have been foreseen at a quarter on a link that loses nothing.
	lossless time.Time
}

// foresee has a download note its forecasts as it goes on.
func (p *paced) foresee(t *testing.T) *foreseen {
	out := &foreseen{}
	mark := 0
	note := func(home *virtual.Home) {
		u, _ := home.Store().Update(theGSME, p.image.FileHash)
		l, ok := home.Hub().Load(home.Now(), u)
		if !ok {
			t.Fatal("nothing to foresee")
		}
		out.at[mark] = gasproxy.Predict(p.policy, l).CompletesAt
		if l.Loss = 0; mark == 1 {
			out.lossless = gasproxy.Predict(p.policy, l).CompletesAt
		}
		mark++
	}
	p.before = note
	p.each = func(home *virtual.Home, _ *trace.Record) {
		u, _ := home.Store().Update(theGSME, p.image.FileHash)
		if quarters := int(4 * uint64(home.HeadEnd().Progress(u).Offset) / uint64(p.image.Header.TotalSize)); mark < len(out.at) && quarters >= mark {
			note(home)
		}
	}
	return out
}

// TestForecastsConverge: the further a download is, the nearer the forecast of its end is
// to what comes of it, because there is less to come and because the loss is measured.
// Errors are root mean squares over seeds, in heartbeats of some 37 to 78; the bounds
// leave a third over what was measured.
func TestForecastsConverge(t *testing.T) {
	const seeds = 40
	im := exactImage(t, 128<<10)
	for _, tt := range []struct {
		set, policy string
		loss        float64
		most        [3]float64 // at a quarter, a half and three quarters
	}{
		{"2.4ghz-new", "radio=800ms", 0, [3]float64{0.1, 0.1, 0.1}},
		{"2.4ghz-new", "radio=800ms", 0.1, [3]float64{1.5, 1, 1}},
		{"2.4ghz-new", "radio=800ms", 0.2, [3]float64{5.5, 3.5, 3}},
		{"868-gb", "radio=5s", 0, [3]float64{0.1, 0.1, 0.1}},
		{"868-gb", "radio=5s", 0.1, [3]float64{2, 1.5, 1}},
		{"868-gb", "radio=5s", 0.2, [3]float64{4, 3, 2}},
		{"2.4ghz-new", "blocks=60", 0.2, [3]float64{2.5, 2, 2}},
	} {
		var squares [4]float64
		var lossless, periods float64
		for seed := range uint64(seeds) {
			run := paced{set: must(battery.Named(tt.set)), policy: must(gasproxy.ParsePolicy(tt.policy)), image: im, loss: share(tt.loss), seed: seed + 1}
			f := run.foresee(t)
			got := run.run(t)
			if !got.done {
				t.Fatalf("%s %s, seed %d: not done", tt.set, tt.policy, seed+1)
			}
			end := storyStart.Add(pacedAhead + got.after)
			periods += got.after.Hours() * 2 / seeds
			off := func(foreseen time.Time) float64 {
				if foreseen.IsZero() {
					t.Fatalf("%s %s, seed %d: a forecast is missing: %v", tt.set, tt.policy, seed+1, f.at)
				}
				beats := end.Sub(foreseen).Hours() * 2
				return beats * beats / seeds
			}
			for i, at := range f.at {
				squares[i] += off(at)
			}
			lossless += off(f.lossless)
		}
		var rms [4]float64
		for i := range squares {
			rms[i] = math.Sqrt(squares[i])
		}
		t.Logf("%-10s %-11s %2.0f %% loss, %5.1f heartbeats: off by %5.2f at the distribution, then %4.2f, %4.2f, %4.2f; without the loss measured %5.2f",
			tt.set, tt.policy, 100*tt.loss, periods, rms[0], rms[1], rms[2], rms[3], math.Sqrt(lossless))
		for i, most := range tt.most {
			if rms[i+1] > most {
				t.Errorf("%s %s at %.0f %% loss: off by %.2f heartbeats at %d %%, want at most %.1f", tt.set, tt.policy, 100*tt.loss, rms[i+1], 25*(i+1), most)
			}
			if rms[i+1] > rms[i] {
				t.Errorf("%s %s at %.0f %% loss: off by %.2f heartbeats at %d %%, by %.2f before", tt.set, tt.policy, 100*tt.loss, rms[i+1], 25*(i+1), rms[i])
			}
		}
		if guess := math.Sqrt(lossless); tt.loss > 0 && rms[1] > guess/2 {
			t.Errorf("%s %s at %.0f %% loss: off by %.2f heartbeats with the loss measured, by %.2f without", tt.set, tt.policy, 100*tt.loss, rms[1], guess)
		}
	}
}

// TestForecastsAreNotBiased: once a quarter of a download is served, half of the forecasts of
// its end come early and half of them late, whatever is lost: the middle one is off by
// a heartbeat, or by 3 % of those that the download takes.
func TestForecastsAreNotBiased(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of downloads")
	}
	const seeds = 40
	im := exactImage(t, 128<<10)
	for _, tt := range []struct{ set, policy string }{{"2.4ghz-new", "radio=800ms"}, {"868-gb", "radio=5s"}, {"2.4ghz-new", "blocks=60"}} {
		for _, loss := range []float64{0, 0.1, 0.2, 0.3} {
			var off [4][]float64 // in heartbeats, late forecasts below 0
			var took []float64
			for seed := range uint64(seeds) {
				run := paced{set: must(battery.Named(tt.set)), policy: must(gasproxy.ParsePolicy(tt.policy)), image: im, loss: share(loss), seed: seed + 1}
				f := run.foresee(t)
				got := run.run(t)
				if !got.done {
					t.Fatalf("%s %s, seed %d: not done", tt.set, tt.policy, seed+1)
				}
				took = append(took, 2*got.after.Hours())
				for i, at := range f.at {
					off[i] = append(off[i], 2*storyStart.Add(pacedAhead+got.after).Sub(at).Hours())
				}
			}
			all := median(took)
			t.Logf("%-10s %-11s %2.0f %% loss, %5.1f heartbeats: off by %+.2f, %+.2f, %+.2f",
				tt.set, tt.policy, 100*loss, all, median(off[1]), median(off[2]), median(off[3]))
			for i := 1; i < len(off); i++ {
				if most := max(1, 0.03*all); math.Abs(median(off[i])) > most {
					t.Errorf("%s %s at %.0f %% loss: at %d %% the middle forecast is off by %+.2f heartbeats, want at most %.1f", tt.set, tt.policy, 100*loss, 25*i, median(off[i]), most)
				}
			}
		}
	}
}

// median sorts its argument.
func median(v []float64) float64 {
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
