// Package eventlog is a log that a meter keeps of what happened to it: its event log or
// its security log. The latest entries are kept, in two copies like all that a meter must
// not forget (devices/journal); an entry is durable when [Log.Append] returns.
//
//	key 00 to 63: sequence(4) ‖ time(4) ‖ code(2) ‖ other information(0 to 4)
//	key FF:       layout(1)
//
// Integers are little-endian. An entry takes the place of the one that is Capacity older.
package eventlog

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
)

// Capacity is how many entries a log holds (SMETS2: 100).
const Capacity = 100

const (
	recordHead = 10
	layout     = 1
)

const keyLayout journal.Key = 0xFF

// Log is an open log.
type Log struct {
	journal *journal.Journal
	next    uint32 // sequence number of the next entry
}

// Open reads the log in a region of at least four sectors. It fails on entries that
// another release wrote. Nothing is written.
//
// A log that never held anything is to be formatted before its first entry.
func Open(region flash.Region) (*Log, error) {
	l := &Log{journal: journal.Open(region)}
	if label, ok := l.journal.Get(keyLayout); ok && !bytes.Equal(label, []byte{layout}) {
		return nil, fmt.Errorf("log: layout % X, want %02X", label, layout)
	}
	for _, r := range l.records() {
		if n := len(r.Data); n < recordHead || n > recordHead+gbcs.MaxInformation {
			return nil, fmt.Errorf("log: entry of %d bytes, want %d to %d", n, recordHead, recordHead+gbcs.MaxInformation)
		}
		l.next = max(l.next, sequence(r)+1)
	}
	return l, nil
}

// Format labels an empty log, so that the erases which that takes are not made when the
// first event comes, in the middle of other work.
func (l *Log) Format() {
	if l.journal.Empty() {
		l.journal.Commit(journal.Entry{Key: keyLayout, Data: []byte{layout}})
	}
}

// records returns the records of entries.
func (l *Log) records() []journal.Entry {
	return slices.DeleteFunc(l.journal.Records(), func(r journal.Entry) bool { return r.Key == keyLayout })
}

// Append enters an event.
func (l *Log) Append(e gbcs.LogEntry) {
	if len(e.Information) > gbcs.MaxInformation {
		panic(fmt.Sprintf("eventlog: %d bytes of other information, want at most %d", len(e.Information), gbcs.MaxInformation))
	}
	b := binary.LittleEndian.AppendUint32(nil, l.next)
	b = binary.LittleEndian.AppendUint32(b, uint32(e.Time))
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Code))
	l.journal.Commit(journal.Entry{Key: journal.Key(l.next % Capacity), Data: append(b, e.Information...)})
	l.next++
}

// Entries returns all entries, the oldest first.
func (l *Log) Entries() []gbcs.LogEntry {
	records := l.records()
	slices.SortFunc(records, func(a, b journal.Entry) int { return cmp.Compare(sequence(a), sequence(b)) })
	entries := make([]gbcs.LogEntry, len(records))
	for i, r := range records {
		entries[i] = gbcs.LogEntry{
			Time: zcl.UTCTime(binary.LittleEndian.Uint32(r.Data[4:])),
			Code: gbcs.AlertCode(binary.LittleEndian.Uint16(r.Data[8:])),
		}
		if len(r.Data) > recordHead {
			entries[i].Information = slices.Clone(r.Data[recordHead:])
		}
	}
	return entries
}

// Check compares both copies and mends them; see journal.Journal.Check.
func (l *Log) Check() journal.Condition { return l.journal.Check() }

func sequence(r journal.Entry) uint32 { return binary.LittleEndian.Uint32(r.Data) }
