package sim

import (
	"time"

	"github.com/commshub/commshub/han"
)

type eventKind uint8

const (
	eventFrame eventKind = iota
	eventPower           // a node's power comes back
	eventFunc            // something from outside
)

// event is one thing that happens at an instant, other than a node's deadline.
type event struct {
	at       time.Time
	sequence uint64 // breaks ties in the order of scheduling
	kind     eventKind
	station  *station
	frame    han.Frame
	run      func()
}

// before orders instants, and what happens at the same one in the order of scheduling.
func before(at time.Time, turn uint64, other time.Time, otherTurn uint64) bool {
	if at.Equal(other) {
		return turn < otherTurn
	}
	return at.Before(other)
}

// eventHeap is a binary heap of indices into a pool of events, so that sifting
// moves integers and not events.
type eventHeap struct {
	order []int32
	pool  []event
	free  []int32
}

// peek returns the first event, nil if there is none. It is valid until the next push.
func (h *eventHeap) peek() *event {
	if len(h.order) == 0 {
		return nil
	}
	return &h.pool[h.order[0]]
}

// push adds an event and returns it, to be filled in before anything else is pushed.
func (h *eventHeap) push(at time.Time, sequence uint64) *event {
	var slot int32
	if n := len(h.free); n > 0 {
		slot = h.free[n-1]
		h.free = h.free[:n-1]
	} else {
		slot = int32(len(h.pool))
		h.pool = append(h.pool, event{})
	}
	e := &h.pool[slot]
	e.at, e.sequence = at, sequence
	h.order = append(h.order, slot)
	i := len(h.order) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			break
		}
		h.order[i], h.order[parent] = h.order[parent], h.order[i]
		i = parent
	}
	return e
}

// drop removes the first event; there must be one.
func (h *eventHeap) drop() {
	slot := h.order[0]
	h.pool[slot] = event{}
	h.free = append(h.free, slot)
	last := len(h.order) - 1
	h.order[0] = h.order[last]
	h.order = h.order[:last]
	h.sink(0)
}

func (h *eventHeap) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.order) {
			return
		}
		if child+1 < len(h.order) && h.less(child+1, child) {
			child++
		}
		if !h.less(child, i) {
			return
		}
		h.order[i], h.order[child] = h.order[child], h.order[i]
		i = child
	}
}

func (h *eventHeap) less(i, j int) bool {
	a, b := &h.pool[h.order[i]], &h.pool[h.order[j]]
	return before(a.at, a.sequence, b.at, b.sequence)
}
