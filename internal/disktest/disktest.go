//go:build linux

// Package disktest gives tests a disk of their own that is small, or read-only.
// Only tests import it.
package disktest

import (
	"os"
	"syscall"
	"testing"
)

const fileSystem = "tmpfs"

// Mount mounts an empty disk of a size ("256k") on a folder, which is made if it is
// not there, until the test ends. Without the right to mount, it skips the test.
func Mount(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(fileSystem, dir, fileSystem, 0, "size="+size); err != nil {
		t.Skipf("mount a small disk: %v (needs root)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
}

// Resize gives the disk another size.
func Resize(t *testing.T, dir, size string) {
	t.Helper()
	remount(t, dir, 0, "size="+size)
}

// Protect makes the disk read-only.
func Protect(t *testing.T, dir string) {
	t.Helper()
	remount(t, dir, syscall.MS_RDONLY, "")
}

func remount(t *testing.T, dir string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount(fileSystem, dir, fileSystem, syscall.MS_REMOUNT|flags, options); err != nil {
		t.Fatalf("remount %s: %v", dir, err)
	}
}
