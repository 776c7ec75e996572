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

// Originators returns the counters of all remote parties, sorted by their identifiers.
func (s *Store) Originators() []OriginatorCounter {
	return whole[OriginatorCounter](s, TableCounters)
}

// Series is a series of numbers.
type Series uint8

// The series. Number 1 was that of messages.
const (
	SeriesInbox Series = 2
	SeriesTopUp Series = 3
)

// Sequence is the next number of one series.
type Sequence struct {
	Series Series `cbor:"1,keyasint"`
	Next   uint64 `cbor:"2,keyasint,omitempty"`
}

func (Sequence) table() Table                { return TableSequences }
func (q Sequence) appendKey(b []byte) []byte { return append(b, byte(q.Series)) }
func (Sequence) check() error                { return nil }
func (q Sequence) detached() Record          { return q }

func (s *Store) sequence(series Series) (Sequence, bool) {
	return first[Sequence](s, TableSequences, []byte{byte(series)})
}

// NextNumber returns the next number of a series, from 1 on, and the change that
// takes it. Commit that together with the record that has the number.
func (s *Store) NextNumber(series Series) (uint64, Change) { return s.NextNumbers(series, 1) }

// NextNumbers returns the first of so many numbers of a series that follow each other, and
// the change that takes them.
func (s *Store) NextNumbers(series Series, count uint64) (uint64, Change) {
	q, ok := s.sequence(series)
	if !ok {
		q = Sequence{Series: series, Next: 1}
	}
	n := q.Next
	q.Next += count
	return n, Put(q)
}
