package store

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-memdb"
)

// schema is shared by all stores; go-memdb only reads it.
var schema = newSchema()

func newSchema() *memdb.DBSchema {
	all := make(map[string]*memdb.TableSchema, tableCount)
	for t := range tableCount {
		table := &memdb.TableSchema{
			Name: t.String(),
			Indexes: map[string]*memdb.IndexSchema{
				indexKey: {Name: indexKey, Unique: true, Indexer: keyIndexer{}},
			},
		}
		all[t.String()] = table
	}
	return &memdb.DBSchema{Tables: all}
}

// The one index of each table, which go-memdb wants under this name; a prefix of the
// key selects a device's records.
const (
	indexKey       = "id"
	indexKeyPrefix = "id_prefix"
)

// keyIndexer takes the place of go-memdb's own indexers, which find fields by name
// through reflection.
type keyIndexer struct{}

// FromObject implements memdb.SingleIndexer.
func (keyIndexer) FromObject(raw any) (bool, []byte, error) {
	return true, raw.(Record).appendKey(nil), nil
}

// FromArgs implements memdb.Indexer; the one argument is the key.
func (keyIndexer) FromArgs(args ...any) ([]byte, error) { return args[0].([]byte), nil }

// PrefixFromArgs implements memdb.PrefixIndexer.
func (keyIndexer) PrefixFromArgs(args ...any) ([]byte, error) { return args[0].([]byte), nil }

// radix is the view of a store over a file: go-memdb, whose readers never wait.
type radix struct{ db *memdb.MemDB }

func newRadix() radix {
	db, err := memdb.NewMemDB(schema)
	if err != nil {
		panic(fmt.Sprintf("store: the schema contradicts itself: %v", err))
	}
	return radix{db}
}

func (v radix) get(t Table, key []byte) Record {
	raw, err := v.db.Txn(false).First(t.String(), indexKey, key)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", t, err))
	}
	if raw == nil {
		return nil
	}
	return raw.(Record)
}

func (v radix) each(t Table, prefix []byte, yield func(Record)) {
	it, err := v.db.Txn(false).Get(t.String(), indexKeyPrefix, prefix)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", t, err))
	}
	for raw := it.Next(); raw != nil; raw = it.Next() {
		yield(raw.(Record))
	}
}

func (v radix) pick(t Table, prefix []byte, want func(Record) bool) Record {
	it, err := v.db.Txn(false).Get(t.String(), indexKeyPrefix, prefix)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", t, err))
	}
	for raw := it.Next(); raw != nil; raw = it.Next() {
		if r := raw.(Record); want(r) {
			return r
		}
	}
	return nil
}

func (v radix) seek(t Table, key []byte, yield func(Record) bool) {
	it, err := v.db.Txn(false).LowerBound(t.String(), indexKey, key)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", t, err))
	}
	for raw := it.Next(); raw != nil && yield(raw.(Record)); raw = it.Next() {
	}
}

func (v radix) last(t Table) Record {
	raw, err := v.db.Txn(false).Last(t.String(), indexKey)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", t, err))
	}
	if raw == nil {
		return nil
	}
	return raw.(Record)
}

func (v radix) begin() staging { return radixStaging{v.db.Txn(true)} }

// radixStaging is a write transaction of go-memdb.
type radixStaging struct{ txn *memdb.Txn }

func (s radixStaging) put(t Table, _ []byte, r Record) error { return s.txn.Insert(t.String(), r) }

func (s radixStaging) remove(t Table, _ []byte, r Record) error {
	if err := s.txn.Delete(t.String(), r); !errors.Is(err, memdb.ErrNotFound) {
		return err
	}
	return nil
}

func (s radixStaging) get(t Table, key []byte) Record {
	raw, err := s.txn.First(t.String(), indexKey, key)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", t, err))
	}
	if raw == nil {
		return nil
	}
	return raw.(Record)
}

func (s radixStaging) commit() { s.txn.Commit() }
func (s radixStaging) abort()  { s.txn.Abort() }
