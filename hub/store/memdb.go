package store

import (
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
				indexKey: {Name: indexKey, Unique: true, Indexer: index(func(r Record) []byte { return r.appendKey(nil) })},
			},
		}
		for name, of := range indexes[t] {
			table.Indexes[name] = &memdb.IndexSchema{Name: name, Indexer: of}
		}
		all[t.String()] = table
	}
	return &memdb.DBSchema{Tables: all}
}

// FromObject implements memdb.SingleIndexer.
func (i index) FromObject(raw any) (bool, []byte, error) { return true, i(raw.(Record)), nil }

// FromArgs implements memdb.Indexer; the one argument is the value.
func (index) FromArgs(args ...any) ([]byte, error) { return args[0].([]byte), nil }

// PrefixFromArgs implements memdb.PrefixIndexer.
func (index) PrefixFromArgs(args ...any) ([]byte, error) { return args[0].([]byte), nil }

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

func (v radix) each(t Table, index string, value []byte, yield func(Record)) {
	it, err := v.db.Txn(false).Get(t.String(), index, value)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", t, err))
	}
	for raw := it.Next(); raw != nil; raw = it.Next() {
		yield(raw.(Record))
	}
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

func (s radixStaging) put(t Table, key []byte, r Record) (int, error) {
	there, err := s.has(t, key)
	if err == nil {
		err = s.txn.Insert(t.String(), r)
	}
	if err != nil || there {
		return 0, err
	}
	return 1, nil
}

func (s radixStaging) remove(t Table, key []byte, r Record) (int, error) {
	there, err := s.has(t, key)
	if err != nil || !there {
		return 0, err
	}
	return -1, s.txn.Delete(t.String(), r)
}

func (s radixStaging) has(t Table, key []byte) (bool, error) {
	old, err := s.txn.First(t.String(), indexKey, key)
	return old != nil, err
}

func (s radixStaging) first(t Table) Record {
	raw, err := s.txn.First(t.String(), indexKey)
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
