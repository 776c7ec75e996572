package store

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/commshub/commshub/han"
)

// A simulation makes thousands of stores.
func TestMemoryStoreIsSmall(t *testing.T) {
	const stores, most = 1000, 20 << 10
	kept := make([]*Store, stores)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range kept {
		kept[i] = NewMemory()
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / stores; each > most {
		t.Errorf("a store in memory takes %d bytes, want at most %d", each, most)
	}
	runtime.KeepAlive(kept)
}

func BenchmarkNewMemory(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewMemory()
	}
}

// filled returns a store with a thousand devices.
func filled(b *testing.B, s *Store) *Store {
	b.Helper()
	changes := make([]Change, 1000)
	for i := range changes {
		changes[i] = Put(Device{EUI64: han.EUI64(i)})
	}
	if err := s.Commit(changes...); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	return s
}

func benchmarkCommit(b *testing.B, s *Store) {
	d := Device{EUI64: 77}
	for b.Loop() {
		d.LastHeard++
		if err := s.Commit(Put(d)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCommit(b *testing.B) {
	b.Run("memory", func(b *testing.B) { benchmarkCommit(b, filled(b, NewMemory())) })
	for name, key := range forms() {
		b.Run(name, func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "hub.db"), key)
			if err != nil {
				b.Fatal(err)
			}
			benchmarkCommit(b, filled(b, s))
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkDevice(b *testing.B) {
	s := filled(b, NewMemory())
	for b.Loop() {
		if _, ok := s.Device(77); !ok {
			b.Fatal("the device is missing")
		}
	}
}

// fullOfAlerts returns the path of a store file with as many alerts as are kept.
func fullOfAlerts(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "hub.db")
	s, err := Open(path, nil)
	if err != nil {
		b.Fatal(err)
	}
	changes := make([]Change, inboxKept)
	for i := range changes {
		changes[i] = Put(InboxEntry{Sequence: uint64(i + 1), Bytes: make([]byte, 300)})
	}
	if err := s.Commit(changes...); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkOpen(b *testing.B) {
	path := fullOfAlerts(b)
	for b.Loop() {
		s, err := Open(path, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
