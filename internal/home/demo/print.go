package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/commshub/commshub/internal/table"
)

// Print writes the report for a person.
func (r Report) Print(w io.Writer) error {
	if len(r.Meters) > 0 {
		t := table.New(w, "METER\tEUI64\tVERSION\tSTATE\tWINDOWS\tBLOCKS\tRETRIES\tRADIO ON\tCHARGE\tEMULATED TIME")
		for _, m := range r.Meters {
			t.Row("%s\t%s\t%s → %s\t%s\t%d\t%d\t%d\t%v\t%.1f µAh\t%v", m.Kind, m.EUI64, m.VersionBefore, m.VersionAfter, m.State,
				m.Windows, m.Blocks, m.Retries, seconds(m.RadioOn).Round(time.Millisecond), m.Charge,
				seconds(m.Took).Round(time.Second))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "outcome: %s\n", r.Outcome)
	return err
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }
