package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/commshub/commshub/internal/foreign"
)

// eventRing holds the newest events, encoded once for all readers. A reader has a
// position in it and no buffer of its own, so that a thousand readers that take
// nothing cost no more than one, and publishing never waits for any of them.
type eventRing struct {
	instance string // of ids; "" gives events no id
	maxCount int
	maxBytes int

	mu      sync.Mutex
	events  []event // oldest first, with consecutive numbers
	first   uint64  // number of events[0]
	bytes   int
	arrived chan struct{} // closed when there is another event
	closed  bool
}

// event is one event as it goes over the wire.
type event struct {
	kind string
	wire []byte
}

// Bounds of what is kept for readers that come back.
const (
	ringEvents = 4096
	ringBytes  = 8 << 20
)

func newEventRing(instance string) *eventRing {
	return &eventRing{instance: instance, maxCount: ringEvents, maxBytes: ringBytes, first: 1, arrived: make(chan struct{})}
}

// publish adds an event whose data is v in JSON.
func (r *eventRing) publish(kind string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("api: encode event %s: %v", kind, err))
	}
	r.add(kind, foreign.JSON(data))
}

// add adds an event, and drops the oldest beyond the bounds.
func (r *eventRing) add(kind string, data []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	wire := make([]byte, 0, len(data)+len(kind)+64)
	if r.instance != "" {
		wire = fmt.Appendf(wire, "id: %s\n", r.id(r.first+uint64(len(r.events))))
	}
	wire = fmt.Appendf(wire, "event: %s\ndata: ", kind)
	wire = append(append(wire, data...), "\n\n"...)
	r.events = append(r.events, event{kind, wire})
	r.bytes += len(wire)
	drop := 0
	for len(r.events)-drop > r.maxCount || r.bytes > r.maxBytes && len(r.events)-drop > 1 {
		r.bytes -= len(r.events[drop].wire)
		r.events[drop] = event{}
		drop++
	}
	r.events, r.first = r.events[drop:], r.first+uint64(drop)
	close(r.arrived)
	r.arrived = make(chan struct{})
}

func (r *eventRing) id(n uint64) string { return r.instance + "-" + strconv.FormatUint(n, 10) }

// newest returns the number of the newest event, 0 before the first.
func (r *eventRing) newest() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first + uint64(len(r.events)) - 1
}

// batchBytes is how much a reader is handed at once.
const batchBytes = 64 << 10

// after returns events behind a position that keep accepts, the new position, how
// many events were missed because they were dropped already, and a channel that is
// closed when there is more. A reader that missed some goes on behind the newest:
// it has to load everything anew anyway. more is nil after close.
func (r *eventRing) after(position uint64, keep func(kind string) bool) (batch [][]byte, next, missed uint64, more <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	end := r.first + uint64(len(r.events))
	if r.closed {
		return nil, position, 0, nil
	}
	if position+1 < r.first {
		return nil, end - 1, r.first - position - 1, r.arrived
	}
	size := 0
	for n := position + 1; n < end && size < batchBytes; n++ {
		position = n
		if e := r.events[n-r.first]; keep(e.kind) {
			batch = append(batch, e.wire)
			size += len(e.wire)
		}
	}
	return batch, position, 0, r.arrived
}

// resume returns the position that the id of a client's last event stands for, and
// false if the events since then are not known.
func (r *eventRing) resume(id string) (position uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newest := r.first + uint64(len(r.events)) - 1
	instance, number, _ := strings.Cut(id, "-")
	n, err := strconv.ParseUint(number, 10, 64)
	if instance != r.instance || err != nil || n+1 < r.first || n > newest {
		return newest, false
	}
	return n, true
}

// close ends all readers.
func (r *eventRing) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	r.events = slices.Delete(r.events, 0, len(r.events))
	close(r.arrived)
}
