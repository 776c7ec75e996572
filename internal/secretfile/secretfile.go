// Package secretfile reads what only its owner may know: keys, tokens, passwords. A file
// that others may read is refused, and one in a folder where they may put another in its
// place; that of a key also if they may look into its folder.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Bits of a folder's mode that others must not have.
const (
	mayWrite = 0o022
	mayUse   = 0o077
)

// Read returns the bytes of a file, of which there may be at most limit. Each error is one
// line that begins with the path.
func Read(path string, limit int64) ([]byte, error) { return read(path, limit, mayWrite) }

// ReadKey does the same for a file that is a key.
func ReadKey(path string, limit int64) ([]byte, error) { return read(path, limit, mayUse) }

func read(path string, limit int64, folder fs.FileMode) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() { // to open a pipe waits for whoever writes
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, reason(err))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, reason(err))
	}
	defer f.Close()
	if err := check(f, path, folder); err != nil {
		return nil, fmt.Errorf("%s: %w", path, reason(err))
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, reason(err))
	case int64(len(b)) > limit:
		return nil, fmt.Errorf("%s: file is too large, want at most %d bytes", path, limit)
	}
	return b, nil
}

// check demands that nobody but the owner has anything to do with a file.
func check(f *os.File, path string, folder fs.FileMode) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if mode := info.Mode().Perm(); mode&mayUse != 0 {
		return fmt.Errorf("others may read it (mode %04o), want 0600: run chmod 600 %s", mode, path)
	}
	dir := filepath.Dir(path)
	if info, err = os.Stat(dir); err != nil {
		return err
	}
	sticky := folder == mayWrite && info.Mode()&fs.ModeSticky != 0 // what is in it stays its owner's
	if mode := info.Mode().Perm(); mode&folder != 0 && !sticky {
		return fmt.Errorf("others may use its folder (mode %04o), want 0700: run chmod 700 %s", mode, dir)
	}
	return nil
}

// reason strips the path off a file error, for messages that begin with it.
func reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
