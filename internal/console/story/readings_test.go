package story

import (
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/trace"
)

// TestADisplayPrintsAtMostSoOften gives a display three readings at once.
func TestADisplayPrintsAtMostSoOften(t *testing.T) {
	for every, want := range map[time.Duration]int{0: 3, time.Hour: 1} {
		var w strings.Builder
		take := Readings(&w, every).Record
		for range 3 {
			take(&trace.Record{Kind: trace.MirrorRead, Text: "12.345 m³"})
			take(&trace.Record{Kind: trace.TimeSet, Text: "no reading"})
		}
		if got := strings.Count(w.String(), " gas 12.345 m³\n"); got != want || strings.Count(w.String(), "\n") != want {
			t.Errorf("every %s: printed %q, want %d lines", every, w.String(), want)
		}
	}
}
