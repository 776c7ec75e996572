package inputfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWhatCannotBeReadIsSaidWithItsPath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := Read(t.Context(), file, 5); err != nil || string(b) != "12345" {
		t.Errorf("read %q, %v", b, err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file or directory", dir: "is a folder, want a file", file: "file of 5 bytes is too large, want at most 4",
		"/dev/zero": "file is too large, want at most 4 bytes",
	} {
		if _, err := Read(t.Context(), path, 4); err == nil || err.Error() != path+": "+want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	if _, err := ReadStandard(t.Context(), strings.NewReader("12345"), 4); err == nil || !strings.Contains(err.Error(), "more than 4 bytes") {
		t.Errorf("standard input: %v", err)
	}
}

// TestNobodyAtTheOtherEnd: a read that waits ends with the context.
func TestNobodyAtTheOtherEnd(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	in, _ := io.Pipe()
	if _, err := ReadStandard(ctx, in, 4); !errors.Is(err, ErrInterrupted) {
		t.Errorf("standard input: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	if _, err := Read(ctx, fmt.Sprintf("/dev/fd/%d", r.Fd()), 4); !errors.Is(err, ErrInterrupted) {
		t.Errorf("a pipe: %v", err)
	}
}
