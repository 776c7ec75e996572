// Package codectest holds what every codec test in the house does: read a
// golden in annotated hex, demand the round trip, and demand that each strict
// prefix is refused. Only tests import it.
package codectest

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Hex returns the bytes of annotated hex: digits may be spaced at will, and
// everything from # to the end of a line is a comment.
func Hex(tb testing.TB, annotated string) []byte {
	tb.Helper()
	var digits strings.Builder
	for line := range strings.Lines(annotated) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		tb.Fatalf("golden hex: %v", err)
	}
	return b
}

// RoundTrip demands that appending value gives golden and that parsing golden
// gives value.
func RoundTrip[T any](t *testing.T, golden []byte, value T, appendTo func(T, []byte) []byte, parse func([]byte) (T, error)) {
	t.Helper()
	if diff := cmp.Diff(golden, appendTo(value, nil)); diff != "" {
		t.Errorf("append (-golden +got):\n%s", diff)
	}
	got, err := parse(golden)
	if err != nil {
		t.Fatalf("parse golden: %v", err)
	}
	if diff := cmp.Diff(value, got); diff != "" {
		t.Errorf("parse (-want +got):\n%s", diff)
	}
}

// RefusesPrefixes demands that parse refuses every strict prefix of golden with
// an error of one line.
func RefusesPrefixes[T any](t *testing.T, golden []byte, parse func([]byte) (T, error)) {
	t.Helper()
	for n := range golden {
		_, err := parse(golden[:n:n])
		if err == nil {
			t.Errorf("parse took the first %d of %d bytes", n, len(golden))
			continue
		}
		if strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("parse of %d bytes: error of several lines: %q", n, err)
		}
	}
}

// Vectors returns the folder of captures, vendor images and published messages
// that lies beside a checkout, or skips the test with a message. Tests use the
// files and never copy them. COMMSHUB_VECTORS names another place.
func Vectors(tb testing.TB) string {
	tb.Helper()
	dir := os.Getenv("COMMSHUB_VECTORS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(tb), "..", "shared", "vectors")
	}
	if _, err := os.Stat(dir); err != nil {
		tb.Skipf("test vectors not there: %v (set COMMSHUB_VECTORS to their folder)", err)
	}
	return dir
}

// moduleRoot returns the folder that holds go.mod.
func moduleRoot(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("go.mod not found above the test's folder")
		}
		dir = parent
	}
}
