package told

import (
	"fmt"
	"io"
	"strings"

	"github.com/commshub/commshub/internal/scenario/chaos"
)

// Chaos writes a report.
func Chaos(w io.Writer, r *chaos.Report) error {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "BROKEN  %s\n", f.What)
		fmt.Fprintf(w, "  in %s of %d; seed %d: %s\n\n", Count(f.Seeds, "home"), r.Played, f.Seed, f.Text)
		for line := range strings.Lines(f.Scenario) {
			fmt.Fprint(w, "    ", line)
		}
		fmt.Fprintln(w)
	}
	if len(r.Missing) > 0 {
		fmt.Fprintf(w, "NEVER EXERCISED  %s\n", strings.Join(r.Missing, ", "))
	}
	verdict := "no promise is broken"
	if n := len(r.Findings); n > 0 {
		verdict = Count(n, "promise") + " broken"
	}
	_, err := fmt.Fprintf(w, "%s, seeds %d to %d: %s\n", Count(r.Played, "home"), r.First, r.First+uint64(max(1, r.Seeds))-1, verdict)
	return err
}
