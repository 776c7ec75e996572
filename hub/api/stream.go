package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/commshub/commshub/internal/foreign"
)

// What a stream of events does with its readers.
const (
	maxReaders  = 500
	pulse       = 15 * time.Second // between signs of life on a quiet stream
	reconnectMS = 1000
)

// eventKinds are the kinds of event that can be asked for. The others, hello and
// lost, come always.
var eventKinds = []string{
	"device", "device-removed", "image", "image-removed", "update", "window", "alert", "messages", "mirror", "battery", "clock",
	"broker", "lab", "record", kindTraffic,
}

const (
	kindTraffic = "traffic"
	kindLost    = "lost"
)

// readers counts who reads.
type readers struct{ all, traffic, captures atomic.Int64 }

// Readers returns how many read the stream.
func (a *API) Readers() int { return int(a.readers.all.Load()) }

// hello is the first event of a stream.
type hello struct {
	Instance string `json:"instance"`
	Version  string `json:"version"`
	Lab      bool   `json:"lab"`
	Auth     string `json:"auth"`
	Clock    Clock  `json:"clock"`
	Newest   string `json:"newest"`
}

type lost struct {
	Missed uint64 `json:"missed"`
}

func (a *API) registerStream(mux *http.ServeMux) {
	const id = "stream-events"
	mux.HandleFunc("GET /events", a.stream)
	a.failures[id] = []int{http.StatusServiceUnavailable}
	text := &huma.Schema{Type: huma.TypeString}
	a.described.OpenAPI().AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: "/events",
		Summary: "Follow what happens, as server-sent events", Tags: []string{"traffic"},
		Description: "The first event is hello. Data is JSON. After lost, events are missing: load everything anew. docs/api.md lists the kinds.",
		Parameters: []*huma.Param{
			{Name: "types", In: "query", Description: "kinds of event, separated by commas: " + strings.Join(eventKinds, ", ") + "; default: all but traffic", Schema: text},
			{Name: "last_event_id", In: "query", Description: "as Last-Event-ID, for who cannot set it", Schema: text},
			{Name: "Last-Event-ID", In: "header", Description: "id of the last event taken: those since then come first", Schema: text},
		},
		Responses: map[string]*huma.Response{"200": {Description: "Events", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: text}}}},
	})
}

// choice reads which kinds of event somebody wants.
func choice(r *http.Request) (wanted map[string]bool, err error) {
	for key := range r.URL.Query() {
		if key != "types" && key != "last_event_id" {
			return nil, invalid("query."+key, r.URL.Query().Get(key), errors.New("unknown query parameter"))
		}
	}
	wanted = map[string]bool{kindLost: true}
	types := r.URL.Query().Get("types")
	if types == "" {
		for _, k := range eventKinds {
			wanted[k] = k != kindTraffic
		}
		return wanted, nil
	}
	for k := range strings.SplitSeq(types, ",") {
		if !slices.Contains(eventKinds, k) {
			return nil, invalid("query.types", types, fmt.Errorf("kind of event %q: want some of %s", k, strings.Join(eventKinds, ", ")))
		}
		wanted[k] = true
	}
	return wanted, nil
}

// stream serves one reader until it goes away or the hub stops.
func (a *API) stream(w http.ResponseWriter, r *http.Request) {
	wanted, err := choice(r)
	if err != nil {
		writeProblem(w, err)
		return
	}
	if a.readers.all.Add(1) > maxReaders {
		a.readers.all.Add(-1)
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d read the events already", maxReaders))
		return
	}
	defer a.readers.all.Add(-1)
	if wanted[kindTraffic] {
		a.readers.traffic.Add(1)
		defer a.readers.traffic.Add(-1)
	}
	s := &reader{api: a, w: w, control: http.NewResponseController(w), wanted: wanted}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	s.begin(r)
	s.run(r)
}

// reader is one reader's place in the stream.
type reader struct {
	api       *API
	w         http.ResponseWriter
	control   *http.ResponseController
	wanted    map[string]bool
	position  uint64
	inTraffic uint64
	out       bytes.Buffer
}

// begin writes what comes first: hello, and lost if there is a gap.
func (s *reader) begin(r *http.Request) {
	a := s.api
	_ = s.control.SetReadDeadline(time.Time{}) // the request is read; it may stay open
	s.inTraffic = a.traffic.newest()
	s.position = a.events.newest()
	known := true
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		id = r.URL.Query().Get("last_event_id")
	}
	if id != "" {
		s.position, known = a.events.resume(id)
	}
	h := a.hub()
	fmt.Fprintf(&s.out, "retry: %d\n\n", reconnectMS)
	s.tell("hello", hello{a.instance, a.Version, h.Lab, h.Auth, a.clock(), a.events.id(a.events.newest())})
	if !known {
		s.tell(kindLost, lost{})
	}
	s.sign()
}

// tell writes an event of this reader's own.
func (s *reader) tell(kind string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("api: encode event %s: %v", kind, err))
	}
	fmt.Fprintf(&s.out, "event: %s\ndata: %s\n\n", kind, foreign.JSON(data))
}

// sign writes a sign of life that also tells the reader its position: kinds it did
// not ask for count as taken.
func (s *reader) sign() { fmt.Fprintf(&s.out, ": hb\nid: %s\n\n", s.api.events.id(s.position)) }

// run passes events on.
func (s *reader) run(r *http.Request) {
	alive := time.NewTicker(pulse)
	defer alive.Stop()
	for {
		more, moreTraffic, ok := s.collect()
		if !ok || !s.flush() {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-more:
		case <-moreTraffic:
		case <-alive.C:
			s.sign()
		}
	}
}

// collect gathers what is new. ok is false if the hub stops.
func (s *reader) collect() (more, moreTraffic <-chan struct{}, ok bool) {
	more, ok = s.collectFrom(s.api.events, &s.position)
	if ok && s.wanted[kindTraffic] {
		moreTraffic, ok = s.collectFrom(s.api.traffic, &s.inTraffic)
	}
	return more, moreTraffic, ok
}

func (s *reader) collectFrom(ring *eventRing, position *uint64) (more <-chan struct{}, ok bool) {
	for s.out.Len() < batchBytes {
		batch, next, missed, arrived := ring.after(*position, func(kind string) bool { return s.wanted[kind] })
		if arrived == nil {
			return nil, false
		}
		more = arrived
		if missed > 0 && ring == s.api.events {
			s.tell(kindLost, lost{missed})
		}
		for _, wire := range batch {
			s.out.Write(wire)
		}
		if next == *position {
			return more, true
		}
		*position = next
	}
	ready := make(chan struct{})
	close(ready)
	return ready, true // there may be more at once
}

// flush hands what was gathered to the connection. A reader that does not take it
// is let go.
func (s *reader) flush() bool {
	if s.out.Len() == 0 {
		return true
	}
	_ = s.control.SetWriteDeadline(time.Now().Add(s.api.Patience)) // not every connection has one
	_, err := s.w.Write(s.out.Bytes())
	if err == nil {
		err = s.control.Flush()
	}
	s.out.Reset()
	return err == nil
}
