package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/capture"
	"github.com/commshub/commshub/hub/observe"
)

const pathCapture = "/v1/capture"

// What a capture does with its readers. Frames wait for one in the observer's ring
// alone: who is slower than that loses frames, and the capture says how many.
const (
	maxCaptures  = 20
	captureEvery = 50 * time.Millisecond
)

// registerCapture serves the traffic as Wireshark reads it. It streams, so it is
// handled outside huma and only described here.
func (a *API) registerCapture(mux *http.ServeMux) {
	const id = "capture-traffic"
	mux.HandleFunc("GET "+pathCapture, func(w http.ResponseWriter, r *http.Request) {
		if err := a.capture(w, r); err != nil {
			writeProblem(w, err)
		}
	})
	a.failures[id] = []int{http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	text := func(t string) *huma.Schema { return &huma.Schema{Type: t} }
	a.described.OpenAPI().AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: pathCapture,
		Summary: "Capture the frames of the HAN, as pcapng for Wireshark", Tags: []string{"traffic"},
		Description: "The frames that are kept, or with follow those from now on until the connection ends. MAC, NWK and APS headers are synthetic. A packet before which frames are missing, because the reader was too slow for what the hub keeps, says how many.",
		Parameters: []*huma.Param{
			{Name: "device", In: "query", Description: "only those of this device, 16 hex digits", Schema: text(huma.TypeString)},
			{Name: "follow", In: "query", Description: "go on as frames pass", Schema: text(huma.TypeBoolean)},
			{Name: "after", In: "query", Description: "only frames with a greater id; 0 for all that are kept; default: 0, with follow those from now on", Schema: text(huma.TypeInteger)},
		},
		Responses: map[string]*huma.Response{"200": {Description: "The capture", Content: map[string]*huma.MediaType{
			"application/x-pcapng": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}},
	})
}

// captured is one reader's place in the traffic.
type captured struct {
	encoder *capture.Encoder
	device  han.EUI64 // 0 for all
	follow  bool
	next    uint64 // ID of the frame that is expected; 0 for any
	after   uint64
	blocks  []byte
}

// capture serves one capture.
func (a *API) capture(w http.ResponseWriter, r *http.Request) error {
	c := &captured{encoder: capture.New(a.Config.EUI64, &a.Config.Battery.Radio)}
	if err := c.choose(a.Observer, r); err != nil {
		return err
	}
	defer a.readers.captures.Add(-1)
	if a.readers.captures.Add(1) > maxCaptures {
		w.Header().Set("Retry-After", "5")
		return statusProblem(http.StatusServiceUnavailable, fmt.Sprintf("%d read captures already", maxCaptures))
	}
	w.Header().Set("Content-Type", "application/x-pcapng")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="han-%s.pcapng"`, a.Config.EUI64))
	w.Header().Set("Cache-Control", "no-store")
	c.blocks = c.encoder.AppendHeader(nil)
	c.collect(a.Observer)
	if !c.follow {
		c.blocks = c.encoder.Statistics().Append(c.blocks)
		_, _ = w.Write(c.blocks) // the client is gone if this fails
		return nil
	}
	c.run(a, w, r)
	return nil
}

// choose reads what somebody wants.
func (c *captured) choose(o *observe.Observer, r *http.Request) error {
	query := r.URL.Query()
	for key := range query {
		value := query.Get(key)
		var err error
		switch key {
		case "device":
			c.device, err = han.ParseEUI64(value)
		case "follow":
			if c.follow, err = strconv.ParseBool(value); err != nil {
				err = fmt.Errorf("follow %q: want true or false", value)
			}
		case "after":
			if c.after, err = strconv.ParseUint(value, 10, 63); err != nil {
				err = fmt.Errorf("after %q: want the id of a frame", value)
			}
			if c.after > 0 { // else nobody misses what is not kept any more
				c.next = c.after + 1
			}
		default:
			err = errors.New("unknown query parameter")
		}
		if err != nil {
			return invalid("query."+key, value, err)
		}
	}
	if c.follow && !query.Has("after") {
		c.after = o.NewestFrame()
		c.next = c.after + 1
	}
	return nil
}

// collect gathers what is new.
func (c *captured) collect(o *observe.Observer) {
	o.Follow(c.after, func(f *observe.Frame) {
		if c.next != 0 && f.ID > c.next {
			c.encoder.Drop(f.ID - c.next)
		}
		c.after, c.next = f.ID, f.ID+1
		if c.device == 0 || f.Src == c.device || f.Dst == c.device {
			c.blocks = c.encoder.AppendFrame(c.blocks, f.At, &f.Frame, f.Fate)
		}
	})
}

// run passes frames on until the reader goes away or the hub stops. When none pass, the
// statistics are a sign of life.
func (c *captured) run(a *API, w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // the request is read; it may stay open
	look, alive := time.NewTicker(captureEvery), time.NewTicker(pulse)
	defer look.Stop()
	defer alive.Stop()
	for {
		if len(c.blocks) > 0 {
			_ = control.SetWriteDeadline(time.Now().Add(a.Patience)) // not every connection has one
			if _, err := w.Write(c.blocks); err != nil || control.Flush() != nil {
				return
			}
			c.blocks = c.blocks[:0]
		}
		select {
		case <-r.Context().Done():
			return
		case <-a.stopped:
			return
		case <-alive.C:
			c.blocks = c.encoder.Statistics().Append(c.blocks)
		case <-look.C:
			c.collect(a.Observer)
		}
	}
}
