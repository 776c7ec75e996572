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
			if e := heap.peek(); (e != nil) != (len(list) > 0) || e != nil && e.sequence != list[0].sequence {
				t.Fatalf("the heap's first event is %+v, the list has %d events", e, len(list))
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": check,
			"push": func(t *rapid.T) {
				sequence++
				e := heap.push(start.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at"))), sequence)
				e.station = &station{turn: sequence}
				list = append(list, *e)
				slices.SortStableFunc(list, func(a, b event) int { return a.at.Compare(b.at) })
			},
			"drop": func(t *rapid.T) {
				if len(list) == 0 {
					return
				}
				if e := heap.peek(); e.station != list[0].station {
					t.Fatalf("the first event is %d, want %d", e.sequence, list[0].sequence)
				}
				heap.drop()
				list = list[1:]
			},
		})
		if len(heap.pool) > int(sequence) || len(heap.free)+len(heap.order) != len(heap.pool) {
			t.Fatalf("%d places for %d events, %d free", len(heap.pool), len(heap.order), len(heap.free))
		}
	})
}
