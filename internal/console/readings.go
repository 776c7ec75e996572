package console

import (
	"cmp"
	"io"
	"time"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/table"
)

// WriteReadings writes the last readings of a meter, and those that are not believed.
func WriteReadings(w io.Writer, m api.Mirror) error {
	t := table.New(w, "ATTRIBUTE\tNAME\tVALUE")
	for _, a := range append(m.Attributes, m.Account...) {
		t.Row("%s\t%s\t%s", a.ID, cmp.Or(a.Name, "-"), cmp.Or(a.Text, a.Value))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if at := cmp.Or(m.RegisterAt, m.UpdatedAt); at != nil {
		foreign.Fprintf(w, "\nread at %s\n", at.Format(time.RFC3339))
	}
	if len(m.Quarantine) == 0 {
		return nil
	}
	foreign.Fprintf(w, "\nNot believed:\n")
	t = table.New(w, "ATTRIBUTE\tNAME\tVALUE\tRULE\tSINCE\tCOUNT\tNOW")
	for _, q := range m.Quarantine {
		now := "held"
		switch {
		case q.Over:
			now = "over"
		case q.Acceptable:
			now = "held, device accept believes it"
		}
		t.Row("%s\t%s\t%s\t%s\t%s\t%d\t%s", q.Attribute.ID, cmp.Or(q.Attribute.Name, "-"), cmp.Or(q.Attribute.Text, q.Attribute.Value),
			q.Rule, q.Since.Format(time.RFC3339), q.Count, now)
	}
	return t.Flush()
}
