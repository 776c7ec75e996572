package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/atrest"
)

// sample writes a store with all kinds of pages (branches, leaves, overflow,
// inline buckets, free pages) and returns its file, with the contents after the
// last two commits.
func sample(t testing.TB, key *atrest.Key) (file []byte, wants [][]Record) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.db")
	s, err := Open(path, key)
	if err != nil {
		t.Fatal(err)
	}
	var devices, messages []Change
	for i := range uint64(120) {
		devices = append(devices, Put(Device{EUI64: han.EUI64(i), Kind: 3, LastHeard: 1 << 50}))
		messages = append(messages, Put(Message{Device: gsme, Sequence: i, Bytes: make([]byte, 100+i)}))
	}
	last := []Change{Put(InboxEntry{Sequence: 1, Bytes: make([]byte, 9000)}), Put(ClockAnchor{Speed: 1000}), Delete(Device{EUI64: 7})}
	for _, changes := range [][]Change{devices, messages, last} {
		if err := s.Commit(changes...); err != nil {
			t.Fatal(err)
		}
		wants = append(wants, contents(s))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return file, wants[1:]
}

// demandRefusedOrWhole opens a damaged file. It may be refused with one line; if
// it is not, because the damage hit nothing that is in use, all must be there
// and the store must go on working.
func demandRefusedOrWhole(t *testing.T, path string, key *atrest.Key, file []byte, wants [][]Record) {
	t.Helper()
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, key)
	if err != nil {
		demandError(t, err, "open store "+path+": ")
		return
	}
	got := contents(s)
	if !reflect.DeepEqual(got, wants[0]) && !reflect.DeepEqual(got, wants[1]) {
		t.Errorf("the damage went unnoticed: %d records, want %d as they were", len(got), len(wants[1]))
	}
	commit(t, s, Put(Message{Device: esme, Sequence: 1, Bytes: make([]byte, 20_000)}), Delete(Device{EUI64: 5}))
	now := contents(s)
	closeStore(t, s)
	s, err = Open(path, key)
	if err != nil {
		t.Fatalf("a commit broke a file that had opened: %v", err)
	}
	if !reflect.DeepEqual(contents(s), now) {
		t.Errorf("contents changed over a restart")
	}
	closeStore(t, s)
}

// damage is a way in which a file can be damaged.
type damage struct {
	name string
	do   func(b []byte)
}

func damages(dice *rand.Rand) []damage {
	page := os.Getpagesize()
	return []damage{
		{"a flipped bit", func(b []byte) { b[dice.IntN(len(b))] ^= 1 << dice.IntN(8) }},
		{"a page header", func(b []byte) { b[dice.IntN(len(b)/page)*page+dice.IntN(48)] ^= 1 << dice.IntN(8) }},
		{"a byte of ones", func(b []byte) { b[dice.IntN(len(b))] = 0xFF }},
		{"a zeroed sector", func(b []byte) { clear(b[dice.IntN(len(b)/512)*512:][:512]) }},
		{"a page elsewhere", func(b []byte) { copy(b[dice.IntN(len(b)/page)*page:], b[dice.IntN(len(b)/page)*page:][:page]) }},
		{"a random page", func(b []byte) {
			at := dice.IntN(len(b) / page)
			for i := range page {
				b[at*page+i] = byte(dice.Uint32())
			}
		}},
	}
}

func TestDamagedFileIsRefusedOrWhole(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { refusedOrWhole(t, key) })
	}
}

func refusedOrWhole(t *testing.T, key *atrest.Key) {
	file, wants := sample(t, key)
	seed := rand.Uint64()
	t.Logf("seed %d, file of %d bytes", seed, len(file))
	dice := rand.New(rand.NewPCG(seed, 0))
	for _, d := range damages(dice) {
		t.Run(d.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "damaged.db")
			for range 40 {
				damaged := bytes.Clone(file)
				d.do(damaged)
				demandRefusedOrWhole(t, path, key, damaged, wants)
			}
		})
	}
	t.Run("a cut file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "damaged.db")
		for range 40 {
			// Nothing at all is not damage: a new store begins there.
			demandRefusedOrWhole(t, path, key, file[:1+dice.IntN(len(file)-1)], wants)
		}
	})
}

func TestRecordOfAnotherKeyIsRefused(t *testing.T) {
	value, err := encode(Device{EUI64: gsme})
	if err != nil {
		t.Fatal(err)
	}
	_, err = decode(TableDevices, esme.AppendPrint(nil), value)
	demandError(t, err, "damaged file: record 00db1234567890a0 of devices: checksum does not match")
	_, err = decode(TableDevices, esme.AppendPrint(nil), value[:3])
	demandError(t, err, "3 bytes, want at least 4")
	_, err = decode(TableCounters, gsme.AppendPrint(nil), value)
	demandError(t, err, "checksum does not match")
}

// FuzzDecode feeds bodies with a good checksum: no panic, and what is taken
// comes back the same.
func FuzzDecode(f *testing.F) {
	for _, r := range []Record{
		Device{EUI64: gsme, HasInstallCode: true}, Image{Text: "GSME\xFF"}, Update{Device: gsme, Outcome: "done"},
		Message{Device: gsme, Bytes: []byte{1}}, InboxEntry{Sequence: 1, Text: "x"},
		Mirror{Device: gsme, Attributes: []MirrorAttribute{{ID: 1, Bytes: []byte{1}}}},
		OriginatorCounter{Originator: 1}, Sequence{Series: 1}, ClockAnchor{Speed: 1},
	} {
		value, err := encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(r.table()), value[checksumSize:])
	}
	f.Fuzz(func(t *testing.T, table uint8, body []byte) {
		r, err := tables[Table(table)%tableCount].decode(body)
		if err != nil {
			if strings.ContainsRune(err.Error(), '\n') {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		value, err := encode(r.detached())
		if err != nil {
			t.Fatal(err)
		}
		again, err := decode(r.table(), r.appendKey(nil), value)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "record", again.detached(), r.detached())
	})
}
