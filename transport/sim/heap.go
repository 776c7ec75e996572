package sim

import (
	"time"

	"github.com/commshub/commshub/han"
)

type eventKind uint8

const (
	eventTimer eventKind = iota
	eventFrame
	eventPower // a node's power comes back
	eventFunc  // something from outside
)

// event is one thing that happens at an instant.
type event struct {
	at       time.Time
	sequence uint64 // breaks ties in the order of scheduling
	kind     eventKind
	station  int
	frame    han.Frame
	run      func()
}

func (e *event) before(f *event) bool {
	if !e.at.Equal(f.at) {
		return e.at.Before(f.at)
	}
	return e.sequence < f.sequence
}

// eventHeap is a binary heap of indices into a pool of events, so that sifting
// moves integers and not events.
type eventHeap struct {
	order []int32
	pool  []event
	free  []int32
}

func (h *eventHeap) peek() (time.Time, bool) {
	if len(h.order) == 0 {
		return time.Time{}, false
	}
	return h.pool[h.order[0]].at, true
}

func (h *eventHeap) push(e event) {
	var slot int32
	if n := len(h.free); n > 0 {
		slot = h.free[n-1]
		h.free = h.free[:n-1]
		h.pool[slot] = e
	} else {
		slot = int32(len(h.pool))
		h.pool = append(h.pool, e)
	}
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
}

func (h *eventHeap) pop() (event, bool) {
	if len(h.order) == 0 {
		return event{}, false
	}
	slot := h.order[0]
	e := h.pool[slot]
	h.pool[slot] = event{}
	h.free = append(h.free, slot)
	last := len(h.order) - 1
	h.order[0] = h.order[last]
	h.order = h.order[:last]
	h.sink(0)
	return e, true
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

func (h *eventHeap) less(i, j int) bool { return h.pool[h.order[i]].before(&h.pool[h.order[j]]) }
