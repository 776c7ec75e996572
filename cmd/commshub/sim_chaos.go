package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/outputfile"
	"github.com/commshub/commshub/internal/progress"
	"github.com/commshub/commshub/internal/scenario/chaos"
	"github.com/commshub/commshub/internal/scenario/told"
)

// simChaos are the choices of a run over drawn worlds.
type simChaos struct {
	seeds  int
	seed   uint64
	safety bool
	out    string
	asJSON bool
}

// maxSeeds bounds a run: a day on one processor.
const maxSeeds = 1_000_000

func newSimChaos(g *global) *cobra.Command {
	s := &simChaos{}
	cmd := &cobra.Command{
		Use:   "chaos",
		Short: "Draw homes in which much goes wrong, and look for a broken promise",
		Long: `Draw homes by seed, on all processors: bad links, partitions, power cuts in the middle of flash
operations, a hub that crashes inside a commit, clocks that jump, updates that are superseded,
cancelled and offered again, devices that leave and come back, images that do not work. A judge of
its own looks at each after every event. In the end all is well again, and every meter must come to
the newest image in a stated number of heartbeats.

A home that breaks a promise is shrunk to what it takes: a scenario that "commshub sim run" plays.
From 100 seeds on, everything that this is about must have happened in some home. The exit code is 0
if nothing is broken, 1 if something is or the run was interrupted, 2 for bad input.`,
		Example: `  commshub sim chaos --seeds 100
  commshub sim chaos --seeds 2000 --seed 5001 --out findings
  commshub sim chaos --seeds 500 --safety --json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), g) },
	}
	f := cmd.Flags()
	f.IntVar(&s.seeds, "seeds", 100, "how many homes to draw")
	f.Uint64Var(&s.seed, "seed", 1, "seed of the first; the next has the next")
	f.BoolVar(&s.safety, "safety", false, "things go wrong to the end, nothing heals; only safety is looked at")
	f.StringVar(&s.out, "out", "", "write the scenario of each finding into this folder")
	f.BoolVar(&s.asJSON, "json", false, "print the report as JSON")
	return cmd
}

func (s *simChaos) run(ctx context.Context, g *global) error {
	letGarbageLie()
	if s.seeds < 1 || s.seeds > maxSeeds {
		return badInput("--seeds %d: want 1 to %d", s.seeds, maxSeeds)
	}
	step, end := progress.Runs(g.err, movesCursor(g.err), s.seeds, "homes")
	began := time.Now()
	r, err := chaos.Run(ctx, chaos.Options{First: s.seed, Seeds: s.seeds, Safety: s.safety, Step: step})
	end()
	if r == nil {
		return outcomeError{err.Error()}
	}
	if s.out != "" {
		if err := s.write(r.Findings); err != nil {
			return err
		}
	}
	if s.asJSON {
		err = printJSON(g.out, r)
	} else {
		err = told.Chaos(g.out, r)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the results: %v", err)}
	}
	fmt.Fprintf(g.err, "%s from seed %d on in %v\n", told.Count(r.Played, "home"), s.seed, time.Since(began).Round(10*time.Millisecond))
	switch {
	case ctx.Err() != nil:
		return outcomeError{fmt.Sprintf("interrupted after %d of %d homes", r.Played, r.Seeds)}
	case len(r.Findings) > 0:
		return outcomeError{told.Count(len(r.Findings), "promise") + " broken"}
	case !r.Passed():
		return outcomeError{"never exercised: " + strings.Join(r.Missing, ", ")}
	default:
		return nil
	}
}

// write writes the scenarios of the findings, each named by its seed.
func (s *simChaos) write(findings []*chaos.Finding) error {
	if err := outputfile.Folder(s.out); err != nil {
		return badInput("--out %s: %w", s.out, err)
	}
	for _, f := range findings {
		file := filepath.Join(s.out, fmt.Sprintf("seed-%d.yaml", f.Seed))
		if err := outputfile.Replace(nil, file, []byte(f.Scenario)); err != nil {
			return badInput("--out %s: %w", file, err)
		}
	}
	return nil
}
