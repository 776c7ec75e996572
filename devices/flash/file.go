package flash

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/commshub/commshub/internal/atrest"
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
//
// With a key the file is encrypted, see sealed.go. A file that is not is refused then, and
// one that is without: the errors are ErrPlain and ErrEncrypted.
func Open(path string, g Geometry, key *atrest.Key) (*Chip, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open flash: %w", err)
	}
	c, err := load(f, path, g, key)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// Convert replaces the file of a part by what convert makes of its bytes, at once: a process
// that is killed leaves the one or the other. It does nothing if there is no file, or if
// convert returns nil. It fails as Open does.
func Convert(path string, key *atrest.Key, convert func(bytes []byte) ([]byte, error)) (converted bool, err error) {
	return change(path, func(old []byte) ([]byte, error) {
		old, err := opened(old, key)
		if err != nil {
			return nil, err
		}
		part, err := convert(old)
		if part != nil && key != nil {
			part = seal(part, key)
		}
		return part, err
	})
}

// Encrypt encrypts the file of a part that is not encrypted, in the same way, and Decrypt
// does the reverse. They do nothing to a file that is so already.
func Encrypt(path string, key *atrest.Key) (changed bool, err error) {
	return change(path, func(old []byte) ([]byte, error) {
		if _, err := opened(old, key); !errors.Is(err, ErrPlain) {
			return nil, err
		}
		if len(old)%atrest.UnitSize != 0 {
			return nil, fmt.Errorf("file of %d bytes, which is no flash", len(old))
		}
		return seal(old, key), nil
	})
}

// Decrypt is the reverse of Encrypt.
func Decrypt(path string, key *atrest.Key) (changed bool, err error) {
	return change(path, func(old []byte) ([]byte, error) {
		plain, err := opened(old, key)
		if errors.Is(err, ErrPlain) {
			return nil, nil
		}
		return plain, err
	})
}

// change replaces a file by what f makes of it, unless that is nil.
func change(path string, f func(old []byte) ([]byte, error)) (changed bool, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open flash: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return false, fmt.Errorf("open flash %s: %w", path, ErrInUse)
	}
	old, err := io.ReadAll(file)
	if err != nil {
		return false, fmt.Errorf("read flash: %w", err)
	}
	part, err := f(old)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if part == nil {
		return false, nil
	}
	return true, replace(path, part)
}

func replace(path string, part []byte) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("convert flash: %w", err)
	}
	if err := errors.Join(create(f, next, part), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return fmt.Errorf("convert flash: %w", err)
	}
	return nil
}

func load(f *os.File, path string, g Geometry, key *atrest.Key) (*Chip, error) {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("open flash %s: %w", path, ErrInUse)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open flash: %w", err)
	}
	size := g.Size()
	if info.Size() == 0 {
		part := bytes.Repeat([]byte{g.erased()}, size)
		if key != nil {
			part = seal(part, key)
		}
		if err := create(f, path, part); err != nil {
			return nil, err
		}
	} else if err := checkForm(f, info.Size(), g, key); err != nil {
		return nil, fmt.Errorf("open flash %s: %w", path, err)
	}
	if key != nil {
		size += sealedHeader
	}
	kept, err := syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("open flash %s: map the file: %w", path, err)
	}
	c := &Chip{geometry: g, mem: kept, erases: make([]uint32, g.Sectors), touched: make([]uint64, g.Sectors)}
	c.unmap = func() error {
		c.mem, c.sealed = nil, nil
		return errors.Join(syscall.Munmap(kept), f.Sync(), f.Close())
	}
	if key == nil {
		return c, nil
	}
	if c.sealed, err = openSealed(kept, key); err != nil {
		return nil, fmt.Errorf("open flash %s: %w", path, errors.Join(err, syscall.Munmap(kept)))
	}
	c.mem = c.sealed.plain()
	return c, nil
}

// checkForm refuses a file that is encrypted and should not be, or the reverse, or that is
// of another size.
func checkForm(f *os.File, size int64, g Geometry, key *atrest.Key) error {
	head := make([]byte, len(sealedMagic))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	want := int64(g.Size())
	switch is := isSealed(head); {
	case is && key == nil:
		return ErrEncrypted
	case !is && key != nil:
		return ErrPlain
	case is:
		want += sealedHeader
	}
	if size != want {
		return fmt.Errorf("file of %d bytes, want %d (made for another slot size or by another release: give that size, run that release, or remove the meter's files to begin with a new one)", size, want)
	}
	return nil
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
