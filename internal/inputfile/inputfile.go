// Package inputfile reads what somebody named on a command line: bounded, and only until
// the context ends, because a pipe may have nobody at its other end. Each error is one
// line that begins with the path.
package inputfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrInterrupted tells that the context ended before all was read.
var ErrInterrupted = errors.New("interrupted while it was read")

// Open opens a file of at most limit bytes for reading. When the context ends, a read that
// waits ends as well.
func Open(ctx context.Context, path string, limit int64) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		done <- opened{f, err}
	}()
	var o opened
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", path, ErrInterrupted)
	case o = <-done:
	}
	if o.err != nil {
		return nil, fmt.Errorf("%s: %w", path, Reason(o.err))
	}
	info, err := o.file.Stat()
	switch {
	case err != nil:
		err = fmt.Errorf("%s: %w", path, Reason(err))
	case info.IsDir():
		err = fmt.Errorf("%s: is a folder, want a file", path)
	case info.Size() > limit:
		err = fmt.Errorf("%s: file of %d bytes is too large, want at most %d", path, info.Size(), limit)
	default:
		context.AfterFunc(ctx, func() { _ = o.file.Close() }) // ends a read that waits
		return o.file, nil
	}
	return nil, errors.Join(err, o.file.Close())
}

// Read returns the bytes of a file, of which there may be at most limit.
func Read(ctx context.Context, path string, limit int64) ([]byte, error) {
	f, err := Open(ctx, path, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w", path, ErrInterrupted)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, Reason(err))
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("%s: file is too large, want at most %d bytes", path, limit)
	}
	return b, nil
}

// ReadStandard does the same for standard input, or what takes its place.
func ReadStandard(ctx context.Context, in io.Reader, limit int64) ([]byte, error) {
	type read struct {
		bytes []byte
		err   error
	}
	done := make(chan read, 1)
	go func() {
		b, err := io.ReadAll(io.LimitReader(in, limit+1))
		done <- read{b, err}
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("standard input: %w", ErrInterrupted)
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("standard input: %w", Reason(r.err))
		}
		if int64(len(r.bytes)) > limit {
			return nil, fmt.Errorf("standard input: more than %d bytes", limit)
		}
		return r.bytes, nil
	}
}

// Reason strips the path off a file error, for messages that begin with it.
func Reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
