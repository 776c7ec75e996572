package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/outputfile"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
	"github.com/commshub/commshub/internal/scenario/told"
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
	cmd.AddCommand(newSimRun(g), newSimSweep(g), newSimChaos(g), newSimSchema(g))
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
	page   string

	capture string
	homes   int
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
  commshub sim run docs/examples/happy_path.yaml --capture - | wireshark -k -i -
  commshub sim run docs/examples/lossy_link.yaml --homes 1000`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			s.seeded = cmd.Flags().Changed("seed")
			return s.run(cmd.Context(), g, files)
		},
	}
	f := cmd.Flags()
	f.Uint64Var(&s.seed, "seed", 0, "seed of all dice, instead of the file's")
	f.StringVar(&s.junit, "junit", "", "write a JUnit report to this file; - for standard output")
	f.BoolVar(&s.asJSON, "json", false, "print the results as a JSON array")
	f.IntVar(&s.homes, "homes", 0, "play this many homes of one scenario, each with its own seed, on all processors")
	f.StringVar(&s.page, "report", "", "write what happened to this file, as one HTML page; - for standard output")
	f.StringVar(&s.trace, "trace", "", "write the trace to this file, one record per line; - for standard output")
	f.StringVar(&s.capture, "capture", "", "write every frame of the HAN to this file, as pcapng for Wireshark; - for standard output")
	return cmd
}

// readStages reads and checks all files before any of them is played.
func readStages(ctx context.Context, files []string) ([]*play.Stage, error) {
	var stages []*play.Stage
	for _, file := range files {
		text, err := readBounded(ctx, file)
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

func newStage(file string, text []byte, overrides ...homefile.Override) (*play.Stage, error) {
	home, err := homefile.Parse(file, text, overrides...)
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
	stages, err := readStages(ctx, files)
	if err != nil {
		return err
	}
	if s.homes != 0 {
		return s.street(ctx, g, stages)
	}
	if s.trace != "" && len(stages) > 1 {
		return badInput("--trace %s: %d scenarios, want one", s.trace, len(stages))
	}
	if s.page != "" && len(stages) > 1 {
		return badInput("--report %s: %d scenarios, want one", s.page, len(stages))
	}
	if s.capture != "" && len(stages) > 1 {
		return badInput("--capture %s: %d scenarios, want one", s.capture, len(stages))
	}
	beside, err := g.oneStandardOutput(s.trace, s.capture, s.junit, s.page)
	if err != nil {
		return err
	}
	var results []*play.Result
	var timings []time.Duration
	for _, stage := range stages {
		if ctx.Err() != nil {
			return outcomeError{"interrupted"}
		}
		began := time.Now()
		r, err := s.play(g.out, stage)
		if err != nil {
			return err
		}
		results, timings = append(results, r), append(timings, time.Since(began))
	}
	return s.report(g, beside, results, timings)
}

// play plays one scenario, with its trace and its capture in files if that was asked for.
func (s *simRun) play(out io.Writer, stage *play.Stage) (r *play.Result, err error) {
	seed := uint64(stage.Home().Seed)
	if s.seeded {
		seed = s.seed
	}
	o := play.Options{Hash: true, Judge: true, Report: s.page != ""}
	run := func() (err error) {
		r, err = stage.Play(seed, o)
		return err
	}
	if s.capture != "" {
		run = writing("--capture", out, s.capture, &o.Capture, run)
	}
	if s.trace != "" {
		run = writing("--trace", out, s.trace, &o.Trace, run)
	}
	err = run()
	return r, err
}

// writing has a file that a flag asked for open while something runs.
func writing(flag string, out io.Writer, path string, to *io.Writer, run func() error) func() error {
	return func() error {
		return written(flag, path, outputfile.Write(out, path, func(w io.Writer) error {
			*to = w
			return run()
		}))
	}
}

// report prints the results and turns them into an exit code.
func (s *simRun) report(g *global, beside io.Writer, results []*play.Result, timings []time.Duration) error {
	if s.junit != "" {
		text, err := play.JUnit(results, timings)
		if err == nil {
			err = outputfile.Replace(g.out, s.junit, text)
		}
		if err != nil {
			return written("--junit", s.junit, err)
		}
	}
	var err error
	if s.page != "" {
		if err := writeReport(g.out, "--report", s.page, results[0].Report()); err != nil {
			return err
		}
	}
	if s.asJSON {
		err = printJSON(beside, results)
	} else {
		err = told.Results(beside, results)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the results: %v", err)}
	}
	if failed := told.Failures(results); failed != "" {
		return outcomeError{failed} // one line for each is on standard output already
	}
	return nil
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
			return written("--out", out, outputfile.Replace(g.out, out, homefile.Schema()))
		},
	}
	cmd.Flags().StringVar(&out, "out", outputfile.Standard, "write it to this file; - for standard output")
	return cmd
}
