package console

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/table"
)

// ReadLog asks a meter for its event log or security log, and returns what it answers
// within the time that patience says; with last it returns what it said before. The error
// is [ErrNotAnswered] if the order still waits.
func ReadLog(ctx context.Context, c *client.Client, eui han.EUI64, security, last bool, patience time.Duration) (l api.MeterLog, err error) {
	what, codes := "logs/event", []string{"0014", "0048"}
	if security {
		what, codes = "logs/security", []string{"00A1", "0049"}
	}
	if !last {
		if _, err := ask(ctx, c, eui, what, codes, patience); err != nil {
			return l, err
		}
	}
	err = c.Call(ctx, http.MethodGet, "/v1/devices/"+eui.String()+"/"+what, nil, &l)
	return l, err
}

// WriteLog writes what a meter said of a log.
func WriteLog(w io.Writer, l api.MeterLog) error {
	t := table.New(w, "TIME\tCODE\tEVENT\tOTHER INFORMATION")
	for _, e := range l.Entries {
		t.Row("%s\t%s\t%s\t%s", e.At.Format(time.RFC3339), e.Code, e.Name, cmp.Or(e.Information, "-"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	foreign.Fprintf(w, "\n%s log of %s as of %s\n", l.Log, l.Device, l.ReadAt.Format(time.RFC3339))
	return nil
}
