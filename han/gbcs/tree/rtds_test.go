package tree

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/codectest"
)

// published returns the published messages by file name.
func published(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(tb), "rtds", "*.HEX"))
	if err != nil || len(files) < 700 {
		tb.Fatalf("%d published messages, %v; want at least 700", len(files), err)
	}
	messages := make(map[string][]byte, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		b, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			tb.Fatalf("%s: %v", filepath.Base(file), err)
		}
		messages[filepath.Base(file)] = b
	}
	return messages
}

// TestEveryPublishedMessageIsReadToNamedLeaves: nothing is left that could not be read or
// has no name, and each message comes out of its leaves, and out of the parsers of its
// encoding, as it went in.
func TestEveryPublishedMessageIsReadToNamedLeaves(t *testing.T) {
	codes := map[gbcs.MessageCode]bool{}
	encrypted := 0
	for name, b := range published(t) {
		tree := decodes(t, b)
		for _, p := range tree.Problems {
			t.Errorf("%s: %s", name, line(p))
		}
		codes[tree.Code] = true
		encrypted += len(tree.Encrypted)
	}
	if len(codes) != 233 {
		t.Errorf("%d message codes, want the 233 published", len(codes))
	}
	for code := range codes {
		if _, ok := gbcs.UseCaseOf(code); !ok {
			t.Errorf("%v has no name", code)
		}
	}
	if encrypted == 0 {
		t.Error("no encrypted value, want some")
	}
}

// TestNoPublishedMessageIsReadIfItIsCutOff: a message without its last byte, or half of
// it, is still shown whole, with what is wrong.
func TestNoPublishedMessageIsReadIfItIsCutOff(t *testing.T) {
	for name, b := range published(t) {
		for _, n := range []int{len(b) - 1, len(b) / 2} {
			tree := Decode(b[:n])
			covers(t, name, tree.Fields, 0, n)
			if len(tree.Problems) == 0 {
				t.Errorf("%s: the first %d of %d bytes are read without a problem", name, n, len(b))
			}
		}
	}
}
