// Package chaos draws worlds, plays them under a judge, and shrinks those that break a
// promise to what it takes to break it.
//
//	seed ─► Draw ─► Plan ─► scenario text ─► play, with a judge ─► nothing broken
//	                 ▲                            │
//	                 └── Shrink: without this? ◄──┴─► Finding: promise, seed, short scenario
//
// A plan is nothing but a scenario with a list of what happens in it: its text is what
// is played, and what [Shrink] hands out can be played again with commshub sim run.
//
// First comes safety: things go wrong for a day and a half, and after each event the
// promises of package judge hold. Then liveness: all is well again, the supplier
// distributes the newest image, and every meter runs it within [HealedWithin]
// heartbeats.
//
// What homes went through is counted over all seeds. A run that never came to one of
// [Marks] has not tried it, and fails too.
package chaos

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/judge"
	"github.com/commshub/commshub/internal/scenario/play"
)

// Finding is a world that broke a promise.
type Finding struct {
	Seed uint64 `json:"seed"`
	// What names the promise or expectation, Text tells who broke it and how.
	What string `json:"broken"`
	Text string `json:"text"`
	// Seeds is how many worlds broke the same; this one has the lowest seed.
	Seeds int `json:"seeds"`
	// Scenario is the world, shrunk: a scenario file. Inevitable tells since when it had
	// to fail.
	Scenario   string `json:"scenario"`
	Inevitable string `json:"inevitable"`

	plan Plan
}

// Report is how a run over many seeds went.
type Report struct {
	First    uint64     `json:"first_seed"`
	Seeds    int        `json:"seeds"` // that were asked for
	Played   int        `json:"played"`
	Safety   bool       `json:"safety_only"`
	Findings []*Finding `json:"findings"`
	// Missing are the marks that no world came to; only looked at from MarkedSeeds on.
	Missing []string `json:"never_exercised"`
	// Seen counts what homes went through.
	Seen judge.Seen `json:"exercised"`
}

// Passed reports whether no promise was broken and nothing was left untried.
func (r *Report) Passed() bool { return len(r.Findings) == 0 && len(r.Missing) == 0 }

// MarkedSeeds is from how many seeds on all of Marks must have been come to.
const MarkedSeeds = 100

// Options are the choices of a run.
type Options struct {
	First  uint64
	Seeds  int
	Safety bool // things go wrong to the end, and nothing heals
	// Step, if set, is called after each world, from any goroutine.
	Step func()
}

// field is where worlds are played.
type field struct {
	mu     sync.Mutex
	images *play.Images // of all worlds
	// play plays a world. It returns what was broken first, nil if nothing was. An error
	// is a plan that is no scenario.
	play func(p *Plan) (*Finding, judge.Seen, error)
}

func newField() *field {
	f := &field{images: play.NewImages()}
	f.play = f.try
	return f
}

// Run plays the worlds of many seeds, on all processors, and shrinks the first of each
// kind of failure. An interrupted run returns what it did and the error of ctx.
func Run(ctx context.Context, o Options) (*Report, error) {
	f := newField()
	r := &Report{First: o.First, Seeds: o.Seeds, Safety: o.Safety, Findings: []*Finding{}, Missing: []string{}, Seen: judge.Seen{}}
	var mu sync.Mutex
	err := play.Each(ctx, o.Seeds, func(i int) error {
		plan := Draw(o.First+uint64(i), o.Safety)
		finding, seen, err := f.play(&plan)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		r.Played++
		r.Seen.Add(seen)
		r.add(finding)
		if o.Step != nil {
			o.Step()
		}
		return nil
	})
	if err == nil && o.Seeds >= MarkedSeeds {
		r.Missing = r.Seen.Missing(Marks())
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	r.order()
	for _, finding := range r.Findings {
		if ctx.Err() != nil {
			finding.Scenario = finding.plan.Text(finding.What)
			continue
		}
		if shrinkErr := f.shrink(ctx, finding); shrinkErr != nil {
			return nil, shrinkErr
		}
	}
	return r, err
}

// try plays a world in virtual time, with a judge.
func (f *field) try(p *Plan) (broken *Finding, seen judge.Seen, err error) {
	home, err := homefile.Parse(fmt.Sprintf("seed %d", p.Seed), []byte(p.Text()))
	if err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	stage, err := f.images.Stage(home, ".")
	f.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	defer caught(p, &broken)
	result, err := stage.Play(p.Seed, play.Options{Judge: true})
	if err != nil {
		return nil, nil, err
	}
	if result.Passed() {
		return nil, result.Seen, nil
	}
	first := result.Failures[0]
	if n := len(result.Broken); n > 0 {
		first = result.Failures[len(result.Failures)-n] // the promise that was broken first explains the rest
	}
	return &Finding{Seed: p.Seed, What: nameOf(first.Expectation), Text: first.String(), Seeds: 1, plan: *p}, result.Seen, nil
}

// caught makes of a panic of a machine a finding.
func caught(p *Plan, broken **Finding) {
	if v := recover(); v != nil {
		text := fmt.Sprint(v)
		what, _, _ := strings.Cut(text, ":")
		*broken = &Finding{Seed: p.Seed, What: "no machine panics (" + what + ")", Text: text, Seeds: 1, plan: *p}
	}
}

// nameOf returns what an expectation is called, whatever its value.
func nameOf(expectation string) string {
	if promise, ok := strings.CutPrefix(expectation, "promise: "); ok {
		return promise
	}
	key, _, _ := strings.Cut(expectation, ":")
	return "a home that is well again comes to the newest image (" + key + ")"
}
