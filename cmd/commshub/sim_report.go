package main

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
)

func newLineWriter(w io.Writer) *bufio.Writer { return bufio.NewWriterSize(w, 64<<10) }

// printResults writes the results of runs for a person: a table for each, and
// under it what did not hold.
func printResults(w io.Writer, results []*play.Result) error {
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s: %s, seed %d\n", r.File, orElse(r.Description, "no description"), r.Seed)
		if err := printMeters(w, r.Meters); err != nil {
			return err
		}
		for _, f := range r.Failures {
			fmt.Fprintf(w, "FAILED  %s\n", f)
		}
		fmt.Fprintln(w, verdict(r))
	}
	return nil
}

// printMeters writes the table of one run.
func printMeters(w io.Writer, meters []play.Meter) error {
	t := newTable(w, "METER\tVERSION\tSTATE\tCOMPLETE\tACTIVATED\tWINDOWS\tBLOCKS\tTWICE\tRETRIES\tRADIO ON\tCHARGE\tBATTERY\tALERTS")
	for i := range meters {
		m := &meters[i]
		if !m.Target {
			t.row("%s\t%s\t–\t–\t–\t–\t–\t–\t–\t–\t–\t–\t%s", m.Name, m.Version, list(m.Alerts))
			continue
		}
		t.row("%s\t%s → %s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%v\t%.3f mAh\t%.4f %%\t%s",
			m.Name, m.Before, m.Version, m.State, span(m.CompleteIn()), span(m.ActivatedIn()), windows(m),
			m.Blocks, m.Refetched, m.Retries, time.Duration(m.RadioOnMS)*time.Millisecond, m.Charge/1000, m.Share, list(m.Alerts))
	}
	return t.flush()
}

func windows(m *play.Meter) string {
	if m.Kind != "GSME" {
		return "–"
	}
	return fmt.Sprint(m.Windows)
}

// span writes an emulated time span; 0 stands for one that never ended.
func span(d time.Duration) string {
	if d == 0 {
		return "never"
	}
	return homefile.Duration(d.Round(time.Second)).String()
}

func list(words []string) string {
	if len(words) == 0 {
		return "–"
	}
	text := words[0]
	for _, w := range words[1:] {
		text += " " + w
	}
	return text
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// verdict is the last line on a run.
func verdict(r *play.Result) string {
	end := "settled"
	if !r.Settled {
		end = "ended"
	}
	text := fmt.Sprintf("%s after %s", end, homefile.Duration(time.Duration(r.Seconds*float64(time.Second)).Round(time.Second)))
	switch {
	case r.Checks == 0:
		text += "; nothing was expected"
	case r.Passed():
		text += fmt.Sprintf("; all %d expectations hold", r.Checks)
	default:
		text += fmt.Sprintf("; %d of %d expectations do not hold", len(r.Failures), r.Checks)
	}
	if r.TraceSHA256 != "" {
		text += "; trace " + r.TraceSHA256[:16]
	}
	return text
}
