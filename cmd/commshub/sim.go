package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
)

func newSim(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Play scenarios in virtual time",
		Long: `Play scenario files in virtual time: a home, its image, its faults and what is expected of it, in
YAML. Weeks take milliseconds. docs/simulation.md has every key; docs/examples has scenarios.`,
		Example: `  commshub sim run docs/examples/*.yaml
  commshub sim sweep docs/examples/happy_path.yaml --vary pacing=radio=5s,10s,30s --vary loss=0:0.3:0.05`,
	}
	cmd.AddCommand(newSimRun(g), newSimSweep(g), newSimSchema(g))
	return cmd
}

// letGarbageLie trades memory for time unless GOGC says otherwise: a simulation
// makes garbage fast and keeps little.
func letGarbageLie() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
}

// simRun are the choices of a run.
type simRun struct {
	seed   uint64
	seeded bool
	junit  string
	asJSON bool
	trace  string
	homes  int
}

func newSimRun(g *global) *cobra.Command {
	s := &simRun{}
	cmd := &cobra.Command{
		Use:   "run FILE…",
		Short: "Play scenario files and check what they expect",
		Long: `Play scenario files one after the other and print how they went. The exit code is 0 if all
expectations hold, 1 with a line for each that does not, and 2 if a file cannot be used.

The same seed gives the same trace, byte by byte, on every machine.`,
		Example: `  commshub sim run docs/examples/happy_path.yaml
  commshub sim run docs/examples/*.yaml --junit report.xml
  commshub sim run docs/examples/lossy_link.yaml --seed 7 --trace trace.txt
  commshub sim run docs/examples/lossy_link.yaml --homes 1000`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			s.seeded = cmd.Flags().Changed("seed")
			return s.run(cmd.Context(), g, files)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&s.seed, "seed", 0, "seed of all dice, instead of the file's")
	f.StringVar(&s.junit, "junit", "", "write a JUnit report to this file")
	f.BoolVar(&s.asJSON, "json", false, "print the results as a JSON array")
	f.IntVar(&s.homes, "homes", 0, "play this many homes of one scenario, each with its own seed, on all processors")
	f.StringVar(&s.trace, "trace", "", "write the trace to this file, one record per line")
	return cmd
}

// readStages reads and checks all files before any of them is played.
func readStages(files []string) ([]*play.Stage, error) {
	var stages []*play.Stage
	for _, file := range files {
		text, err := readScenario(file)
		if err != nil {
			return nil, err
		}
		stage, err := newStage(file, text)
		if err != nil {
			return nil, err
		}
		stages = append(stages, stage)
	}
	return stages, nil
}

// readScenario reads a file that may hold a scenario.
func readScenario(file string) ([]byte, error) {
	f, err := openFile(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, badInput("%s: %w", file, reason(err))
	}
	return text, nil
}

func newStage(file string, text []byte, overrides ...homefile.Override) (*play.Stage, error) {
	home, err := homefile.ParseWith(file, text, overrides...)
	if err != nil {
		return nil, inputError{err}
	}
	stage, err := play.NewStage(home, filepath.Dir(file))
	if err != nil {
		return nil, inputError{err}
	}
	return stage, nil
}

func (s *simRun) run(ctx context.Context, g *global, files []string) error {
	letGarbageLie()
	stages, err := readStages(files)
	if err != nil {
		return err
	}
	if s.homes != 0 {
		return s.street(ctx, g, stages)
	}
	if s.trace != "" && len(stages) > 1 {
		return badInput("--trace %s: %d scenarios, want one", s.trace, len(stages))
	}
	var results []*play.Result
	var timings []time.Duration
	for _, stage := range stages {
		if ctx.Err() != nil {
			return outcomeError{"interrupted"}
		}
		began := time.Now()
		r, err := s.play(stage)
		if err != nil {
			return err
		}
		results, timings = append(results, r), append(timings, time.Since(began))
	}
	return s.report(g, results, timings)
}

// play plays one scenario, with its trace in a file if that was asked for.
func (s *simRun) play(stage *play.Stage) (*play.Result, error) {
	seed := uint64(stage.Home().Seed)
	if s.seeded {
		seed = s.seed
	}
	if s.trace == "" {
		return stage.Play(seed, play.Options{Hash: true})
	}
	file, err := renameio.NewPendingFile(s.trace, renameio.WithPermissions(0o666))
	if err != nil {
		return nil, badInput("--trace %s: %w", s.trace, reason(err))
	}
	defer func() { _ = file.Cleanup() }() // nothing to do once it was replaced
	w := newLineWriter(file)
	r, err := stage.Play(seed, play.Options{Hash: true, Trace: w})
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = file.CloseAtomicallyReplace()
	}
	if err != nil {
		return nil, badInput("--trace %s: %w", s.trace, reason(err))
	}
	return r, nil
}

// report prints the results and turns them into an exit code.
func (s *simRun) report(g *global, results []*play.Result, timings []time.Duration) error {
	if s.junit != "" {
		text, err := play.JUnit(results, timings)
		if err == nil {
			err = renameio.WriteFile(s.junit, text, 0o666)
		}
		if err != nil {
			return badInput("--junit %s: %w", s.junit, reason(err))
		}
	}
	var err error
	if s.asJSON {
		err = printJSON(g.out, results)
	} else {
		err = printResults(g.out, results)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the results: %v", err)}
	}
	return failuresOf(results)
}

// failuresOf returns the error for expectations that do not hold. They are on
// standard output already, one line each.
func failuresOf(results []*play.Result) error {
	failures, scenarios := 0, 0
	for _, r := range results {
		failures += len(r.Failures)
		if !r.Passed() {
			scenarios++
		}
	}
	if failures == 0 {
		return nil
	}
	return outcomeError{fmt.Sprintf("%s in %s not hold", count(failures, "expectation"), count(scenarios, "scenario")+doDoes(failures))}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func doDoes(n int) string {
	if n == 1 {
		return " does"
	}
	return " do"
}

//go:generate go run . sim schema --out ../../docs/scenario.schema.json

// newSimSchema prints the schema of scenario files.
func newSimSchema(g *global) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenario files",
		Long: `Print the JSON Schema of scenario files, for editors that complete and check YAML by it. It is also
in docs/scenario.schema.json.`,
		RunE: func(*cobra.Command, []string) error {
			if out != "" {
				if err := renameio.WriteFile(out, homefile.Schema(), 0o644); err != nil {
					return badInput("--out %s: %w", out, reason(err))
				}
				return nil
			}
			if _, err := g.out.Write(homefile.Schema()); err != nil {
				return outcomeError{fmt.Sprintf("print the schema: %v", err)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write it to this file")
	return cmd
}
