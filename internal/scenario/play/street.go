package play

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/commshub/commshub/internal/scenario/homefile"
)

// Street is how many homes of one scenario went, each with a seed of its own.
type Street struct {
	File        string          `json:"file"`
	Description string          `json:"description,omitempty"`
	Seed        uint64          `json:"seed"` // of the first home; the next has the next
	Homes       int             `json:"homes"`
	Meters      []StreetMeter   `json:"meters"`
	Failures    []StreetFailure `json:"failures"` // expectations that do not hold in some home
}

// StreetMeter is how the meters of one name came out. Times are in seconds, charge
// is in microampere-hours.
type StreetMeter struct {
	Name      string         `json:"name"`
	Kind      string         `json:"kind"`
	States    map[string]int `json:"states"` // of the update, and in how many homes
	Complete  Spread         `json:"complete_s"`
	Activated Spread         `json:"activated_s"`
	Windows   Spread         `json:"windows"`
	Refetched Spread         `json:"blocks_refetched"`
	Retries   Spread         `json:"retries"`
	RadioOn   Spread         `json:"radio_on_s"`
	Charge    Spread         `json:"charge_uah"`
}

// StreetFailure is an expectation that does not hold in some homes.
type StreetFailure struct {
	Failure
	Homes int    `json:"homes"`
	Seed  uint64 `json:"seed"` // of the first of them, whose Got it is
}

// Spread is how a figure is spread over homes: its percentiles, by nearest rank.
type Spread struct {
	Homes   int     `json:"homes"` // that have the figure
	Min     float64 `json:"min"`
	P50     float64 `json:"p50"`
	P90     float64 `json:"p90"`
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
	MaxSeed uint64  `json:"max_seed"` // of the home with the greatest
}

// figure is a figure of one home.
type figure struct {
	value float64
	seed  uint64
}

// spreadOf sorts figures and returns their spread.
func spreadOf(all []figure) Spread {
	n := len(all)
	if n == 0 {
		return Spread{}
	}
	slices.SortFunc(all, func(a, b figure) int {
		return cmp.Or(cmp.Compare(a.value, b.value), -cmp.Compare(a.seed, b.seed))
	})
	rank := func(percent int) float64 { return all[max(1, (n*percent+99)/100)-1].value }
	last := all[n-1]
	return Spread{Homes: n, Min: all[0].value, P50: rank(50), P90: rank(90), P99: rank(99), Max: last.value, MaxSeed: last.seed}
}

// street collects what homes come to. Homes are independent: each is played to its
// end and forgotten, so that none but those in hand take memory.
type street struct {
	mu       sync.Mutex
	meters   []meterFigures
	failures map[Failure]*StreetFailure // by meter and expectation
}

// meterFigures are the figures of the meters of one name.
type meterFigures struct {
	states                                                            map[string]int
	complete, activated, windows, refetched, retries, radioOn, charge []figure
}

// Street plays homes with the seeds from seed on, on all processors. done, if set,
// is called after each home, from any goroutine. A canceled context ends it early
// with the context's error.
func (s *Stage) Street(ctx context.Context, seed uint64, homes int, done func()) (*Street, error) {
	all := street{failures: map[Failure]*StreetFailure{}}
	for range s.home.Devices {
		all.meters = append(all.meters, meterFigures{states: map[string]int{}})
	}
	err := Each(ctx, homes, func(i int) error {
		r, err := s.Play(seed+uint64(i), Options{})
		if err != nil {
			return err
		}
		all.add(r)
		if done != nil {
			done()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all.sum(s.home, seed, homes), nil
}

// Each calls f for 0 to n-1 on all processors, in any order, until one fails or the
// context ends. It returns the first error.
func Each(ctx context.Context, n int, f func(i int) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	var once sync.Once
	var failed error
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := f(i); err != nil {
					once.Do(func() { failed = err })
					cancel()
				}
			}
		})
	}
	wait.Wait()
	if failed == nil && int(next.Load()) < n {
		failed = ctx.Err()
	}
	return failed
}

func (s *street) add(r *Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range r.Meters {
		m, f := &r.Meters[i], &s.meters[i]
		if !m.Target {
			continue
		}
		f.states[m.State]++
		put := func(to *[]figure, v float64) { *to = append(*to, figure{v, r.Seed}) }
		if d := m.CompleteIn(); d > 0 {
			put(&f.complete, d.Seconds())
		}
		if d := m.ActivatedIn(); d > 0 {
			put(&f.activated, d.Seconds())
		}
		put(&f.windows, float64(m.Windows))
		put(&f.refetched, float64(m.Refetched))
		put(&f.retries, float64(m.Retries))
		put(&f.radioOn, m.RadioOn)
		put(&f.charge, m.Charge)
	}
	for _, f := range r.Failures {
		s.fail(f, r.Seed)
	}
}

func (s *street) fail(f Failure, seed uint64) {
	key := Failure{Meter: f.Meter, Expectation: f.Expectation}
	all := s.failures[key]
	if all == nil {
		all = &StreetFailure{Failure: f, Seed: seed}
		s.failures[key] = all
	}
	all.Homes++
	if seed < all.Seed {
		all.Failure, all.Seed = f, seed
	}
}

// sum returns the street. It does not depend on the order in which homes ended.
func (s *street) sum(home *homefile.Home, seed uint64, homes int) *Street {
	out := &Street{
		File: home.File, Description: string(home.Description), Seed: seed, Homes: homes, Failures: []StreetFailure{},
	}
	i := 0
	for d := range home.Devices {
		if !home.Devices[d].IsMeter() {
			continue
		}
		f := &s.meters[i]
		i++
		if len(f.windows) == 0 {
			continue
		}
		out.Meters = append(out.Meters, StreetMeter{
			Name: string(home.Devices[d].Name), Kind: home.Devices[d].Kind.String(), States: f.states,
			Complete: spreadOf(f.complete), Activated: spreadOf(f.activated), Windows: spreadOf(f.windows),
			Refetched: spreadOf(f.refetched), Retries: spreadOf(f.retries), RadioOn: spreadOf(f.radioOn), Charge: spreadOf(f.charge),
		})
	}
	for _, f := range s.failures {
		out.Failures = append(out.Failures, *f)
	}
	slices.SortFunc(out.Failures, func(a, b StreetFailure) int {
		return cmp.Or(cmp.Compare(a.Meter, b.Meter), cmp.Compare(a.Expectation, b.Expectation))
	})
	return out
}
