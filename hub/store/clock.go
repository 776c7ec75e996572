package store

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
