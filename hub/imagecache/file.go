package imagecache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// readAhead is how much a File reads at once. A download asks for some fifty
// bytes at a time, mostly in order.
const readAhead = 64 << 10

// File is an open image. It implements [io.ReaderAt] and [io.Closer]; a download
// had better have one of its own, because there is one read-ahead window in it.
type File struct {
	size int64

	mu     sync.Mutex
	source source // nil in memory
	window []byte // the bytes from offset start on
	start  int64
	closed bool
}

// source is the file on disk.
type source interface {
	io.ReaderAt
	io.Closer
}

// Size returns the image's size in bytes.
func (f *File) Size() int64 { return f.size }

// ReadAt implements [io.ReaderAt]. A read that lies in the window costs neither
// a system call nor an allocation.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, fmt.Errorf("read image: %w", fs.ErrClosed)
	}
	if off < 0 {
		return 0, fmt.Errorf("read image: offset %d, want 0 or more", off)
	}
	n := 0
	for n < len(p) && off < f.size {
		if off < f.start || off >= f.start+int64(len(f.window)) {
			if err := f.fill(off); err != nil {
				return n, err
			}
		}
		copied := copy(p[n:], f.window[off-f.start:])
		n, off = n+copied, off+int64(copied)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fill moves the window to an offset within the image.
func (f *File) fill(off int64) error {
	if f.window == nil {
		f.window = make([]byte, min(readAhead, f.size))
	}
	window := f.window[:min(int64(cap(f.window)), f.size-off)]
	n, err := f.source.ReadAt(window, off)
	if n < len(window) {
		f.window = f.window[:0]
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("read image: the file ends at %d of %d bytes", off+int64(n), f.size)
		}
		return fmt.Errorf("read image: %w", reason(err))
	}
	f.window, f.start = window, off
	return nil
}

// whole returns all bytes. In memory they are the shared ones.
func (f *File) whole() ([]byte, error) {
	if f.source == nil {
		return f.window, nil
	}
	b := make([]byte, f.size)
	_, err := f.ReadAt(b, 0)
	return b, err
}

// Close closes the file. Closing again does nothing.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed, f.window = true, nil
	if f.source == nil {
		return nil
	}
	return reason(f.source.Close())
}
