package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub"
)

// LogEntry is an entry of a log of a meter.
type LogEntry struct {
	At          time.Time `json:"at" doc:"by the meter's own clock"`
	Code        string    `json:"code" doc:"4 hex digits, as of alerts"`
	Name        string    `json:"name" doc:"what the code stands for"`
	Information string    `json:"information,omitempty" doc:"other information, hex digits"`
}

// MeterLog is what a meter said of one of its logs.
type MeterLog struct {
	Device  han.EUI64  `json:"device"`
	Log     string     `json:"log" enum:"event,security"`
	Counter uint64     `json:"counter" doc:"originator counter of the order that was answered"`
	ReadAt  time.Time  `json:"read_at" doc:"when the answer came"`
	Entries []LogEntry `json:"entries" doc:"oldest first, at most 100"`
}

type logInput struct {
	DevicePath
	Log string `path:"log" enum:"event,security"`
}

type logOutput struct{ Body MeterLog }

func (in *logInput) log() gbcs.Log {
	if in.Log == "security" {
		return gbcs.SecurityLog
	}
	return gbcs.EventLog
}

const pathLog = "/v1/devices/{eui64}/logs/{log}"

func (a *API) registerLogs() {
	register(a, huma.Operation{
		OperationID: "read-log", Method: http.MethodPost, Path: pathLog, DefaultStatus: http.StatusAccepted,
		Summary: "Ask a meter for its event log or security log (CS10a, CS10b, ECS35a, ECS35b)", Tags: []string{"supplier"},
		Description: "The answer comes into the list of alerts, and with the order; GET shows what it says.",
	}, changing(http.StatusNotFound, http.StatusConflict), func(_ context.Context, in *logInput) (*struct{}, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		return nil, a.operate(func(_ *hub.Hub, now time.Time, out *han.Outbox) error {
			return a.HeadEnd.ReadLog(now, out, eui, in.log())
		})
	})
	register(a, huma.Operation{
		OperationID: "show-log", Method: http.MethodGet, Path: pathLog,
		Summary: "Show what a meter said last of its event log or security log", Tags: []string{"supplier"},
	}, []int{http.StatusNotFound, http.StatusConflict}, func(_ context.Context, in *logInput) (*logOutput, error) {
		eui, err := in.parse()
		if err != nil {
			return nil, err
		}
		read, ok, err := a.HeadEnd.Log(eui, in.log())
		switch {
		case err != nil:
			return nil, problem(err)
		case !ok:
			return nil, statusProblem(http.StatusNotFound, fmt.Sprintf("device %s: its %s was not read, or what it said is not kept any more", eui, in.log()))
		}
		body := MeterLog{Device: eui, Log: in.Log, Counter: read.Counter, ReadAt: read.At, Entries: []LogEntry{}}
		for _, e := range read.Entries {
			body.Entries = append(body.Entries, LogEntry{
				At: e.Time.Time(), Code: fmt.Sprintf("%04X", uint16(e.Code)), Name: e.Code.String(), Information: fmt.Sprintf("%X", e.Information),
			})
		}
		return &logOutput{Body: body}, nil
	})
}
