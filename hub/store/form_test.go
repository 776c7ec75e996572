package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/atrest/atresttest"
)

// forms are how a file can be kept.
func forms() map[string]*atrest.Key {
	return map[string]*atrest.Key{"file": nil, "encrypted file": atresttest.NewKey()}
}

// secrets are records that must not be read off a disk, and what would be found of them.
func secrets() (changes []Change, traces [][]byte) {
	message := []byte("a GBCS message of some length")
	reading := []byte("a reading of 0123456789 Wh")
	changes = []Change{
		Put(Device{EUI64: gsme, HasInstallCode: true, InstallCode: [16]byte([]byte("an install code!"))}),
		Put(Message{Device: gsme, Sequence: 1, Bytes: message}),
		Put(Mirror{Device: gsme, Attributes: []MirrorAttribute{{ID: 7, Bytes: reading}}}),
	}
	little := []byte{0xA1, 0x90, 0x78, 0x56, 0x34, 0x12, 0xDB, 0x00}
	return changes, [][]byte{message, reading, []byte("an install code!"), gsme.AppendPrint(nil), []byte(gsme.String()), little}
}

func TestAnEncryptedFileTellsNothing(t *testing.T) {
	changes, traces := secrets()
	for name, key := range forms() {
		path := filepath.Join(t.TempDir(), "hub.db")
		s := openWith(t, path, key)
		commit(t, s, changes...)
		closeStore(t, s)
		file, found := readFile(t, path), 0
		for _, trace := range traces {
			if bytes.Contains(file, trace) {
				found++
				if key != nil {
					t.Errorf("%s: % x is in it", name, trace)
				}
			}
		}
		if key == nil && found < 4 {
			t.Errorf("%s: only %d of the secrets are in it: this test sees nothing", name, found)
		}
	}
}

func TestAFileOfTheOtherFormIsRefusedAndStaysAsItIs(t *testing.T) {
	key, other := atresttest.NewKey(), atresttest.NewKey()
	paths := map[*atrest.Key]string{nil: filepath.Join(t.TempDir(), "plain.db"), key: filepath.Join(t.TempDir(), "encrypted.db")}
	for k, path := range paths {
		s := openWith(t, path, k)
		commit(t, s, Put(Device{EUI64: esme}))
		closeStore(t, s)
	}
	for _, tt := range []struct {
		name, path string
		key        *atrest.Key
		want       error
	}{
		{"an encrypted one without a key", paths[key], nil, ErrEncrypted},
		{"an encrypted one with another key", paths[key], other, atrest.ErrWrongKey},
		{"a plain one with a key", paths[nil], key, ErrPlain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := readFile(t, tt.path)
			_, err := Open(tt.path, tt.key)
			if !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), "open store "+tt.path+": ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with the path and: %v", err, tt.want)
			}
			if !bytes.Equal(readFile(t, tt.path), before) {
				t.Error("the file has changed")
			}
		})
	}
}

func TestAStoreIsEncryptedAndDecrypted(t *testing.T) {
	key, other := atresttest.NewKey(), atresttest.NewKey()
	path := filepath.Join(t.TempDir(), "hub.db")
	s := open(t, path)
	commit(t, s, bulk(1)...)
	want := contents(s)
	if _, err := Encrypt(path, key); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a store in use: %v", err)
	}
	closeStore(t, s)
	for _, step := range []struct {
		name    string
		do      func(string, *atrest.Key) (bool, error)
		key     *atrest.Key
		changed bool
		want    error
		opens   *atrest.Key
	}{
		{"decrypt a plain one", Decrypt, key, false, nil, nil},
		{"encrypt it", Encrypt, key, true, nil, key},
		{"encrypt it again", Encrypt, key, false, nil, key},
		{"encrypt it with another key", Encrypt, other, false, atrest.ErrWrongKey, key},
		{"decrypt it with another key", Decrypt, other, false, atrest.ErrWrongKey, key},
		{"decrypt it", Decrypt, key, true, nil, nil},
	} {
		if changed, err := step.do(path, step.key); changed != step.changed || !errors.Is(err, step.want) {
			t.Errorf("%s: changed %v, error %v, want %v, %v", step.name, changed, err, step.changed, step.want)
		}
		s := openWith(t, path, step.opens)
		equal(t, "contents", contents(s), want)
		closeStore(t, s)
	}
	if changed, err := Encrypt(filepath.Join(t.TempDir(), "none.db"), key); changed || err != nil {
		t.Errorf("a store that is not there: %v, %v", changed, err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%d files are left, want the store alone: %v", len(left), err)
	}
}

// A value that is put under another name, or of which a byte was changed, is not read.
func TestAnEncryptedRecordStaysInItsPlace(t *testing.T) {
	key := atresttest.NewKey()
	v := key.New().Values()
	f := form{key: key.New(), values: v}
	name := f.name(TableDevices, gsme.AppendPrint(nil))
	value, err := f.encode(name, Device{EUI64: gsme})
	must(t, err)
	if r, err := f.decode(TableDevices, name, value); err != nil || r.(Device).EUI64 != gsme {
		t.Errorf("read back: %v, %v", r, err)
	}
	for what, at := range map[string]struct {
		table Table
		eui   han.EUI64
	}{"another key": {TableDevices, esme}, "another table": {TableMirrors, gsme}} {
		if _, err := f.decode(at.table, f.name(at.table, at.eui.AppendPrint(nil)), value); err == nil {
			t.Errorf("under %s it is read", what)
		}
	}
	for at := range value {
		spoilt := bytes.Clone(value)
		spoilt[at] ^= 1
		if _, err := f.decode(TableDevices, name, spoilt); err == nil {
			t.Errorf("with byte %d spoilt it is read", at)
		}
		if _, err := f.decode(TableDevices, name, value[:at]); err == nil {
			t.Errorf("cut to %d bytes it is read", at)
		}
	}
}

// An encrypted record that somebody puts an older one in the place of, or takes away, is
// missed when the file is opened: both would be genuine.
func TestAnOlderEncryptedRecordIsMissed(t *testing.T) {
	key := atresttest.NewKey()
	path := filepath.Join(t.TempDir(), "hub.db")
	devices := func(do func(*bbolt.Bucket) error) {
		t.Helper()
		edit(t, path, func(tx *bbolt.Tx) error { return do(tx.Bucket([]byte(TableDevices.String()))) })
	}
	heard := func(at int64) {
		t.Helper()
		s := openWith(t, path, key)
		commit(t, s, Put(Device{EUI64: gsme, LastHeard: at}))
		closeStore(t, s)
	}
	heard(1)
	var name, older []byte
	devices(func(b *bbolt.Bucket) error {
		return b.ForEach(func(k, v []byte) error {
			name, older = bytes.Clone(k), bytes.Clone(v)
			return nil
		})
	})
	heard(2)
	newer := readFile(t, path)
	for what, do := range map[string]func(*bbolt.Bucket) error{
		"an older one": func(b *bbolt.Bucket) error { return b.Put(name, older) },
		"none":         func(b *bbolt.Bucket) error { return b.Delete(name) },
	} {
		must(t, os.WriteFile(path, newer, 0o600))
		devices(do)
		if _, err := Open(path, key); err == nil || !strings.Contains(err.Error(), "damaged file: ") {
			t.Errorf("with %s in its place: %v", what, err)
		}
	}
}
