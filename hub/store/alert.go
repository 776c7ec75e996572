package store

import (
	"encoding/binary"
	"math"

	"github.com/commshub/commshub/han"
)

// Alert is one entry of the supplier's inbox: an alert or a response that came
// from a device or from the hub itself. The newest 10,000 are kept; a commit
// that brings more drops the oldest with it.
type Alert struct {
	Sequence    uint64    `cbor:"1,keyasint"`
	At          int64     `cbor:"2,keyasint,omitempty"`
	Device      han.EUI64 `cbor:"3,keyasint,omitempty"`
	Code        uint16    `cbor:"4,keyasint,omitempty"` // GBCS alert code, 0 for a response
	MessageCode uint16    `cbor:"5,keyasint,omitempty"` // GBCS message code
	Text        string    `cbor:"6,keyasint,omitempty"`
	Bytes       []byte    `cbor:"7,keyasint,omitempty"` // the message as it came
}

func (Alert) table() Table { return TableAlerts }

func (a Alert) appendKey(b []byte) []byte { return binary.BigEndian.AppendUint64(b, a.Sequence) }

func (a Alert) check() error {
	if err := checkLength("alert", "text", len(a.Text), MaxText); err != nil {
		return err
	}
	return checkLength("alert", "message", len(a.Bytes), MaxBytes)
}

func (a Alert) detached() Record {
	a.Bytes = detach(a.Bytes)
	return a
}

// Alerts returns at most limit alerts with a sequence greater than after, oldest
// first.
func (s *Store) Alerts(after uint64, limit int) []Alert {
	if after == math.MaxUint64 {
		return nil
	}
	return from[Alert](s, TableAlerts, Alert{Sequence: after + 1}.appendKey(nil), limit)
}

// LastAlert returns the sequence of the newest alert, 0 if there is none.
func (s *Store) LastAlert() uint64 {
	if raw := s.live.last(TableAlerts); raw != nil {
		return raw.(Alert).Sequence
	}
	return 0
}
