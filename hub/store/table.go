package store

import "fmt"

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

// index computes a record's value in one index. For go-memdb it takes the place of
// its own indexers, which find fields by name through reflection.
type index func(Record) []byte

// indexes are those of the tables besides the key.
var indexes = [tableCount]map[string]index{
	TableImages: {indexImageHash: func(r Record) []byte {
		hash := r.(Image).ImageHash
		return hash[:]
	}},
	TableUpdates: {indexState: func(r Record) []byte { return []byte{r.(Update).State} }},
}
