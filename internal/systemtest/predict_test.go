package systemtest

import (
	"math"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/home/virtual"
)

// A policy of each kind, so that a small image takes several windows of each.
var predictedPolicies = []struct {
	set, policy string
}{
	{"2.4ghz-new", "radio=800ms"}, {"2.4ghz-new", "blocks=60"}, {"2.4ghz-new", "life=11"}, {"2.4ghz-new", "deadline=48h"},
	{"2.4ghz-old", "radio=1s"},
	{"868-gb", "radio=5s"}, {"868-gb", "blocks=60"}, {"868-gb", "life=10"}, {"868-gb", "deadline=48h"},
}

func TestPredictionAndSimulationAgreeWithoutLoss(t *testing.T) {
	images := []int{64 << 10, 256 << 10}
	for _, tt := range predictedPolicies {
		for _, size := range images {
			p := must(gasproxy.ParsePolicy(tt.policy))
			got := paced{set: must(battery.Named(tt.set)), policy: p, image: exactImage(t, size), seed: 1}.run(t)
			want := got.prediction
			expected := want.CompletesAt.Sub(storyStart.Add(pacedAhead))
			t.Logf("%-10s %-12s %3d kB: %3d windows, predicted %3.0f; %v, predicted %v; %.4f mAh, predicted %.4f", tt.set, tt.policy, size>>10,
				got.windows, want.Windows, got.after.Round(time.Second), expected.Round(time.Second), mAh(got.charge), mAh(want.Charge))
			if !got.done || math.Abs(float64(got.windows)-want.Windows) > 1 {
				t.Errorf("%s %s: done %v in %d windows, predicted %v", tt.set, tt.policy, got.done, got.windows, want.Windows)
			}
			if d := got.after - expected; d.Abs() > hub.DefaultConfig().MailboxTime/48 {
				t.Errorf("%s %s: complete after %v, predicted %v", tt.set, tt.policy, got.after, expected)
			}
			if off := float64(got.charge)/float64(want.Charge) - 1; math.Abs(off) > 0.007 {
				t.Errorf("%s %s: %.4f mAh, predicted %.4f", tt.set, tt.policy, mAh(got.charge), mAh(want.Charge))
			}
		}
	}
}

// TestPredictionAndSimulationAgreeAtTenPercentLoss compares the means of 200 seeds
// with the prediction for a link that loses a tenth of all frames.
func TestPredictionAndSimulationAgreeAtTenPercentLoss(t *testing.T) {
	needsTime(t)
	const loss, seeds = 0.1, 200
	im := exactImage(t, 96<<10)
	for _, tt := range predictedPolicies {
		p := must(gasproxy.ParsePolicy(tt.policy))
		var windows, hours, charge float64
		var want gasproxy.Prediction
		for seed := range uint64(seeds) {
			run := paced{set: must(battery.Named(tt.set)), policy: p, image: im, loss: share(loss), seed: seed + 1}
			run.before = func(home *virtual.Home) {
				update, _ := home.Store().Update(theGSME, im.FileHash)
				l, ok := home.Hub().Load(home.Now(), update)
				if !ok {
					t.Fatal("nothing to predict")
				}
				l.Loss = loss
				// The heartbeat before may have been lost; the meter keeps its rhythm all the same.
				l.Next = storyStart.Add(time.Hour)
				want = gasproxy.Predict(p, l)
			}
			got := run.run(t)
			if !got.done {
				t.Fatalf("seed %d: %s: not done", seed+1, tt.policy)
			}
			windows += float64(got.windows) / seeds
			hours += got.after.Hours() / seeds
			charge += float64(got.charge) / seeds
		}
		expected := want.CompletesAt.Sub(storyStart.Add(pacedAhead)).Hours()
		t.Logf("%-10s %-12s %6.2f windows, predicted %6.2f; %6.2f h, predicted %6.2f; %.4f mAh, predicted %.4f",
			tt.set, tt.policy, windows, want.Windows, hours, expected, charge/3.6e9, mAh(want.Charge))
		for what, pair := range map[string][2]float64{
			"windows": {windows, want.Windows}, "hours": {hours, expected}, "charge": {charge, float64(want.Charge)},
		} {
			if off := pair[0]/pair[1] - 1; math.Abs(off) > 0.05 {
				t.Errorf("%s %s: %s %.4g on average of %d seeds, predicted %.4g", tt.set, tt.policy, what, pair[0], seeds, pair[1])
			}
		}
	}
}

func mAh(c battery.Charge) float64 { return c.MicroampHours() / 1000 }
