// Package outputfile writes what somebody asked for on a command line: to a file, which is
// put in place whole or not at all, or to standard output. Errors name no path; whoever
// named it says it.
package outputfile

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"

	"github.com/google/renameio/v2"

	"github.com/commshub/commshub/internal/inputfile"
)

// Standard is standard output where a file is to be named.
const Standard = "-"

// Folder makes a folder to write several files into, if it is missing. Standard output is
// none.
func Folder(path string) error {
	if path == Standard {
		return errors.New("is standard output, want a folder")
	}
	return inputfile.Reason(os.MkdirAll(path, 0o777))
}

// Replaceable refuses a path at which a file cannot be put by renaming: a folder, and a
// device or a pipe, whose place the file would take.
func Replaceable(path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return errors.New("is a folder, want a file")
	case err == nil && !info.Mode().IsRegular():
		return errors.New("is no ordinary file")
	}
	return nil
}

// Replace writes a file, whole or not at all; or standard output.
func Replace(standard io.Writer, path string, text []byte) error {
	if path == Standard {
		_, err := standard.Write(text)
		return err
	}
	if err := Replaceable(path); err != nil {
		return err
	}
	return inputfile.Reason(renameio.WriteFile(path, text, 0o666))
}

// Write has a file written piece by piece, whole or not at all; or standard output.
func Write(standard io.Writer, path string, write func(w io.Writer) error) error {
	if path == Standard {
		return inputfile.Reason(buffered(standard, write))
	}
	if err := Replaceable(path); err != nil {
		return err
	}
	file, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o666))
	if err != nil {
		return inputfile.Reason(err)
	}
	defer func() { _ = file.Cleanup() }() // nothing to do once it was replaced
	if err := buffered(file, write); err != nil {
		return inputfile.Reason(err)
	}
	return inputfile.Reason(file.CloseAtomicallyReplace())
}

// Create opens a file that grows as it is written, for what ends only when somebody ends
// it; or standard output. A named pipe is open once somebody reads it.
func Create(ctx context.Context, standard io.Writer, path string) (io.WriteCloser, error) {
	if path == Standard {
		return open{standard}, nil
	}
	type created struct {
		file *os.File
		err  error
	}
	done := make(chan created, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		done <- created{f, err}
	}()
	select {
	case <-ctx.Done():
		return nil, errors.New("interrupted before somebody read it")
	case c := <-done:
		return c.file, inputfile.Reason(c.err)
	}
}

// open is an output that stays open.
type open struct{ io.Writer }

// Close implements io.Closer.
func (open) Close() error { return nil }

// buffered has something written in large pieces.
func buffered(w io.Writer, write func(w io.Writer) error) error {
	b := bufio.NewWriterSize(w, 64<<10)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}
