package store

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/commshub/commshub/internal/disktest"
)

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "256k")
	path := filepath.Join(dir, "hub.db")
	s := open(t, path)
	var err error
	n := uint64(0)
	before := contents(s)
	for err == nil {
		before = contents(s)
		n++
		err = s.Commit(Put(Message{Device: gsme, Sequence: n, Bytes: make([]byte, 5000)}))
	}
	demandError(t, err, "commit to store: no space left on device")
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v is not ENOSPC", err)
	}
	equal(t, "contents after the failure", contents(s), before)
	disktest.Resize(t, dir, "1m")
	commit(t, s, Put(Device{EUI64: gsme}))
	after := contents(s)
	closeStore(t, s)
	equal(t, "contents of the file", contents(open(t, path)), after)
}

func TestFullDiskAtTheFirstStart(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "12k")
	path := filepath.Join(dir, "hub.db")
	_, err := Open(path, nil)
	demandError(t, err, "open store "+path+": create: no space left on device")
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 0 {
		t.Errorf("left behind %v", files)
	}
}

func TestReadOnlyFolder(t *testing.T) {
	dir := t.TempDir()
	disktest.Mount(t, dir, "256k")
	closeStore(t, open(t, filepath.Join(dir, "there.db")))
	disktest.Protect(t, dir)
	for _, name := range []string{"there.db", "absent.db"} {
		_, err := Open(filepath.Join(dir, name), nil)
		demandError(t, err, "read-only file system")
	}
}
