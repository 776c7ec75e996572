package live

import (
	"container/heap"
	"time"

	"github.com/commshub/commshub/han"
)

type entryKind uint8

const (
	entryFrame   entryKind = iota // a frame is due at its receiver
	entryPower                    // a node's power comes back
	entryCommand                  // something from outside
	entryGone                     // a frame that will not come; nothing happens
)

// entry is one thing that is to be done at an instant, other than a node's deadline.
type entry struct {
	at     time.Time
	turn   uint64 // breaks ties, in the order of scheduling
	kind   entryKind
	driver *Driver // of the frame's receiver, or the node without power
	run    func()

	// Of a frame.
	frame   han.Frame
	memory  []byte    // for a payload that has to wait
	arrived bool      // the link brought it
	passed  bool      // the laboratory has had its turn
	missed  time.Time // wall instant at which the clock began to wait for it
	number  uint64    // in flight under this number within the process; 0 if it came from outside
}

// before orders instants, and what happens at the same one in the order of scheduling.
func before(at time.Time, turn uint64, other time.Time, otherTurn uint64) bool {
	if at.Equal(other) {
		return turn < otherTurn
	}
	return at.Before(other)
}

// queue is a heap of entries. A home has a handful at a time.
type queue []*entry

// Len implements heap.Interface.
func (q queue) Len() int { return len(q) }

// Less implements heap.Interface.
func (q queue) Less(i, j int) bool { return before(q[i].at, q[i].turn, q[j].at, q[j].turn) }

// Swap implements heap.Interface.
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*entry)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}

// first returns the entry that is due first, nil if there is none.
func (q queue) first() *entry {
	if len(q) == 0 {
		return nil
	}
	return q[0]
}

func (q *queue) add(e *entry) { heap.Push(q, e) }
func (q *queue) drop()        { heap.Pop(q) }
