// Package table writes aligned columns for people.
package table

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/commshub/commshub/internal/foreign"
)

// Table is a table whose rows wait until all are there.
type Table struct{ w *tabwriter.Writer }

// New begins a table with the heads of its columns, separated by tabs.
func New(w io.Writer, header string) Table {
	t := Table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	fmt.Fprintln(t.w, header)
	return t
}

// Row adds a row of cells separated by tabs. Text in a cell can have any origin.
func (t Table) Row(format string, args ...any) { foreign.Fprintf(t.w, format+"\n", args...) }

// Flush writes the table.
func (t Table) Flush() error { return t.w.Flush() }
