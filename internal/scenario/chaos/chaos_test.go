package chaos

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/judge"
	"github.com/commshub/commshub/internal/scenario/play"
)

// TestEachDrawnWorldIsAScenario, the same for the same seed, and another for another.
func TestEachDrawnWorldIsAScenario(t *testing.T) {
	seen := map[string]uint64{}
	kinds := map[Kind]bool{}
	for seed := range uint64(300) {
		for _, safety := range []bool{false, true} {
			p := Draw(seed, safety)
			text := p.Text("a comment")
			if _, err := homefile.Parse("drawn", []byte(text)); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, text)
			}
			if again := Draw(seed, safety); again.Text("a comment") != text {
				t.Errorf("seed %d gives two worlds", seed)
			}
			body := p.Text()
			if other, there := seen[body]; there {
				t.Errorf("seeds %d and %d give one world", seed, other)
			}
			seen[body] = seed
			for _, o := range p.Occurrences {
				kinds[o.Kind] = true
				if p.Heal > 0 && (o.At >= p.Heal || o.At+o.For >= p.Heal) {
					t.Errorf("seed %d: something happens after all is well:\n%s", seed, text)
				}
			}
		}
	}
	if len(kinds) != len(weights) {
		t.Errorf("%d kinds of occurrence were drawn, want %d", len(kinds), len(weights))
	}
}

// TestARunIsTheSameAgain, whichever processor plays which world.
func TestARunIsTheSameAgain(t *testing.T) {
	run := func() *Report {
		steps := make(chan struct{}, 20)
		r, err := Run(context.Background(), Options{First: 11, Seeds: 20, Step: func() { steps <- struct{}{} }})
		if err != nil || r.Played != 20 || len(steps) != 20 {
			t.Fatalf("%+v, %d steps, error %v", r, len(steps), err)
		}
		return r
	}
	first := run()
	if diff := cmp.Diff(first, run(), cmp.AllowUnexported(Finding{}, Plan{})); diff != "" {
		t.Errorf("two runs differ:\n%s", diff)
	}
	if first.Seen["block-received"] == 0 || first.Seen["power-cut"] == 0 {
		t.Errorf("nothing happened: %v", first.Seen)
	}
}

// TestARunCanBeInterrupted, and tells what it did.
func TestARunCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, err := Run(ctx, Options{First: 1, Seeds: 100_000, Step: cancel})
	if !errors.Is(err, context.Canceled) || r == nil || r.Played == 0 || r.Played > 50 {
		t.Errorf("%+v, error %v", r, err)
	}
}

// fake is a field on which a world fails if it has all of some occurrences, by their
// text.
func fake(needed ...string) (*field, *int) {
	tries := new(int)
	return &field{play: func(p *Plan) (*Finding, judge.Seen, error) {
		*tries++
		text := p.Text()
		if _, err := homefile.Parse("fake", []byte(text)); err != nil {
			return nil, nil, err
		}
		for _, n := range needed {
			if !strings.Contains(text, n) {
				return nil, judge.Seen{}, nil
			}
		}
		return &Finding{Seed: p.Seed, What: "a promise", Seeds: 1, plan: *p}, judge.Seen{}, nil
	}}, tries
}

// TestAWorldShrinksToWhatItTakes.
func TestAWorldShrinksToWhatItTakes(t *testing.T) {
	p := Draw(3, true)
	p.Occurrences = append(p.Occurrences,
		Occurrence{Kind: HubCrash, At: 31*time.Hour + 17*time.Second, N: 6, After: true},
		Occurrence{Kind: Cut, At: 33*time.Hour + 4*time.Minute, Device: p.Devices[0].Name, For: time.Hour})
	f, tries := fake("commit:", "moment: after", "power_cut: {device: "+p.Devices[0].Name+", off")
	finding, _, err := f.play(&p)
	if err != nil || finding == nil {
		t.Fatal(finding, err)
	}
	if err := f.shrink(context.Background(), finding); err != nil {
		t.Fatal(err)
	}
	got := finding.plan
	if len(got.Occurrences) != 2 || len(got.Devices) != 1 || len(got.Knobs) != 0 || got.Activate != 0 || *tries > 400 {
		t.Errorf("after %d tries:\n%s", *tries, finding.Scenario)
	}
	for _, o := range got.Occurrences {
		if o.At%(6*time.Hour) != 0 || o.For > time.Second || o.N > 1 {
			t.Errorf("not as simple as it gets: %+v", o)
		}
	}
	if last := got.Occurrences[1].At; !strings.Contains(finding.Inevitable, homefile.Duration(last).String()) {
		t.Errorf("%q, want the time of the last fault, %v", finding.Inevitable, last)
	}
	if lines := strings.Count(finding.Scenario, "\n"); lines > 12 {
		t.Errorf("%d lines:\n%s", lines, finding.Scenario)
	}
}

// TestAWorldThatFailsByItselfShrinksToNothing.
func TestAWorldThatFailsByItselfShrinksToNothing(t *testing.T) {
	f, _ := fake("devices:")
	p := Draw(5, false)
	finding, _, _ := f.play(&p)
	if err := f.shrink(context.Background(), finding); err != nil {
		t.Fatal(err)
	}
	if got := finding.plan; len(got.Occurrences) != 0 || got.Heal != 0 || !strings.Contains(finding.Inevitable, "from the start") {
		t.Errorf("%s", finding.Scenario)
	}
}

// TestOfOneKindOfFailureTheLowestSeedStays, however the worlds come in.
func TestOfOneKindOfFailureTheLowestSeedStays(t *testing.T) {
	r := &Report{}
	for _, f := range []Finding{{Seed: 7, What: "a"}, {Seed: 3, What: "a"}, {Seed: 5, What: "b"}, {Seed: 9, What: "a"}} {
		f.Seeds = 1
		r.add(&f)
	}
	r.add(nil)
	r.order()
	if len(r.Findings) != 2 || r.Findings[0].Seed != 3 || r.Findings[0].Seeds != 3 || r.Findings[1].Seed != 5 {
		t.Errorf("%+v", r.Findings)
	}
	if r.Passed() || (&Report{Missing: []string{"rebooted"}}).Passed() || !(&Report{}).Passed() {
		t.Error("passed is not what it should be")
	}
}

// TestAMachineThatPanicsIsAFinding.
func TestAMachineThatPanicsIsAFinding(t *testing.T) {
	f := &field{images: play.NewImages()}
	f.play = func(p *Plan) (found *Finding, _ judge.Seen, _ error) {
		defer caught(p, &found)
		panic("journal: no room: 3 bytes")
	}
	p := Draw(1, true)
	found, _, err := f.play(&p)
	if err != nil || found == nil || !strings.Contains(found.What, "journal") || !strings.Contains(found.Text, "3 bytes") {
		t.Errorf("%+v, error %v", found, err)
	}
}

func TestMarksAreKindsAndSteps(t *testing.T) {
	marks := Marks()
	for _, want := range []string{"firmware-rolled-back", judge.MarkCutInOperation, "order delivered to done"} {
		if !slices.Contains(marks, want) {
			t.Errorf("%s is no mark", want)
		}
	}
	if slices.Contains(marks, "duty-cycle") {
		t.Error("duty-cycle is a mark")
	}
}
