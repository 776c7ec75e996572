package flash

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrInUse is wrapped by Open if another process has the file open.
var ErrInUse = errors.New("in use by another process")

// file keeps a part's bytes in a file, so that they survive the end of the
// process at any instant. Writes are not synced one by one: the emulated
// device's power is the process, not the host.
type file struct {
	f *os.File
}

// Open returns the part kept in the file at path, made erased if there is none.
// The file is locked: a second process that opens it is refused. It has its
// full size from the start, so that a disk that fills up later cannot stop a
// device in the middle of an operation.
func Open(path string, g Geometry) (*Chip, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open flash: %w", err)
	}
	c, err := load(f, path, g)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

func load(f *os.File, path string, g Geometry) (*Chip, error) {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("open flash %s: %w", path, ErrInUse)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open flash: %w", err)
	}
	c := New(g)
	switch info.Size() {
	case int64(g.Size()):
		if _, err := io.ReadFull(f, c.mem); err != nil {
			return nil, fmt.Errorf("open flash %s: %w", path, err)
		}
	case 0:
		if err := create(f, path, c.mem); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("open flash %s: file of %d bytes, want %d (made for another slot size?)", path, info.Size(), g.Size())
	}
	c.backing = file{f}
	return c, nil
}

// create writes a new part's bytes. If they do not fit, the file is removed, so
// that the next start begins afresh.
func create(f *os.File, path string, mem []byte) error {
	_, err := f.WriteAt(mem, 0)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		return nil
	}
	if rmErr := os.Remove(path); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return fmt.Errorf("make flash %s of %d bytes: %w", path, len(mem), err)
}

func (b file) write(offset int, data []byte) error {
	if _, err := b.f.WriteAt(data, int64(offset)); err != nil {
		return fmt.Errorf("write flash: %w", err)
	}
	return nil
}

func (b file) close() error {
	if err := errors.Join(b.f.Sync(), b.f.Close()); err != nil {
		return fmt.Errorf("close flash: %w", err)
	}
	return nil
}
