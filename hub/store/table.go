package store

import (
	"fmt"

	"github.com/hashicorp/go-memdb"
)

// Table names one table of the store, for [Store.Watch].
type Table uint8

// The tables.
const (
	TableDevices Table = iota
	TableImages
	TableUpdates
	TableMessages
	TableAlerts
	TableMirrors
	TableCounters
	TableSequences
	TableClock
	tableCount
)

// tables says how each table is called, in the file and in the live view, and
// how a record of it is read.
var tables = [tableCount]struct {
	name   string
	decode func(body []byte) (Record, error)
}{
	TableDevices:   {"devices", decodeAs[Device]},
	TableImages:    {"images", decodeAs[Image]},
	TableUpdates:   {"updates", decodeAs[Update]},
	TableMessages:  {"messages", decodeAs[Message]},
	TableAlerts:    {"alerts", decodeAs[Alert]},
	TableMirrors:   {"mirrors", decodeAs[Mirror]},
	TableCounters:  {"counters", decodeAs[OriginatorCounter]},
	TableSequences: {"sequences", decodeAs[Sequence]},
	TableClock:     {"clock", decodeAs[ClockAnchor]},
}

// String returns the table's name.
func (t Table) String() string {
	if t < tableCount {
		return tables[t].name
	}
	return fmt.Sprintf("table %d", uint8(t))
}

// The indexes. All tables have indexKey, which go-memdb wants under this name;
// a prefix of the key selects a device's updates or messages.
const (
	indexKey       = "id"
	indexKeyPrefix = "id_prefix"
	indexImageHash = "image-hash"
	indexState     = "state"
)

// schema is shared by all stores; go-memdb only reads it.
var schema = newSchema()

func newSchema() *memdb.DBSchema {
	all := make(map[string]*memdb.TableSchema, tableCount)
	for t := range tableCount {
		all[t.String()] = &memdb.TableSchema{
			Name: t.String(),
			Indexes: map[string]*memdb.IndexSchema{
				indexKey: {Name: indexKey, Unique: true, Indexer: index(func(r Record) []byte { return r.appendKey(nil) })},
			},
		}
	}
	add := func(t Table, name string, of index) {
		all[t.String()].Indexes[name] = &memdb.IndexSchema{Name: name, Indexer: of}
	}
	add(TableImages, indexImageHash, func(r Record) []byte {
		hash := r.(Image).ImageHash
		return hash[:]
	})
	add(TableUpdates, indexState, func(r Record) []byte { return []byte{r.(Update).State} })
	return &memdb.DBSchema{Tables: all}
}

// index computes a record's value in one index. It takes the place of go-memdb's
// own indexers, which find fields by name through reflection.
type index func(Record) []byte

// FromObject implements memdb.SingleIndexer.
func (i index) FromObject(raw any) (bool, []byte, error) { return true, i(raw.(Record)), nil }

// FromArgs implements memdb.Indexer; the one argument is the value.
func (index) FromArgs(args ...any) ([]byte, error) { return args[0].([]byte), nil }

// PrefixFromArgs implements memdb.PrefixIndexer.
func (index) PrefixFromArgs(args ...any) ([]byte, error) { return args[0].([]byte), nil }

// first returns the record of a table under a key.
func first[R Record](s *Store, table Table, key []byte) (R, bool) {
	raw, err := s.live.Txn(false).First(table.String(), indexKey, key)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", table, err))
	}
	if raw == nil {
		var none R
		return none, false
	}
	return raw.(Record).detached().(R), true
}

// all returns the records that an index of a table holds under value, or all of
// the table without a value.
func all[R Record](s *Store, table Table, index string, value ...any) []R {
	it, err := s.live.Txn(false).Get(table.String(), index, value...)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", table, err))
	}
	var records []R
	for raw := it.Next(); raw != nil; raw = it.Next() {
		records = append(records, raw.(Record).detached().(R))
	}
	return records
}

// from returns at most limit records of a table from a key on.
func from[R Record](s *Store, table Table, key []byte, limit int) []R {
	it, err := s.live.Txn(false).LowerBound(table.String(), indexKey, key)
	if err != nil {
		panic(fmt.Sprintf("store: read %s: %v", table, err))
	}
	var records []R
	for len(records) < limit {
		raw := it.Next()
		if raw == nil {
			break
		}
		records = append(records, raw.(Record).detached().(R))
	}
	return records
}
