package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/outputfile"
)

// tableTime is how emulated time is written in tables and lines.
const tableTime = "2006-01-02 15:04:05Z"

// isTerminal reports whether a person looks at w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// movesCursor reports whether a person looks at w on a terminal that knows how to move
// the cursor and to colour: one without a name, or a dumb one, would show the escape
// sequences. It is written to as to a pipe.
func movesCursor(w io.Writer) bool {
	name := os.Getenv("TERM")
	return isTerminal(w) && name != "" && name != "dumb"
}

// oneStandardOutput refuses that two things go to standard output. It returns where else
// goes what is told: standard error if something goes there. That nobody reads it any more
// is then an error of writing, not the end of the process.
func (g *global) oneStandardOutput(files ...string) (io.Writer, error) {
	n := 0
	for _, f := range files {
		if f == outputfile.Standard {
			n++
		}
	}
	switch n {
	case 0:
		return g.out, nil
	case 1:
		signal.Ignore(syscall.SIGPIPE)
		return g.err, nil
	default:
		return nil, badInput("%d of the files to write are -: want one at most on standard output", n)
	}
}

// written says what became of a file that a flag asked for.
func written(flag, path string, err error) error {
	switch {
	case err == nil:
		return nil
	case path == outputfile.Standard:
		return outcomeError{fmt.Sprintf("%s -: %v", flag, err)}
	default:
		return badInput("%s %s: %w", flag, path, err)
	}
}

// printJSON writes one indented JSON value.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(foreign.Writer(w))
	e.SetIndent("", "  ")
	return e.Encode(v)
}
