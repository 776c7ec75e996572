// Package store holds the hub's durable records: the device log, the images it
// knows, their distribution to devices, messages for sleeping devices, alerts
// for the supplier, the gas mirror and its history, the timelines of transfers,
// and the counters and the clock anchor that must not go back.
//
// There are two layers. A bbolt file is the truth; go-memdb is the live view,
// indexed and watchable, that every read comes from. A store in memory alone has
// sorted slices for its live view, because simulations commit all the time.
//
//	Commit(changes) ── check, index ──► bbolt, one transaction, fsync ──► live view ──► watchers wake
//	                       │ refused          │ failed
//	                       └──────────────────┴─► nothing has changed anywhere
//
// The contract for callers:
//
//   - One command is one [Store.Commit]: its changes become durable together or
//     not at all, and it returns before the frames that depend on it are sent.
//   - Records are values. A read returns a copy; a change takes one.
//   - Times are Unix microseconds, but for the clock anchor's nanoseconds; the
//     store never asks for the time.
//   - Never store per block of a download: the client's offset is the truth. What was
//     served is written once per window, as runs of bytes.
//
// A record is kept under its key as a checksum and a CBOR map with integer keys
// in deterministic encoding:
//
//	bucket = table name    key = as the table says, integers big-endian
//	value  = CRC-32C (4 bytes, over table name ‖ key ‖ map) ‖ map
//
// In a file that is encrypted (package atrest) the name of a record is a keyed hash of its
// table and key, and the value a nonce and the map, encrypted and proved together.
//
// Beside the tables stand the schema version, the release that wrote it and a digest
// of all records. A file is opened only if its pages hang together, every record has
// its checksum and the digest agrees; otherwise it is refused with one line.
//
// A new field takes a new integer key and keeps the schema version: readers
// ignore keys they do not know. Anything else, a new table too, takes a new
// schema version. A file with an older one is migrated when it is opened, one with a
// newer one is refused.
package store

import (
	"errors"
	"fmt"
	"sync"

	"github.com/commshub/commshub/internal/atrest"
)

// inboxKept bounds the supplier's inbox.
const inboxKept = 10_000

// Store is the hub's set of records. Its methods may be called from any
// goroutine; a read never waits for the disk.
type Store struct {
	live view

	mu         sync.Mutex // one commit at a time; guards what follows
	disk       disk       // nil in memory
	closed     bool
	shares     shares // of the inbox
	inboxLimit int
	begin      func() (done func(error)) // around each commit
	along      func(m Mirror) []Change
	// Of the commit in hand; kept for their memory.
	changes   []Change
	key       []byte
	exchanges []exchange

	watch watchers
	known known // messages in the inbox
}

// disk is the durable layer.
type disk interface {
	// write makes all changes durable, in order, or none of them.
	write(changes []Change) error
	close() error
}

// NewMemory returns an empty store that lives as long as the process. Thousands
// of them fit into one simulation.
func NewMemory() *Store { return &Store{live: &sorted{}, inboxLimit: inboxKept, begin: unwatched} }

// Open opens the store in the file at path, or creates it. One process at a
// time can have it open. With a key the file is encrypted; one that is not is refused
// then, with ErrPlain, and one that is without a key, with ErrEncrypted.
func Open(path string, key *atrest.Key) (*Store, error) {
	s := &Store{live: newRadix(), inboxLimit: inboxKept, begin: unwatched}
	file, err := openBolt(path, key)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, reason(err))
	}
	if err := s.load(file); err != nil {
		_ = file.close() // nothing was written through it
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s.disk = file
	return s, nil
}

// Read returns the records in the file at path, as they are now, in a store that is closed.
// The file is not written to, and free again. One that is in use by another process is
// refused, and so is one of an earlier release, which only Open converts.
func Read(path string, key *atrest.Key) (*Store, error) {
	s := &Store{live: newRadix(), inboxLimit: inboxKept, begin: unwatched, closed: true}
	file, err := readBolt(path, key)
	if err == nil {
		err = errors.Join(s.load(file), file.close())
	}
	if err != nil {
		return nil, fmt.Errorf("read store %s: %w", path, reason(err))
	}
	return s, nil
}

// load fills the live view from the file.
func (s *Store) load(file *boltFile) error {
	txn := s.live.begin()
	defer txn.abort()
	err := file.read(func(r Record) error {
		if e, ok := r.(InboxEntry); ok {
			x := exchange{fresh: &e}
			s.shares.take(x)
			s.known.take([]exchange{x})
		}
		return txn.put(r.table(), r.appendKey(nil), r)
	})
	if err != nil {
		return err
	}
	txn.commit()
	return nil
}

// Close ends the store: commits are refused from here on, reads still answer.
// Closing again does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.disk == nil {
		s.closed = true
		return nil
	}
	s.closed = true
	if err := s.disk.close(); err != nil {
		return fmt.Errorf("close store: %w", reason(err))
	}
	return nil
}

// Closed reports whether commits are refused because the store was closed.
func (s *Store) Closed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
