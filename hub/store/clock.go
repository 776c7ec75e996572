package store

import "time"

// ClockAnchor ties emulated time to the wall clock: at the instant Wall it was
// Emulated, and since then it runs Speed thousandths as fast. There is one.
type ClockAnchor struct {
	Wall     int64 `cbor:"1,keyasint,omitempty"` // Unix nanoseconds
	Emulated int64 `cbor:"2,keyasint,omitempty"` // Unix nanoseconds
	Speed    int64 `cbor:"3,keyasint,omitempty"` // thousandths: 1000 is real time
}

// clockKey is the key of the one record of its table.
const clockKey = "anchor"

func (ClockAnchor) table() Table              { return TableClock }
func (ClockAnchor) appendKey(b []byte) []byte { return append(b, clockKey...) }
func (ClockAnchor) check() error              { return nil }
func (c ClockAnchor) detached() Record        { return c }

// ClockAnchor returns the anchor, if one was stored.
func (s *Store) ClockAnchor() (ClockAnchor, bool) {
	return first[ClockAnchor](s, TableClock, []byte(clockKey))
}

// LatestInstant returns the latest instant at which something on record happened: a
// clock that goes on must not go on before it. It is zero in an empty store.
func (s *Store) LatestInstant() time.Time {
	var last int64
	for _, m := range s.Mirrors() {
		last = max(last, m.UpdatedAt)
	}
	for _, d := range s.Devices() {
		last = max(last, d.AddedAt, d.LastHeard)
	}
	for _, u := range s.Updates() {
		last = max(last, u.ChangedAt)
	}
	for _, a := range s.Inbox(max(1, s.LastInbox())-1, 1) {
		last = max(last, a.At)
	}
	if last == 0 {
		return time.Time{}
	}
	return time.UnixMicro(last).UTC()
}
