package story

import (
	"io"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/trace"
)

// Readings returns what prints readings, as the display's screen: each, or the newest at
// most once in a while of wall time.
func Readings(w io.Writer, every time.Duration) han.Observer {
	var printed time.Time
	return han.Observer{Record: func(r *trace.Record) {
		if now := time.Now(); r.Kind == trace.MirrorRead && now.Sub(printed) >= every {
			printed = now
			foreign.Fprintf(w, "%s gas %s\n", r.At.UTC().Format(lineTime), r.Text)
		}
	}}
}
