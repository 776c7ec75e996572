package main

import (
	"fmt"
	"io"

	"github.com/commshub/commshub/internal/trace"
)

// displayRecords prints each reading, as the display's screen.
func displayRecords(w io.Writer, next func(r *trace.Record)) func(r *trace.Record) {
	return func(r *trace.Record) {
		if r.Kind == trace.MirrorRead {
			fmt.Fprintf(w, "%s gas %s\n", r.At.UTC().Format(viewTime), r.Text)
		}
		next(r)
	}
}
