package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
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
	case s.trace != "" || s.junit != "":
		return badInput("--homes %d: --trace and --junit are about one home", s.homes)
	}
	seed := uint64(stages[0].Home().Seed)
	if s.seeded {
		seed = s.seed
	}
	step, end := runProgress(g.err, s.homes, "homes")
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
		err = printStreet(g.out, r)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the results: %v", err)}
	}
	if n := len(r.Failures); n > 0 {
		return outcomeError{fmt.Sprintf("%s%s not hold in every home", count(n, "expectation"), doDoes(n))}
	}
	fmt.Fprintf(g.err, "%d homes in %v\n", s.homes, took.Round(10*time.Millisecond))
	return nil
}

// runProgress shows a bar with the time left on a terminal, and nothing in a pipe.
func runProgress(w io.Writer, total int, what string) (step, end func()) {
	if !isTerminal(w) {
		return func() {}, func() {}
	}
	p := mpb.New(mpb.WithOutput(w), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond))
	bar := p.AddBar(int64(total), mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersNoUnit("%d / %d "+what+" ")),
		mpb.AppendDecorators(decor.Percentage(decor.WCSyncSpace), decor.AverageETA(decor.ET_STYLE_GO, decor.WCSyncSpace), decor.Name(" left")))
	return bar.Increment, func() {
		bar.Abort(true)
		p.Wait()
	}
}

// printStreet writes how a street went for a person.
func printStreet(w io.Writer, r *play.Street) error {
	fmt.Fprintf(w, "%s: %s, %d homes, seeds %d to %d\n", r.File, orElse(r.Description, "no description"),
		r.Homes, r.Seed, r.Seed+uint64(r.Homes)-1)
	t := newTable(w, "METER\tFIGURE\tHOMES\tMIN\tMEDIAN\t90 %\t99 %\tMAX\tMAX AT SEED")
	for i := range r.Meters {
		m := &r.Meters[i]
		rows := []struct {
			name   string
			spread play.Spread
			form   func(float64) string
		}{
			{"complete", m.Complete, inSeconds}, {"activated", m.Activated, inSeconds},
			{"windows", m.Windows, inWhole}, {"blocks twice", m.Refetched, inWhole}, {"retries", m.Retries, inWhole},
			{"radio on", m.RadioOn, func(ms float64) string { return (time.Duration(ms) * time.Millisecond).String() }},
			{"charge", m.Charge, func(v float64) string { return fmt.Sprintf("%.3f mAh", v/1000) }},
		}
		for _, row := range rows {
			if s := row.spread; s.Homes > 0 && (m.Kind == "GSME" || row.name != "windows") {
				t.row("%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d", m.Name, row.name, s.Homes,
					row.form(s.Min), row.form(s.P50), row.form(s.P90), row.form(s.P99), row.form(s.Max), s.MaxSeed)
			}
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	for i := range r.Meters {
		fmt.Fprintf(w, "%s: %s\n", r.Meters[i].Name, states(r.Meters[i].States))
	}
	for _, f := range r.Failures {
		fmt.Fprintf(w, "FAILED  in %d homes  %s (seed %d)\n", f.Homes, f.Failure, f.Seed)
	}
	return nil
}

func inSeconds(v float64) string {
	return homefile.Duration(time.Duration(v * float64(time.Second)).Round(time.Second)).String()
}

func inWhole(v float64) string { return fmt.Sprintf("%.0f", v) }

// states says in how many homes an update ended how.
func states(all map[string]int) string {
	var words []string
	for state, n := range all {
		words = append(words, fmt.Sprintf("%d %s", n, state))
	}
	slices.Sort(words)
	return list(words)
}
