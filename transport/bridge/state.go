package bridge

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"
)

// maxKept is the longest state file read back, in bytes.
const maxKept = 16 << 20

// state is the folder of a bridge: who it is, and what its adapters keep. A file
// is replaced as a whole, so it is there either old or new.
type state struct {
	dir  string
	lock *os.File
	// instance names this bridge among others on the same broker. It outlives a
	// restart, so that a killed bridge takes its own place again.
	instance string
}

// openState opens a folder, made if missing, and holds it until close.
func openState(dir string) (*state, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	s := &state{dir: dir, lock: lock}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another bridge", dir), lock.Close())
	}
	if err := s.identify(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

func (s *state) identify() error {
	path := filepath.Join(s.dir, "instance")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		s.instance = strings.ToLower(rand.Text()[:12])
		return renameio.WriteFile(path, []byte(s.instance+"\n"), 0o600)
	}
	if err != nil {
		return err
	}
	s.instance = strings.TrimSpace(string(text))
	if !isInstance(s.instance) {
		return fmt.Errorf("%s: want 1 to 32 lower-case letters and digits", path)
	}
	return nil
}

// isInstance reports whether a text can name a bridge: it stands in topics.
func isInstance(text string) bool {
	if text == "" || len(text) > 32 {
		return false
	}
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func (s *state) path(name string) string { return filepath.Join(s.dir, name+".json") }

// load returns what was kept under a name, or nil.
func (s *state) load(name string) ([]byte, error) {
	info, err := os.Stat(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKept {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are expected", s.path(name), info.Size(), maxKept)
	}
	return os.ReadFile(s.path(name))
}

// keep replaces what is kept under a name.
func (s *state) keep(name string, b []byte) error {
	return renameio.WriteFile(s.path(name), b, 0o600)
}

func (s *state) close() error { return s.lock.Close() }
