package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/progress"
	"github.com/commshub/commshub/internal/scenario/play"
	"github.com/commshub/commshub/internal/scenario/told"
)

// maxHomes bounds a street; the figures of each home are kept.
const maxHomes = 1_000_000

// street plays many homes of one scenario and reports on all of them together.
func (s *simRun) street(ctx context.Context, g *global, stages []*play.Stage) error {
	switch {
	case s.homes < 1 || s.homes > maxHomes:
		return badInput("--homes %d: want 1 to %d", s.homes, maxHomes)
	case len(stages) > 1:
		return badInput("--homes %d: %d scenarios, want one", s.homes, len(stages))
	case s.trace != "" || s.capture != "" || s.junit != "" || s.page != "":
		return badInput("--homes %d: --trace, --capture, --report and --junit are about one home", s.homes)
	}
	seed := uint64(stages[0].Home().Seed)
	if s.seeded {
		seed = s.seed
	}
	step, end := progress.Runs(g.err, movesCursor(g.err), s.homes, "homes")
	began := time.Now()
	r, err := stages[0].Street(ctx, seed, s.homes, step)
	end()
	took := time.Since(began)
	if errors.Is(err, context.Canceled) {
		return outcomeError{"interrupted"}
	}
	if err != nil {
		return outcomeError{err.Error()}
	}
	if s.asJSON {
		err = printJSON(g.out, r)
	} else {
		err = told.Street(g.out, r)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the results: %v", err)}
	}
	if n := len(r.Failures); n > 0 {
		return outcomeError{told.DoNotHold(n) + " in every home"}
	}
	foreign.Fprintf(g.err, "%d homes in %v\n", s.homes, took.Round(10*time.Millisecond))
	return nil
}
