package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/outputfile"
	"github.com/commshub/commshub/internal/progress"
	"github.com/commshub/commshub/internal/scenario/chart"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/sweep"
	"github.com/commshub/commshub/internal/scenario/told"
)

// simSweep are the choices of a sweep.
type simSweep struct {
	vary   []string
	seeds  int
	meter  string
	csv    string
	plots  string
	page   string
	asJSON bool
}

func newSimSweep(g *global) *cobra.Command {
	s := &simSweep{}
	cmd := &cobra.Command{
		Use:   "sweep FILE",
		Short: "Play a scenario with many values and compare time and charge",
		Long: `Play a scenario for every combination of the values given, on all processors, and print what each
costs in time and charge. KEY is a key of the scenario, with points between groups, such as
heartbeat.period; the keys of link may be named alone. Values are listed with commas; a range is
FROM:TO:STEP.

A star marks combinations that no other beats in both charge and time under the same link. What the
file expects is counted, and does not decide the exit code.`,
		Example: `  commshub sim sweep docs/examples/happy_path.yaml --vary pacing=radio=5s,10s,30s --vary loss=0:0.3:0.05
  commshub sim sweep docs/examples/lossy_link.yaml --vary block_size=16:64:16 --seeds 20 --plot plots --csv sweep.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error { return s.run(cmd.Context(), g, files[0]) },
	}
	f := cmd.Flags()
	f.StringArrayVar(&s.vary, "vary", nil, "KEY=VALUE,VALUE,… or KEY=FROM:TO:STEP; repeat it for the product")
	f.IntVar(&s.seeds, "seeds", 1, "runs of each combination, with seeds from the file's on")
	f.StringVar(&s.meter, "meter", "", "meter to compare (default: the first gas meter that takes the image)")
	f.StringVar(&s.csv, "csv", "", "write the table to this file as CSV; - for standard output")
	f.StringVar(&s.plots, "plot", "", "draw the results into this folder, as SVG and PNG")
	f.StringVar(&s.page, "report", "", "write the table to this file, as one HTML page; - for standard output")
	f.BoolVar(&s.asJSON, "json", false, "print the table as JSON")
	return cmd
}

func (s *simSweep) run(ctx context.Context, g *global, file string) error {
	letGarbageLie()
	text, err := readBounded(ctx, file)
	if err != nil {
		return err
	}
	var axes []sweep.Axis
	for _, v := range s.vary {
		a, err := sweep.ParseAxis(v)
		if err != nil {
			return badInput("--vary %w", err)
		}
		axes = append(axes, a)
	}
	sw, err := sweep.New(file, text, axes, s.seeds, s.meter)
	if err != nil {
		var e *homefile.Error
		if errors.As(err, &e) {
			return inputError{err}
		}
		return badInput("%s: %w", file, err)
	}
	step, end := progress.Runs(g.err, movesCursor(g.err), sw.Runs(), "runs")
	began := time.Now()
	rows, err := sw.Run(ctx, step)
	end()
	if errors.Is(err, context.Canceled) {
		return outcomeError{"interrupted"}
	}
	if err != nil {
		return outcomeError{err.Error()}
	}
	return s.report(g, sw, rows, time.Since(began))
}

// report writes the files asked for, and prints the table.
func (s *simSweep) report(g *global, sw *sweep.Sweep, rows []sweep.Row, took time.Duration) error {
	beside, err := g.oneStandardOutput(s.csv, s.page)
	if err != nil {
		return err
	}
	if s.csv != "" {
		var b bytes.Buffer
		err := sweep.WriteCSV(&b, sw.Axes, rows)
		if err == nil {
			err = outputfile.Replace(g.out, s.csv, b.Bytes())
		}
		if err != nil {
			return written("--csv", s.csv, err)
		}
	}
	if s.plots != "" {
		files, err := chart.Write(s.plots, sw, rows)
		if err != nil {
			return badInput("--plot %s: %w", s.plots, inputfile.Reason(err))
		}
		foreign.Fprintf(g.err, "drew %s\n", strings.Join(files, ", "))
	}
	if s.page != "" {
		page := sw.Report(rows)
		if err := writeReport(g.out, "--report", s.page, &page); err != nil {
			return err
		}
	}
	if s.asJSON {
		err = printJSON(beside, struct {
			File  string       `json:"file"`
			Meter string       `json:"meter"`
			Axes  []sweep.Axis `json:"axes"`
			Rows  []sweep.Row  `json:"rows"`
		}{sw.File, sw.Meter, sw.Axes, rows})
	} else {
		err = told.Sweep(beside, sw, rows)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the results: %v", err)}
	}
	foreign.Fprintf(g.err, "%s in %v\n", told.Count(sw.Runs(), "run"), took.Round(10*time.Millisecond))
	return nil
}
