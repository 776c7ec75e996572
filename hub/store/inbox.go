package store

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/commshub/commshub/han"
)

// InboxEntry is one entry of the supplier's inbox: an alert or a response that came
// from a device or from the hub itself. 10,000 are kept; a commit that
// brings more drops with it the oldest of the device that has the most. The entry that
// tells of those that were dropped is not counted, and never dropped.
type InboxEntry struct {
	Sequence    uint64    `cbor:"1,keyasint"`
	At          int64     `cbor:"2,keyasint,omitempty"`
	Device      han.EUI64 `cbor:"3,keyasint,omitempty"`
	Code        uint16    `cbor:"4,keyasint,omitempty"` // GBCS alert code, 0 for a response
	MessageCode uint16    `cbor:"5,keyasint,omitempty"` // GBCS message code
	Text        string    `cbor:"6,keyasint,omitempty"`
	Bytes       []byte    `cbor:"7,keyasint,omitempty"` // the message as it came
	// Lost is how many entries of each device were dropped to make room, and Since when the
	// first was, of the one entry that tells it.
	Lost  []Loss `cbor:"8,keyasint,omitempty"`
	Since int64  `cbor:"9,keyasint,omitempty"`
	// Forged is set of a message that is not what its device said: evidence, and no more.
	Forged bool `cbor:"10,keyasint,omitempty"`
}

// Loss is how many entries of a device were dropped.
type Loss struct {
	Device han.EUI64 `cbor:"1,keyasint"`
	Count  uint64    `cbor:"2,keyasint,omitempty"`
}

// MaxLosses is how many devices an entry names whose entries were dropped.
const MaxLosses = 64

func (InboxEntry) table() Table { return TableInbox }

func (e InboxEntry) appendKey(b []byte) []byte { return binary.BigEndian.AppendUint64(b, e.Sequence) }

func (e InboxEntry) check() error {
	if err := checkLength("inbox entry", "text", len(e.Text), MaxText); err != nil {
		return err
	}
	if n := len(e.Lost); n > MaxLosses {
		return fmt.Errorf("put inbox entry: %d devices that lost entries, want at most %d", n, MaxLosses)
	}
	return checkLength("inbox entry", "message", len(e.Bytes), MaxBytes)
}

func (e InboxEntry) detached() Record {
	e.Bytes, e.Lost = detach(e.Bytes), append([]Loss(nil), e.Lost...)
	return e
}

// Inbox returns at most limit entries with a sequence greater than after, oldest
// first.
func (s *Store) Inbox(after uint64, limit int) []InboxEntry {
	if after == math.MaxUint64 {
		return nil
	}
	return from[InboxEntry](s, TableInbox, InboxEntry{Sequence: after + 1}.appendKey(nil), limit)
}

// LastOf returns the newest entry with a message of a device, of a use case, that is not
// forged.
func (s *Store) LastOf(device han.EUI64, messageCode uint16) (InboxEntry, bool) {
	const chunk = 500
	oldest := s.Inbox(0, 1)
	for before := s.LastInbox() + 1; len(oldest) > 0 && before > oldest[0].Sequence; {
		start := before - min(before, chunk+1)
		entries := s.Inbox(start, int(before-1-start))
		for _, e := range slices.Backward(entries) {
			if e.Sequence < before && e.Device == device && e.MessageCode == messageCode && !e.Forged {
				return e, true
			}
		}
		before = start + 1
	}
	return InboxEntry{}, false
}

// InInbox reports whether the inbox holds a message of a device already.
func (s *Store) InInbox(device han.EUI64, message []byte) bool {
	return s.known.has(device, message)
}

// Displaced returns the entry that a commit drops that brings one more of a device, if it
// drops one.
func (s *Store) Displaced(device han.EUI64) (InboxEntry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shares.total < s.inboxLimit {
		return InboxEntry{}, false
	}
	return first[InboxEntry](s, TableInbox, InboxEntry{Sequence: s.shares.surplus(device)}.appendKey(nil))
}

// LossNotice returns the entry that tells of those that were dropped, if there is one.
func (s *Store) LossNotice() (InboxEntry, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return first[InboxEntry](s, TableInbox, InboxEntry{Sequence: s.shares.notice}.appendKey(nil))
}

// LastInbox returns the sequence of the newest entry, 0 if there is none.
func (s *Store) LastInbox() uint64 {
	if raw := s.live.last(TableInbox); raw != nil {
		return raw.(InboxEntry).Sequence
	}
	return 0
}
