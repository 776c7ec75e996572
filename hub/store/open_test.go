package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want string
	}{
		{"a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "is a directory, want a file"},
		{"a named pipe", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }, "not a regular file"},
		{"text", func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("speed: 600\n"), 0o600)) }, "not a commshub store, or damaged: invalid database"},
		{"another bbolt file", func(t *testing.T, path string) { foreign(t, path) }, `not a commshub store: bucket "commshub store" is missing`},
		{"a schema from the future", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error {
				about := tx.Bucket(bucketAbout)
				return errors.Join(about.Put(keyRelease, []byte("v9")), about.Put(keySchema, binary.BigEndian.AppendUint32(nil, schemaVersion+1)))
			})
		}, "schema version 6, want at most 5 (written by commshub v9: open it with that one)"},
		{"a schema version of the wrong size", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketAbout).Put(keySchema, []byte("1")) })
		}, "damaged file: schema version of 1 bytes, want 4"},
		{"a missing table", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte("alerts")) })
		}, "damaged file: table alerts is missing"},
		{"a record without its checksum", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error {
				return tx.Bucket([]byte("clock")).Put([]byte("anchor"), []byte{1, 2, 3, 4, 0xA0})
			})
		}, "damaged file: record 616e63686f72 of clock: checksum does not match"},
		{"a bucket where records belong", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error {
				_, err := tx.Bucket([]byte("images")).CreateBucket([]byte("x"))
				return err
			})
		}, "damaged file: record 78 of images: 0 bytes, want at least 4"},
		{"a schema version that never was", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketAbout).Put(keySchema, make([]byte, 4)) })
		}, "damaged file: schema version 0, want 1 to 5"},
		{"a record too many", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error { return putClock(tx, 1) })
		}, "damaged file: 1 records, want 0"},
		{"an older record", func(t *testing.T, path string) {
			s := open(t, path)
			commit(t, s, Put(ClockAnchor{Speed: 2}))
			closeStore(t, s)
			edit(t, path, func(tx *bbolt.Tx) error { return putClock(tx, 1) })
		}, "damaged file: the checksums of all 1 records do not add up"},
		{"a missing digest", func(t *testing.T, path string) {
			stored(t, path, func(tx *bbolt.Tx) error { return tx.Bucket(bucketAbout).Delete(keyDigest) })
		}, "damaged file: digest of 0 bytes, want 16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hub.db")
			tt.make(t, path)
			_, err := Open(path, nil)
			demandError(t, err, "open store "+path+": "+tt.want)
		})
	}
}

// putClock puts a whole record behind the store's back.
func putClock(tx *bbolt.Tx, speed int64) error {
	anchor := ClockAnchor{Speed: speed}
	value, err := encode(anchor)
	if err != nil {
		return err
	}
	return tx.Bucket([]byte("clock")).Put(anchor.appendKey(nil), value)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stored makes a store at path and changes it behind its back.
func stored(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	closeStore(t, open(t, path))
	edit(t, path, change)
}

// foreign makes a bbolt file that is no store.
func foreign(t *testing.T, path string) {
	t.Helper()
	edit(t, path, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("other"))
		return err
	})
}

func TestOpenWhereNothingCanBe(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "missing", "hub.db"), nil)
	demandError(t, err, "missing/hub.db: create: no such file or directory")
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	_, err = Open(filepath.Join(dir, "file", "hub.db"), nil)
	demandError(t, err, "file/hub.db: not a directory")
}

func TestSecondOpenIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	start := time.Now()
	_, err := Open(path, nil)
	demandError(t, err, "open store "+path+": in use by another process")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("refused after %v, want about %v", took, lockTimeout)
	}
	commit(t, s, Put(Device{EUI64: gsme}))
	closeStore(t, s)
	equal(t, "devices", open(t, path).Devices(), []Device{{EUI64: gsme}})
}

func TestNewFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	open(t, path)
	info, err := os.Stat(path)
	must(t, err)
	equal(t, "mode", info.Mode(), fs.FileMode(0o600))
}

// A first start that was cut short leaves the unfinished file under its other
// name, or an empty file.
func TestOpenAfterAFirstStartThatWasCut(t *testing.T) {
	for name, left := range map[string]string{"unfinished file": ".new", "empty file": ""} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hub.db")
			junk := []byte("half a page")
			if left == "" {
				junk = nil
			}
			must(t, os.WriteFile(path+left, junk, 0o600))
			commit(t, open(t, path), Put(Device{EUI64: gsme}))
			files, err := os.ReadDir(filepath.Dir(path))
			must(t, err)
			if len(files) != 1 {
				t.Errorf("files %v, want only the store", files)
			}
		})
	}
}

// Two processes start for the first time: the slower one must not put its empty
// store over the other's.
func TestCreateDoesNotReplaceAStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	commit(t, s, Put(Device{EUI64: gsme}))
	must(t, create(path, form{}))
	commit(t, s, Put(Device{EUI64: esme}))
	closeStore(t, s)
	equal(t, "devices", open(t, path).Devices(), []Device{{EUI64: esme}, {EUI64: gsme}})
}

func TestFolderWithoutWritePermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o500))
	_, err := Open(filepath.Join(dir, "hub.db"), nil)
	demandError(t, err, "create: permission denied")
}

func ExampleStore() {
	s := NewMemory() // Open("hub.db") keeps the records
	changed := s.Watch(TableDevices)
	err := s.Commit(
		Put(Device{EUI64: 0x00DB1234567890A1, Endpoint: 1}),
		Put(Sequence{Series: 1, Next: 42}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	<-changed
	for _, d := range s.Devices() {
		fmt.Println(d.EUI64, "endpoint", d.Endpoint)
	}
	// Output: 00DB1234567890A1 endpoint 1
}

// TestReadWritesNothing: what is in a file is told, and the file is as before and free. A
// store that somebody has open, that is not there or that an earlier release wrote is refused.
func TestReadWritesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	_, err := Read(path, nil)
	demandError(t, err, "read store "+path+": file does not exist")
	s := open(t, path)
	commit(t, s, Put(Device{EUI64: gsme}), Put(OriginatorCounter{Originator: 9, Counter: 77}))
	_, err = Read(path, nil)
	demandError(t, err, "read store "+path+": in use by another process")
	closeStore(t, s)
	before, err := os.ReadFile(path)
	must(t, err)
	r, err := Read(path, nil)
	must(t, err)
	equal(t, "devices", r.Devices(), []Device{{EUI64: gsme}})
	equal(t, "counters", r.Originators(), []OriginatorCounter{{9, 77}})
	if err := r.Commit(Put(Device{EUI64: gsme + 1})); err == nil {
		t.Error("what was only read takes changes")
	}
	after, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Error("reading has changed the file")
	}
	edit(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketAbout).Put(keySchema, []byte{0, 0, 0, firstVersion})
	})
	_, err = Read(path, nil)
	demandError(t, err, "start its hub once, which converts it")
}
