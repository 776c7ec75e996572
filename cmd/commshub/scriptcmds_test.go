package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// exits runs a command and demands its exit code and that standard error is one
// line, or none with code 0:
//
//	exits 2 commshub image inspect no-such-file
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d; standard error: %s", got, want, ts.ReadFile("stderr"))
	}
	if lines := strings.Count(ts.ReadFile("stderr"), "\n"); got != 0 && lines != 1 {
		ts.Fatalf("standard error has %d lines, want one: %q", lines, ts.ReadFile("stderr"))
	}
}

// patch writes a copy of a file with one byte changed:
//
//	patch in.ota out.ota OFFSET
//
// A negative offset counts from the end.
func patch(ts *testscript.TestScript, _ bool, args []string) {
	b := []byte(ts.ReadFile(args[0]))
	at, err := strconv.Atoi(args[2])
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b, 0o600))
}

// truncate makes a file of a given size: the beginning of another, or zeros that
// take no room on the disk.
//
//	truncate in.ota out.ota SIZE
//	truncate zeros out.ota SIZE
func truncate(ts *testscript.TestScript, _ bool, args []string) {
	size, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	out := ts.MkAbs(args[1])
	if args[0] != "zeros" {
		ts.Check(os.WriteFile(out, []byte(ts.ReadFile(args[0])[:size]), 0o600))
		return
	}
	ts.Check(os.WriteFile(out, nil, 0o600))
	ts.Check(os.Truncate(out, size))
}

// listening waits until something listens on an address.
func listening(ts *testscript.TestScript, _ bool, args []string) {
	for range 200 {
		c, err := net.Dial("tcp", args[0])
		if err == nil {
			ts.Check(c.Close())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("nothing listens on %s", args[0])
}
