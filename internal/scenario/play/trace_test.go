package play

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the hashes of traces, and the heartbeat of docs/wire.md, anew")

// hashes are the SHA-256 of the traces of examples, as amd64 made them.
const hashes = "testdata/trace_sha256.txt"

// TestTheSameSeedGivesTheSameTrace: on two runs here, and the hash that was
// recorded on amd64 everywhere else; .ci/run runs this with GOARCH=386. When
// machines are meant to behave differently, write the hashes anew:
//
//	go test ./internal/scenario/play -run TestTheSameSeed -rewrite
func TestTheSameSeedGivesTheSameTrace(t *testing.T) {
	text, err := os.ReadFile(hashes)
	if err != nil {
		t.Fatal(err)
	}
	var now strings.Builder
	for line := range strings.Lines(string(text)) {
		name, want, _ := strings.Cut(strings.TrimSpace(line), " ")
		s := example(t, name)
		var first, second bytes.Buffer
		a, b := play(t, s, Options{Hash: true, Trace: &first}), play(t, s, Options{Hash: true, Trace: &second})
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: two runs of one seed differ", name)
		}
		sum := sha256.Sum256(first.Bytes())
		if got := hex.EncodeToString(sum[:]); a.TraceSHA256 != got || b.TraceSHA256 != got {
			t.Errorf("%s: the results say %s and %s, the trace has %s", name, a.TraceSHA256, b.TraceSHA256, got)
		}
		if a.TraceSHA256 != want && !*rewrite {
			t.Errorf("%s: trace %s, want %s: machines behave differently, or this processor does", name, a.TraceSHA256, want)
		}
		fmt.Fprintf(&now, "%s %s\n", name, a.TraceSHA256)
	}
	if *rewrite {
		if err := os.WriteFile(hashes, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnotherSeedGivesAnotherTrace(t *testing.T) {
	s := example(t, "lossy_link.yaml")
	seen := map[string]bool{}
	for seed := range uint64(5) {
		r, err := s.Play(seed, Options{Hash: true})
		if err != nil || seen[r.TraceSHA256] {
			t.Errorf("seed %d: trace %s; error %v", seed, r.TraceSHA256, err)
		}
		seen[r.TraceSHA256] = true
	}
}
