// Command commshub emulates a smart-meter Communications Hub with its Gas Proxy,
// meters and an in-home display on an MQTT-simulated HAN secured by DTLS.
//
// Exit codes, of every command:
//
//	0  it did what it was asked to
//	1  it ran, and the outcome is not the one wanted; the reason is on standard error
//	2  bad input: a flag, a file, an address; nothing was changed
//
// A second interrupt ends the process at once.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // the next signal has its default effect
	}()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

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
)

// outcomeError is a run that worked and did not end as wanted.
type outcomeError struct{ reason string }

func (e outcomeError) Error() string { return e.reason }

// inputError is input that cannot be used.
type inputError struct{ err error }

func (e inputError) Error() string { return e.err.Error() }
func (e inputError) Unwrap() error { return e.err }

func badInput(format string, args ...any) error { return inputError{fmt.Errorf(format, args...)} }

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, s streams) int {
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if line := oneLine(err); line != "" {
		fmt.Fprintln(s.err, "commshub:", line)
	}
	var input inputError
	if errors.As(err, &input) {
		return exitInput
	}
	return exitOutcome
}
