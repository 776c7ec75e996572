// Package trace is the typed record of what happened in a home.
//
// Machines do not log. They put a [Record] into their outbox for everything a
// person or a test may want to know; drivers turn records into log lines,
// server-sent events, metrics and golden text. A record is one flat value
// without pointers to machine state, so that emitting one costs no allocation.
//
// The kinds and the fields each of them carries stand in one table, kind.go.
// The text form of a record is one line,
//
//	2026-11-21T10:30:00.000Z 00DB1234567890A1 block-received offset=48 size=48
//
// with the fields in the order of that table, so that two runs can be compared
// byte by byte.
package trace

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// Record says that one thing happened at one node at one emulated instant.
// Which of the fields after Kind mean something depends on Kind; the others are
// zero and do not appear in the text form.
type Record struct {
	At   time.Time // emulated time
	Node uint64    // EUI-64 of the node; a plain number because han imports this package
	Kind Kind

	Peer    uint64        // EUI-64 of the other party
	Version uint32        // firmware file version
	Offset  uint32        // bytes from the start of an image
	Size    uint32        // bytes
	Count   uint32        // blocks, messages, windows: what Kind says
	Code    uint32        // GBCS alert, message or outcome code, ZCL status: what Kind says
	Took    time.Duration // radio-on time or delay
	Charge  int64         // nanocoulombs
	Hash    [32]byte      // SHA-256
	Text    string        // a reason in words, or a name
}

// timeLayout is RFC 3339 in UTC with exactly three decimals, so that columns line up.
const timeLayout = "2006-01-02T15:04:05.000Z"

// Append appends the one-line text form of r, without a line end, to b.
func (r *Record) Append(b []byte) []byte {
	b = r.At.UTC().AppendFormat(b, timeLayout)
	b = append(b, ' ')
	b = appendEUI64(b, r.Node)
	b = append(b, ' ')
	b = append(b, r.Kind.String()...)
	for _, f := range r.Kind.fields() {
		b = append(b, ' ')
		b = append(b, f.String()...)
		b = append(b, '=')
		b = r.appendField(b, f)
	}
	return b
}

// String returns the one-line text form of r.
func (r Record) String() string { return string(r.Append(nil)) }

// Fields calls yield for each field that r.Kind carries, in table order, with
// the value as it appears in the text form but without quotes.
func (r *Record) Fields(yield func(name, value string) bool) {
	for _, f := range r.Kind.fields() {
		value := r.Text
		if f != fieldText {
			value = string(r.appendField(nil, f))
		}
		if !yield(f.String(), value) {
			return
		}
	}
}

func (r *Record) appendField(b []byte, f field) []byte {
	switch f {
	case fieldPeer:
		return appendEUI64(b, r.Peer)
	case fieldVersion:
		return fmt.Appendf(b, "%08X", r.Version)
	case fieldOffset:
		return strconv.AppendUint(b, uint64(r.Offset), 10)
	case fieldSize:
		return strconv.AppendUint(b, uint64(r.Size), 10)
	case fieldCount:
		return strconv.AppendUint(b, uint64(r.Count), 10)
	case fieldCode:
		return fmt.Appendf(b, "%04X", r.Code)
	case fieldTook:
		return append(b, r.Took.String()...)
	case fieldCharge:
		return append(strconv.AppendInt(b, r.Charge, 10), "nC"...)
	case fieldHash:
		return hex.AppendEncode(b, r.Hash[:])
	case fieldText:
		return strconv.AppendQuote(b, r.Text)
	default:
		panic(fmt.Sprintf("trace: no such field: %d", uint8(f)))
	}
}

func appendEUI64(b []byte, e uint64) []byte { return fmt.Appendf(b, "%016X", e) }
