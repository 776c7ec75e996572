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
	TableInbox
	TableMirrors
	TableCounters
	TableSequences
	TableClock
	TableOrders
	TableTimelines
	TableWindows
	TableReadings
	TableParties
	TableQuarantine
	tableCount
)

// tables says how each table is called, in the file and in the live view, and
// how a record of it is read.
var tables = [tableCount]struct {
	name   string
	decode func(body []byte) (Record, error)
}{
	TableDevices:    {"devices", decodeAs[Device]},
	TableImages:     {"images", decodeAs[Image]},
	TableUpdates:    {"updates", decodeAs[Update]},
	TableMessages:   {"messages", decodeAs[Message]},
	TableInbox:      {"alerts", decodeAs[InboxEntry]},
	TableMirrors:    {"mirrors", decodeAs[Mirror]},
	TableCounters:   {"counters", decodeAs[OriginatorCounter]},
	TableSequences:  {"sequences", decodeAs[Sequence]},
	TableClock:      {"clock", decodeAs[ClockAnchor]},
	TableOrders:     {"orders", decodeAs[Order]},
	TableTimelines:  {"timelines", decodeAs[Timeline]},
	TableWindows:    {"windows", decodeAs[Window]},
	TableReadings:   {"readings", decodeAs[Reading]},
	TableParties:    {"parties", decodeAs[RemoteParty]},
	TableQuarantine: {"quarantine", decodeAs[Quarantined]},
}

// String returns the table's name.
func (t Table) String() string {
	if t < tableCount {
		return tables[t].name
	}
	return fmt.Sprintf("table %d", uint8(t))
}
