// Command commshub emulates a smart-meter Communications Hub with its Gas Proxy,
// meters and an in-home display on an MQTT-simulated HAN secured by DTLS.
//
// Exit codes, of every command:
//
//	0  it did what it was asked to
//	1  it ran, and the outcome is not the one wanted; the reason is on standard error
//	2  bad input: a flag, a file, an address; nothing was changed
//	3  image inspect --strict: the file can be used, and there are warnings
//
// An interrupt ends a command in good order, within 8 s at most; a second one at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/commshub/commshub/internal/outputfile"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}) }()
	select {
	case code := <-ended:
		os.Exit(code)
	case <-ctx.Done():
		stop() // the next signal has its default effect
	}
	select {
	case code := <-ended:
		os.Exit(code)
	case <-time.After(patience):
		fmt.Fprintf(os.Stderr, "commshub: interrupted; what it was at did not end within %v\n", patience)
		os.Exit(exitOutcome)
	}
}

// patience is how long a command may take to end in good order once it was interrupted.
// The operating system can hold a call for ever: a pipe that nobody writes to, a file on
// a server that is gone.
const patience = 8 * time.Second

// streams are where a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// Exit codes.
const (
	exitOK      = 0
	exitOutcome = 1
	exitInput   = 2
	exitWarning = 3
)

// outcomeError is a run that worked and did not end as wanted.
type outcomeError struct{ reason string }

func (e outcomeError) Error() string { return e.reason }

// warningError is input that can be used and that a strict look finds wrong.
type warningError struct{ reason string }

func (e warningError) Error() string { return e.reason }

// inputError is input that cannot be used.
type inputError struct{ err error }

func (e inputError) Error() string { return e.err.Error() }
func (e inputError) Unwrap() error { return e.err }

func badInput(format string, args ...any) error { return inputError{fmt.Errorf(format, args...)} }

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, s streams) int {
	out := outputfile.Check(s.out)
	s.out = out.Writer()
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = out.Err()
	}
	if err == nil {
		return exitOK
	}
	if line := oneLine(err); line != "" {
		fmt.Fprintln(s.err, "commshub:", line)
	}
	switch {
	case isBadInput(err):
		return exitInput
	case errors.As(err, new(warningError)):
		return exitWarning
	default:
		return exitOutcome
	}
}
