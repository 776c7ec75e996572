package store

import "github.com/commshub/commshub/han"

// OriginatorCounter is the highest originator counter seen from, or used as, one
// remote party; GBCS refuses a message that does not exceed it.
type OriginatorCounter struct {
	Originator han.EUI64 `cbor:"1,keyasint"`
	Counter    uint64    `cbor:"2,keyasint,omitempty"`
}

func (OriginatorCounter) table() Table                { return TableCounters }
func (c OriginatorCounter) appendKey(b []byte) []byte { return c.Originator.AppendPrint(b) }
func (OriginatorCounter) check() error                { return nil }
func (c OriginatorCounter) detached() Record          { return c }

// OriginatorCounter returns the counter of one remote party.
func (s *Store) OriginatorCounter(originator han.EUI64) (OriginatorCounter, bool) {
	return first[OriginatorCounter](s, TableCounters, originator.AppendPrint(nil))
}

// OriginatorCounters returns all counters, sorted by originator.
func (s *Store) OriginatorCounters() []OriginatorCounter {
	return whole[OriginatorCounter](s, TableCounters)
}

// Sequence is the next number of one series, such as that of messages or alerts.
// Commit it together with the record that took the number before.
type Sequence struct {
	Series uint8  `cbor:"1,keyasint"` // the hub's own enum
	Next   uint64 `cbor:"2,keyasint,omitempty"`
}

func (Sequence) table() Table                { return TableSequences }
func (q Sequence) appendKey(b []byte) []byte { return append(b, q.Series) }
func (Sequence) check() error                { return nil }
func (q Sequence) detached() Record          { return q }

// Sequence returns the next number of a series.
func (s *Store) Sequence(series uint8) (Sequence, bool) {
	return first[Sequence](s, TableSequences, []byte{series})
}
