package play

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const streetText = "devices: {gas: {kind: GSME}, display: {kind: IHD}, power: {kind: ESME}}\n" +
	"image: {size: 8KiB}\nlink: {loss: 10%}\nexpect: {retries_at_most: 45, version: 02000000}\n"

// TestAStreetIsItsHomes: its figures are those of the homes played one by one, and
// the same however often, whichever home ends first.
func TestAStreetIsItsHomes(t *testing.T) {
	const homes, first = 40, 7
	s := stage(t, "x.yaml", streetText)
	got, err := s.Street(context.Background(), first, homes, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Street(context.Background(), first, homes, nil)
	if diff := cmp.Diff(got, again); err != nil || diff != "" {
		t.Errorf("two streets differ:\n%s", diff)
	}
	var charge, windows []float64
	failed := map[string]int{}
	for seed := range uint64(homes) {
		r, err := s.Play(first+seed, Options{})
		if err != nil {
			t.Fatal(err)
		}
		charge, windows = append(charge, r.Meter("gas").Charge), append(windows, float64(r.Meter("gas").Windows))
		for _, f := range r.Failures {
			failed[f.Meter+" "+f.Expectation]++
		}
	}
	slices.Sort(charge)
	gas := got.Meters[0]
	if gas.Name != "gas" || gas.Charge.Min != charge[0] || gas.Charge.P50 != charge[homes/2-1] || gas.Charge.Max != charge[homes-1] {
		t.Errorf("charge %+v, want %v, %v, %v", gas.Charge, charge[0], charge[homes/2-1], charge[homes-1])
	}
	if gas.Windows.Max != slices.Max(windows) || gas.Complete.Homes != homes || gas.States["activated"] != homes || len(got.Meters) != 2 {
		t.Errorf("gas meters %+v", gas)
	}
	if worst, err := s.Play(gas.Charge.MaxSeed, Options{}); err != nil || worst.Meter("gas").Charge != gas.Charge.Max {
		t.Errorf("seed %d has not the greatest charge", gas.Charge.MaxSeed)
	}
	if len(failed) == 0 || len(got.Failures) != len(failed) {
		t.Errorf("failures %v, want %v", got.Failures, failed)
	}
	for _, f := range got.Failures {
		if f.Homes != failed[f.Meter+" "+f.Expectation] {
			t.Errorf("%s fails in %d homes, want %d", f.Expectation, f.Homes, failed[f.Meter+" "+f.Expectation])
		}
	}
}

func TestPercentilesAreByNearestRank(t *testing.T) {
	var all []figure
	for i := range 200 {
		all = append(all, figure{float64(i + 1), uint64(i)})
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	want := Spread{Homes: 200, Min: 1, P50: 100, P90: 180, P99: 198, Max: 200, MaxSeed: 199}
	if got := spreadOf(all); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := spreadOf([]figure{{5, 3}}); got != (Spread{1, 5, 5, 5, 5, 5, 3}) {
		t.Errorf("of one: %+v", got)
	}
}

func TestAStreetCanBeInterrupted(t *testing.T) {
	s := stage(t, "x.yaml", streetText)
	ctx, cancel := context.WithCancel(context.Background())
	var n atomic.Int64
	street, err := s.Street(ctx, 1, 10_000, func() {
		if n.Add(1) == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || street != nil || n.Load() > 20 {
		t.Errorf("%d homes, error %v", n.Load(), err)
	}
}

// TestHomesWakeAtAllTimesOfTheirPeriod: neighbouring seeds are not alike.
func TestHomesWakeAtAllTimesOfTheirPeriod(t *testing.T) {
	s := stage(t, "x.yaml", "devices: {gas: {kind: GSME}}\nimage: {size: 4KiB}\n")
	street, err := s.Street(context.Background(), 1, 200, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := street.Meters[0].Complete
	if c.Min > 60 || c.P50 < 12*60 || c.P50 > 18*60 || c.Max < 29*60 || c.Max > 31*60 {
		t.Errorf("4 KiB is complete after %+v, want it spread over half an hour", c)
	}
}
