package told

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
	"github.com/commshub/commshub/internal/table"
)

// Street writes how a street went.
func Street(w io.Writer, r *play.Street) error {
	foreign.Fprintf(w, "%s: %s, %d homes, seeds %d to %d\n", r.File, cmp.Or(r.Description, "no description"),
		r.Homes, r.Seed, r.Seed+uint64(r.Homes)-1)
	t := table.New(w, "METER\tFIGURE\tHOMES\tMIN\tMEDIAN\t90 %\t99 %\tMAX\tMAX AT SEED")
	for i := range r.Meters {
		m := &r.Meters[i]
		rows := []struct {
			name   string
			spread play.Spread
			form   func(float64) string
		}{
			{"complete", m.Complete, inSeconds}, {"activated", m.Activated, inSeconds},
			{"windows", m.Windows, inWhole}, {"blocks twice", m.Refetched, inWhole}, {"retries", m.Retries, inWhole},
			{"radio on", m.RadioOn, func(v float64) string { return seconds(v).Round(time.Millisecond).String() }},
			{"charge", m.Charge, func(v float64) string { return fmt.Sprintf("%.3f mAh", v/1000) }},
		}
		for _, row := range rows {
			if s := row.spread; s.Homes > 0 && (m.Kind == "GSME" || row.name != "windows") {
				t.Row("%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%d", m.Name, row.name, s.Homes,
					row.form(s.Min), row.form(s.P50), row.form(s.P90), row.form(s.P99), row.form(s.Max), s.MaxSeed)
			}
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range r.Meters {
		foreign.Fprintf(w, "%s: %s\n", r.Meters[i].Name, states(r.Meters[i].States))
	}
	for _, f := range r.Failures {
		foreign.Fprintf(w, "FAILED  in %d homes  %s (seed %d)\n", f.Homes, f.Failure, f.Seed)
	}
	return nil
}

func inSeconds(v float64) string {
	return homefile.Seconds(v).String()
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
