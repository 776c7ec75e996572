package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/decode"
	"github.com/commshub/commshub/hub/observe"
)

// Frame is a frame of the HAN, decoded.
type Frame struct {
	ID          uint64    `json:"id" doc:"rises by one with each frame"`
	At          time.Time `json:"at"`
	From        han.EUI64 `json:"from"`
	To          han.EUI64 `json:"to"`
	Direction   string    `json:"direction" enum:"up,down" doc:"up: to the hub"`
	Device      han.EUI64 `json:"device" doc:"the end that is not the hub"`
	Cluster     string    `json:"cluster" doc:"4 hex digits"`
	ClusterName string    `json:"cluster_name,omitempty"`
	Name        string    `json:"name" doc:"the command"`
	Detail      string    `json:"detail,omitempty" doc:"what it says, in short"`
	Size        int       `json:"size" doc:"bytes of ZCL"`
	Hex         string    `json:"hex" doc:"the ZCL frame"`
	Error       string    `json:"error,omitempty" doc:"why it could not be decoded"`
}

func (a *API) frame(f *observe.Frame) Frame {
	out := Frame{
		ID: f.ID, At: f.At.UTC(), From: f.Src, To: f.Dst, Direction: "up", Device: f.Src,
		Cluster: fmt.Sprintf("%04X", f.Cluster),
		Size:    len(f.Payload), Hex: fmt.Sprintf("%x", f.Payload),
	}
	if f.Src == a.Config.EUI64 {
		out.Direction, out.Device = "down", f.Dst
	}
	summary, err := decode.Summarize(f.Frame)
	out.ClusterName, out.Name, out.Detail = summary.Cluster, summary.Command, summary.Detail
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

type trafficInput struct {
	Limit   int    `query:"limit" minimum:"1" maximum:"2000" default:"100" doc:"the newest so many"`
	After   uint64 `query:"after" doc:"only frames with a greater id"`
	Device  string `query:"device" doc:"only those of this device, 16 hex digits"`
	Cluster string `query:"cluster" pattern:"^[0-9A-Fa-f]{4}$" doc:"only those of this cluster, 4 hex digits"`
}

type trafficOutput struct {
	Body struct {
		Frames []Frame `json:"frames" doc:"oldest first"`
		Oldest uint64  `json:"oldest" doc:"id of the oldest frame kept"`
		Newest uint64  `json:"newest" doc:"id of the newest frame, 0 before the first"`
	}
}

func (a *API) registerTraffic() {
	register(a, huma.Operation{
		OperationID: "list-traffic", Method: http.MethodGet, Path: "/v1/traffic",
		Summary: "List the newest frames of the HAN, decoded", Tags: []string{"traffic"},
	}, nil, a.listTraffic)
	register(a, huma.Operation{
		OperationID: "read-frame", Method: http.MethodGet, Path: "/v1/traffic/{id}",
		Summary: "Read a frame of the HAN field by field", Tags: []string{"traffic"},
	}, []int{http.StatusNotFound}, a.readFrame)
}

func (a *API) listTraffic(_ context.Context, in *trafficInput) (*trafficOutput, error) {
	var device han.EUI64
	if in.Device != "" {
		var err error
		if device, err = han.ParseEUI64(in.Device); err != nil {
			return nil, invalid("query.device", in.Device, err)
		}
	}
	cluster, err := strconv.ParseUint("0"+in.Cluster, 16, 32)
	if err != nil {
		return nil, invalid("query.cluster", in.Cluster, err)
	}
	frames, oldest, newest := a.Observer.Traffic(in.After, in.Limit, func(f *observe.Frame) bool {
		return (in.Device == "" || f.Src == device || f.Dst == device) && (in.Cluster == "" || uint64(f.Cluster) == cluster)
	})
	out := &trafficOutput{}
	out.Body.Frames, out.Body.Oldest, out.Body.Newest = []Frame{}, oldest, newest
	for i := range frames {
		out.Body.Frames = append(out.Body.Frames, a.frame(&frames[i]))
	}
	return out, nil
}

// FrameFields is a frame field by field.
type FrameFields struct {
	Frame
	Fields []FrameField `json:"fields" doc:"in the order of their bytes"`
}

// FrameField is a named part of a frame.
type FrameField struct {
	Name   string       `json:"name"`
	Value  string       `json:"value,omitempty"`
	Start  int          `json:"start" doc:"offset of its first byte in the ZCL frame"`
	End    int          `json:"end" doc:"offset of the first byte behind it; start if it has no bytes of its own"`
	Fields []FrameField `json:"fields,omitempty" doc:"what it is made of"`
}

type frameInput struct {
	ID uint64 `path:"id" minimum:"1" doc:"of the frame, from a list"`
}

func (a *API) readFrame(_ context.Context, in *frameInput) (*struct{ Body FrameFields }, error) {
	frames, oldest, newest := a.Observer.Traffic(in.ID-1, 1, func(f *observe.Frame) bool { return f.ID == in.ID })
	if len(frames) == 0 {
		kept := fmt.Sprintf("frames %d to %d are", oldest, newest)
		if newest == 0 {
			kept = "none has passed yet"
		}
		return nil, statusProblem(http.StatusNotFound, fmt.Sprintf("frame %d: not kept; %s", in.ID, kept))
	}
	out := &struct{ Body FrameFields }{}
	out.Body.Frame = a.frame(&frames[0])
	tree, _ := decode.Frame(frames[0].Frame) // why it could not be read is in the frame
	out.Body.Fields = fieldsOf(tree.Fields)
	return out, nil
}

func fieldsOf(fields []decode.Field) []FrameField {
	out := make([]FrameField, 0, len(fields))
	for _, f := range fields {
		out = append(out, FrameField{f.Name, f.Value, f.Start, f.End(), fieldsOf(f.Children)})
	}
	return out
}
