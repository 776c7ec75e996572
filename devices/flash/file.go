package flash

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrInUse is wrapped by Open if another process has the file open.
var ErrInUse = errors.New("in use by another process")

// Open returns the part kept in the file at path, made erased if there is none.
// The file is mapped into memory, so an operation is in the file the instant it is
// done and survives the end of the process; it is not synced to disk one by one,
// because the emulated device's power is the process, not the host.
//
// The file is locked: a second process that opens it is refused. It has its full
// size from the start, so that a disk that fills up later cannot stop a device in
// the middle of an operation.
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
	switch info.Size() {
	case int64(g.Size()):
	case 0:
		if err := create(f, path, bytes.Repeat([]byte{Erased}, g.Size())); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("open flash %s: file of %d bytes, want %d (made for another slot size?)", path, info.Size(), g.Size())
	}
	mem, err := syscall.Mmap(int(f.Fd()), 0, g.Size(), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("open flash %s: map the file: %w", path, err)
	}
	c := &Chip{geometry: g, mem: mem, erases: make([]uint32, g.Sectors)}
	c.unmap = func() error {
		c.mem = nil
		return errors.Join(syscall.Munmap(mem), f.Sync(), f.Close())
	}
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
