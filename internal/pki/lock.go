package pki

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// withLock runs f while this process alone works in dir. The lock lies on an
// open file, so it goes away with a process that crashes.
func withLock(dir string, f func() error) error {
	path := filepath.Join(dir, ".lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer file.Close() // and with it the lock
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		if err == nil {
			return f()
		}
		if !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock %s: %w", path, err)
		}
	}
}
