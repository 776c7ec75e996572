package judge

import (
	"slices"

	"github.com/commshub/commshub/internal/trace"
)

// Seen counts what homes went through: kinds of records, and steps in the lives of
// orders and updates, such as "update pending to downloading".
type Seen map[string]int

// Marks of what no kind of record tells by itself.
const (
	MarkCutInOperation = "power-cut in the middle of an operation"
	MarkOfferedAgain   = "update offered again"
)

func (s Seen) record(r *trace.Record) {
	s[r.Kind.String()]++
	if r.Kind == trace.PowerCut && r.Count > 0 {
		s[MarkCutInOperation]++
	}
}

// step counts a step in a life.
func (s Seen) step(of, from, to string) { s[of+" "+from+" to "+to]++ }

// Add adds what another home went through.
func (s Seen) Add(other Seen) {
	for mark, n := range other {
		s[mark] += n
	}
}

// Missing returns which of the marks were not seen, sorted.
func (s Seen) Missing(marks []string) []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, m := range marks {
			if s[m] == 0 && !yield(m) {
				return
			}
		}
	})
}
