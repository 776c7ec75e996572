package main

import (
	"fmt"
	"io"
	"time"

	"github.com/commshub/commshub/internal/trace"
)

// displayRecords prints readings, as the display's screen: each, or the newest at
// most once in a while of wall time.
func displayRecords(w io.Writer, every time.Duration, next func(r *trace.Record)) func(r *trace.Record) {
	var printed time.Time
	return func(r *trace.Record) {
		if now := time.Now(); r.Kind == trace.MirrorRead && now.Sub(printed) >= every {
			printed = now
			fmt.Fprintf(w, "%s gas %s\n", r.At.UTC().Format(viewTime), r.Text)
		}
		next(r)
	}
}
