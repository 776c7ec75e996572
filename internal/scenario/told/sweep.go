package told

import (
	"io"
	"strings"
	"time"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/scenario/sweep"
	"github.com/commshub/commshub/internal/table"
)

// Sweep writes the table of a sweep.
func Sweep(w io.Writer, sw *sweep.Sweep, rows []sweep.Row) error {
	foreign.Fprintf(w, "%s: meter %s, %s of each combination\n", sw.File, sw.Meter, Count(sw.Seeds, "run"))
	var head []string
	for _, a := range sw.Axes {
		head = append(head, strings.ToUpper(a.Name()))
	}
	t := table.New(w, strings.Join(head, "\t")+"\tDONE\tCOMPLETE\tSLOWEST\tWINDOWS\tRETRIES\tRADIO ON\tCHARGE\tBATTERY\tHOLDS\t")
	for i := range rows {
		r := &rows[i]
		star := ""
		if r.Pareto {
			star = "*"
		}
		var cells []any
		for _, v := range r.Values {
			cells = append(cells, v)
		}
		cells = append(cells, r.Completed, r.Runs, sweep.Span(r.Completed, r.Complete.Mean), sweep.Span(r.Completed, r.Complete.Max),
			r.Windows.Mean, r.Retries.Mean, seconds(r.RadioOn.Mean).Round(10*time.Millisecond),
			r.Charge.Mean/1000, r.UsedPercent.Mean, r.Held, r.Runs, star)
		t.Row(strings.Repeat("%s\t", len(r.Values))+"%d/%d\t%s\t%s\t%.1f\t%.1f\t%v\t%.4f mAh\t%.6f %%\t%d/%d\t%s", cells...)
	}
	return t.Flush()
}
