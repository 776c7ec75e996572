package chaos

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/internal/scenario/homefile"
)

// maxTries bounds the worlds played to shrink one. It is far more than one takes.
const maxTries = 3000

// shrinker makes a world smaller as long as it breaks the same.
type shrinker struct {
	ctx   context.Context
	field *field
	best  Finding
	tries int
	err   error
}

// shrink makes a finding's world as small as it gets: first what happens, then how
// long it lasts, then the home.
func (f *field) shrink(ctx context.Context, finding *Finding) error {
	s := &shrinker{ctx: ctx, field: f, best: *finding}
	for {
		before := s.tries
		changed := s.occurrences()
		changed = s.figures() || changed
		changed = s.home() || changed
		if !changed || s.over() || s.tries == before {
			break
		}
	}
	*finding = s.best
	finding.Inevitable = s.inevitable()
	finding.Scenario = finding.plan.Text(finding.What, finding.Inevitable)
	return s.err
}

func (s *shrinker) over() bool { return s.err != nil || s.tries >= maxTries || s.ctx.Err() != nil }

// still plays a smaller world, and keeps it if it breaks the same.
func (s *shrinker) still(p Plan) bool {
	if s.over() {
		return false
	}
	s.tries++
	found, _, err := s.field.play(&p)
	if err != nil {
		return false // this smaller one is no scenario
	}
	if found == nil || found.What != s.best.What {
		return false
	}
	found.Seeds = s.best.Seeds
	s.best = *found
	return true
}

// without returns the best plan with some occurrences left out.
func (s *shrinker) without(from, n int) Plan {
	p := s.best.plan
	p.Occurrences = slices.Delete(slices.Clone(p.Occurrences), from, from+n)
	return p
}

// occurrences leaves out what is not needed: halves, quarters, and in the end single
// occurrences, until none can be left out (delta debugging).
func (s *shrinker) occurrences() (changed bool) {
	for size := max(1, len(s.best.plan.Occurrences)/2); ; size = max(1, size/2) {
		left := false
		for at := 0; at < len(s.best.plan.Occurrences); {
			n := min(size, len(s.best.plan.Occurrences)-at)
			if s.still(s.without(at, n)) {
				left = true
			} else {
				at += n
			}
		}
		changed = changed || left
		if size == 1 && !left || s.over() {
			return changed
		}
	}
}

// figures makes times, numbers and shares rounder and smaller.
func (s *shrinker) figures() (changed bool) {
	for i := range s.best.plan.Occurrences {
		for _, simpler := range []func(o *Occurrence){
			func(o *Occurrence) { o.At = o.At.Truncate(6 * time.Hour) },
			func(o *Occurrence) { o.At = o.At.Truncate(time.Hour) },
			func(o *Occurrence) { o.At = o.At.Truncate(heartbeat) },
			func(o *Occurrence) { o.At = o.At.Truncate(time.Minute) },
			func(o *Occurrence) { o.For = min(o.For, time.Second) },
			func(o *Occurrence) { o.For = max(min(o.For, time.Second), (o.For / 2).Truncate(time.Second)) },
			func(o *Occurrence) { o.N = min(o.N, 1) },
			func(o *Occurrence) { o.N = (o.N + 1) / 2 },
			func(o *Occurrence) { o.N = max(o.N-1, min(o.N, 1)) },
			func(o *Occurrence) { o.After = false },
			func(o *Occurrence) { o.Back = false },
			func(o *Occurrence) { o.Image.Spoilt = "" },
			func(o *Occurrence) { o.Image.Size = min(o.Image.Size, 2048) },
		} {
			for s.change(i, simpler) {
				changed = true
			}
		}
	}
	return changed
}

// change tries one occurrence in another form. A form that is no other changes nothing.
func (s *shrinker) change(i int, simpler func(o *Occurrence)) bool {
	p := s.best.plan
	p.Occurrences = slices.Clone(p.Occurrences)
	before := p.Occurrences[i]
	simpler(&p.Occurrences[i])
	if p.Occurrences[i] == before {
		return false
	}
	inOrder(p.Occurrences)
	return s.still(p)
}

// home makes the home smaller: fewer meters, good clocks, the least image, nothing
// after the failure.
func (s *shrinker) home() (changed bool) {
	for i := len(s.best.plan.Devices) - 1; i >= 0 && len(s.best.plan.Devices) > 1; i-- {
		p := s.best.plan
		p.Devices = slices.Delete(slices.Clone(p.Devices), i, i+1)
		changed = s.still(p) || changed
	}
	for i := len(s.best.plan.Knobs) - 1; i >= 0; i-- {
		p := s.best.plan
		p.Knobs = slices.Delete(slices.Clone(p.Knobs), i, i+1)
		changed = s.still(p) || changed
	}
	for _, simpler := range []func(p *Plan){
		func(p *Plan) {
			if p.Heal > 0 {
				p.Heal, p.Length = 0, trouble
			}
		},
		func(p *Plan) { p.Activate = 0 },
		func(p *Plan) { p.Image.Size = 2048 },
		func(p *Plan) { p.Image.Spoilt = "" },
		func(p *Plan) { p.Image.Version = 0x02000000 },
		func(p *Plan) {
			for i := range p.Devices {
				p.Devices[i].Drift, p.Devices[i].Budget = 0, 0
			}
		},
		s.shorten,
	} {
		p := s.best.plan
		p.Devices = slices.Clone(p.Devices)
		simpler(&p)
		if p.Text() != s.best.plan.Text() && s.still(p) {
			changed = true
		}
	}
	return changed
}

// shorten ends a world that does not heal an hour after its last occurrence, and one
// that does heals then.
func (s *shrinker) shorten(p *Plan) {
	last := heartbeat
	if n := len(p.Occurrences); n > 0 {
		last = p.Occurrences[n-1].At + p.Occurrences[n-1].For
	}
	end := (last + 2*time.Hour).Truncate(time.Hour)
	if p.Heal == 0 {
		p.Length = min(p.Length, end)
		return
	}
	p.Heal = min(p.Heal, end)
	p.Length = p.Heal + HealedWithin*heartbeat
}

// inevitable says since when the world had to fail. None of what is left can be left
// out: after the last of it nothing was to be saved any more, and before it everything.
func (s *shrinker) inevitable() string {
	all := s.best.plan.Occurrences
	if len(all) == 0 {
		return "inevitable from the start: it takes no fault"
	}
	last := all[len(all)-1]
	return fmt.Sprintf("inevitable from %s on: without this last fault all holds", homefile.Duration(last.At))
}
