package sim

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestTheHeapYieldsEventsAsASortedListDoes compares the heap with the simplest thing
// that could work.
func TestTheHeapYieldsEventsAsASortedListDoes(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var heap eventHeap
		var list []event
		sequence := uint64(0)
		check := func(t *rapid.T) {
			at, ok := heap.peek()
			if ok != (len(list) > 0) || ok && !at.Equal(list[0].at) {
				t.Fatalf("the heap's first event is at %v (%v), the list has %d events", at, ok, len(list))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": check,
			"push": func(t *rapid.T) {
				sequence++
				e := event{at: start.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at"))), sequence: sequence, station: int(sequence)}
				heap.push(e)
				list = append(list, e)
				slices.SortStableFunc(list, func(a, b event) int { return a.at.Compare(b.at) })
			},
			"pop": func(t *rapid.T) {
				e, ok := heap.pop()
				if !ok {
					return // the check compares with the list
				}
				if e.sequence != list[0].sequence || e.station != list[0].station {
					t.Fatalf("popped event %d, want %d", e.sequence, list[0].sequence)
				}
				list = list[1:]
			},
		})
		if len(heap.pool) > int(sequence) || len(heap.free)+len(heap.order) != len(heap.pool) {
			t.Fatalf("%d places for %d events, %d free", len(heap.pool), len(heap.order), len(heap.free))
		}
	})
}
