package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// InboxEntry is an entry of the supplier's inbox: an alert or a response.
type InboxEntry struct {
	Sequence    uint64     `json:"sequence" doc:"rises by one with each entry"`
	At          *time.Time `json:"at,omitempty"`
	Device      han.EUI64  `json:"device"`
	Code        string     `json:"code,omitempty" doc:"GBCS alert code, 4 hex digits; none for a response"`
	Name        string     `json:"name,omitempty" doc:"the alert's name"`
	Message     string     `json:"message,omitempty" doc:"GBCS message code, 4 hex digits; none for what the head end itself has to say"`
	MessageName string     `json:"message_name,omitempty" doc:"the use case's name"`
	Text        string     `json:"text"`
	Bytes       string     `json:"bytes,omitempty" doc:"the GBCS message in hex; only of a single entry"`
}

func inboxEntryOf(r store.InboxEntry) InboxEntry {
	out := InboxEntry{Sequence: r.Sequence, At: instant(r.At), Device: r.Device, Text: r.Text}
	if r.Code != 0 {
		out.Code, out.Name = fmt.Sprintf("%04X", r.Code), gbcs.AlertCode(r.Code).String()
	}
	if r.MessageCode != 0 {
		out.Message, out.MessageName = fmt.Sprintf("%04X", r.MessageCode), gbcs.MessageCode(r.MessageCode).String()
	}
	return out
}

type alertsInput struct {
	Paging
	After  uint64 `query:"after" doc:"only entries after this sequence number"`
	Order  string `query:"order" enum:"oldest,newest" default:"oldest" doc:"which comes first"`
	Device string `query:"device" doc:"only those about this device, 16 hex digits"`
}

type alertsOutput struct {
	Body struct {
		Alerts []InboxEntry `json:"alerts"`
		Next   string       `json:"next,omitempty" doc:"cursor of the next page"`
	}
}

type alertInput struct {
	Sequence uint64 `path:"sequence" minimum:"1"`
}

type alertOutput struct{ Body InboxEntry }

func (a *API) registerAlerts() {
	register(a, huma.Operation{
		OperationID: "list-alerts", Method: http.MethodGet, Path: "/v1/alerts",
		Summary: "List alerts and responses", Tags: []string{"supplier"},
	}, nil, a.listAlerts)
	register(a, huma.Operation{
		OperationID: "read-alert", Method: http.MethodGet, Path: "/v1/alerts/{sequence}",
		Summary: "Read an alert or response with the bytes of its message", Tags: []string{"supplier"},
	}, []int{http.StatusNotFound}, func(_ context.Context, in *alertInput) (*alertOutput, error) {
		found := a.Store.Inbox(in.Sequence-1, 1)
		if len(found) == 0 || found[0].Sequence != in.Sequence {
			return nil, statusProblem(http.StatusNotFound, fmt.Sprintf("alert %d: not kept (any more)", in.Sequence))
		}
		out := inboxEntryOf(found[0])
		out.Bytes = hex.EncodeToString(found[0].Bytes)
		return &alertOutput{Body: out}, nil
	})
}

func (a *API) listAlerts(_ context.Context, in *alertsInput) (*alertsOutput, error) {
	keep := func(store.InboxEntry) bool { return true }
	if in.Device != "" {
		eui, err := han.ParseEUI64(in.Device)
		if err != nil {
			return nil, invalid("query.device", in.Device, err)
		}
		keep = func(r store.InboxEntry) bool { return r.Device == eui }
	}
	from, err := in.from()
	if err != nil {
		return nil, err
	}
	scan := a.alertsUp
	if in.Order == "newest" {
		scan = a.alertsDown
	}
	out := &alertsOutput{}
	out.Body.Alerts = []InboxEntry{}
	for _, r := range scan(from, in.After, in.Limit+1, keep) {
		if n := len(out.Body.Alerts); n == in.Limit {
			out.Body.Next = cursorOf(strconv.FormatUint(out.Body.Alerts[n-1].Sequence, 10))
			break
		}
		out.Body.Alerts = append(out.Body.Alerts, inboxEntryOf(r))
	}
	return out, nil
}

// from returns the sequence number that the cursor stands for, 0 without one.
func (in *alertsInput) from() (uint64, error) {
	key, err := in.after()
	if err != nil || in.Cursor == "" {
		return 0, err
	}
	n, err := strconv.ParseUint(key, 10, 64)
	if err != nil {
		return 0, invalid("query.cursor", in.Cursor, fmt.Errorf("cursor %q: %w", in.Cursor, errCursor))
	}
	return n, nil
}

// alertChunk is how many entries are looked at at once.
const alertChunk = 500

// alertsUp returns entries after from and after, oldest first.
func (a *API) alertsUp(from, after uint64, limit int, keep func(store.InboxEntry) bool) []store.InboxEntry {
	var out []store.InboxEntry
	for at := max(from, after); len(out) < limit; {
		chunk := a.Store.Inbox(at, alertChunk)
		if len(chunk) == 0 {
			break
		}
		at = chunk[len(chunk)-1].Sequence
		out = append(out, slices.DeleteFunc(chunk, func(r store.InboxEntry) bool { return !keep(r) })...)
	}
	return out[:min(limit, len(out))]
}

// alertsDown returns entries before from, if it is not 0, and after after, newest
// first.
func (a *API) alertsDown(from, after uint64, limit int, keep func(store.InboxEntry) bool) []store.InboxEntry {
	if newest := a.Store.LastInbox() + 1; from == 0 || from > newest {
		from = newest
	}
	if oldest := a.Store.Inbox(0, 1); len(oldest) > 0 {
		after = max(after, oldest[0].Sequence-1)
	}
	var out []store.InboxEntry
	for before := from; before > after+1 && len(out) < limit; {
		start := max(after, before-min(before, alertChunk))
		chunk := slices.DeleteFunc(a.Store.Inbox(start, int(before-1-start)), func(r store.InboxEntry) bool { return r.Sequence >= before || !keep(r) })
		slices.Reverse(chunk)
		out = append(out, chunk...)
		before = start + 1
	}
	return out[:min(limit, len(out))]
}
