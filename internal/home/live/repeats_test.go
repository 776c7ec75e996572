package live

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/trace"
)

// TestWhatGoesOnIsToldOnce, and again when it changed, of each by itself, or after a while.
func TestWhatGoesOnIsToldOnce(t *testing.T) {
	var r Repeats
	start := time.Now()
	for i, tt := range []struct {
		of    uint64
		text  string
		after time.Duration
		want  bool
	}{
		{1, "full", 0, false}, {1, "full", time.Second, true}, {2, "full", time.Second, false}, {1, "bad", 2 * time.Second, false},
		{1, "full", 3 * time.Second, false}, {1, "full", repeatAfter, true}, {1, "full", repeatAfter + 3*time.Second, false}, {1, "full", repeatAfter + 4*time.Second, true},
	} {
		if got := r.Told([2]uint64{9, tt.of}, tt.text, start.Add(tt.after)); got != tt.want {
			t.Errorf("step %d: told %t, want %t", i, got, tt.want)
		}
	}
	for i := range uint64(3 * maxRepeats) {
		r.Told([2]uint64{9, i}, "strangers", start)
	}
	if n := len(r.told); n > maxRepeats {
		t.Errorf("%d are remembered", n)
	}
}

func TestARefusalIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	log := RecordLog(slog.New(slog.NewTextHandler(&out, nil)))
	for _, text := range []string{"no space left on device", "no space left on device", "no space left on device", "closed"} {
		log.Record(&trace.Record{Node: 1, Peer: 2, Kind: trace.FrameRefused, Text: text})
	}
	if n := strings.Count(out.String(), "frame-refused"); n != 2 {
		t.Errorf("%d lines, want 2:\n%s", n, out.String())
	}
}
