// Package told says in plain text what came of scenarios: of runs, of streets of homes,
// of sweeps and of chaos.
package told

import (
	"cmp"
	"fmt"
	"io"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/scenario/homefile"
	"github.com/commshub/commshub/internal/scenario/play"
	"github.com/commshub/commshub/internal/table"
)

// Results writes the results of runs for a person: a table for each, and
// under it what did not hold.
func Results(w io.Writer, results []*play.Result) error {
	for i, r := range results {
		if i > 0 {
			fmt.Fprintln(w)
		}
		foreign.Fprintf(w, "%s: %s, seed %d\n", r.File, cmp.Or(r.Description, "no description"), r.Seed)
		if err := printMeters(w, r.Meters); err != nil {
			return err
		}
		for i := range r.Meters {
			if m := &r.Meters[i]; m.Reason != "" && m.State != store.UpdateActivated.String() {
				foreign.Fprintf(w, "%s: %s\n", m.Name, m.Reason)
			}
		}
		for _, f := range r.Failures {
			foreign.Fprintf(w, "FAILED  %s\n", f)
		}
		fmt.Fprintln(w, verdict(r))
	}
	return nil
}

// printMeters writes the table of one run.
func printMeters(w io.Writer, meters []play.Meter) error {
	t := table.New(w, "METER\tVERSION\tSTATE\tCOMPLETE\tACTIVATED\tWINDOWS\tBLOCKS\tTWICE\tRETRIES\tRADIO ON\tCHARGE\tBATTERY\tLEFT\tDAYS LEFT\tALERTS")
	for i := range meters {
		m := &meters[i]
		if !m.Target {
			t.Row("%s\t%s\t–\t–\t–\t–\t–\t–\t–\t–\t–\t–\t%s\t%s\t%s", m.Name, m.Version, percentLeft(m), daysLeft(m), list(m.Alerts))
			continue
		}
		t.Row("%s\t%s → %s\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%v\t%.3f mAh\t%.6f %%\t%s\t%s\t%s",
			m.Name, m.Before, m.Version, m.State, span(m.CompleteIn()), span(m.ActivatedIn()), windows(m),
			m.Blocks, m.Refetched, m.Retries, seconds(m.RadioOn).Round(time.Millisecond), m.Charge/1000, m.Share, percentLeft(m), daysLeft(m), list(m.Alerts))
	}
	return t.Flush()
}

// percentLeft and daysLeft say what is left of a gas meter's cell at the end.
func percentLeft(m *play.Meter) string {
	if m.Kind != "GSME" {
		return "–"
	}
	return battery.Percent(m.Left)
}

func daysLeft(m *play.Meter) string {
	if m.DaysLeft == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", m.DaysLeft)
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

// verdict is the last line on a run.
func verdict(r *play.Result) string {
	end := "settled"
	if !r.Settled {
		end = "ended"
	}
	text := fmt.Sprintf("%s after %s", end, homefile.Seconds(r.Seconds))
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

// seconds returns what a report gives in seconds.
func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }

// Count says how many there are of something.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Failures says in one line how many expectations do not hold in how many scenarios;
// nothing if all hold.
func Failures(results []*play.Result) string {
	failures, scenarios := 0, 0
	for _, r := range results {
		failures += len(r.Failures)
		if !r.Passed() {
			scenarios++
		}
	}
	if failures == 0 {
		return ""
	}
	return DoNotHold(failures) + " in " + Count(scenarios, "scenario")
}

// DoNotHold says of so many expectations that they do not.
func DoNotHold(n int) string {
	if n == 1 {
		return "1 expectation does not hold"
	}
	return fmt.Sprintf("%d expectations do not hold", n)
}
