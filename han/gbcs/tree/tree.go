// Package tree reads a GBCS message to named fields: the envelope, and the payload of
// every use case in each of its three encodings. It is the one place that knows what the
// parts are called; the tables beside it say so: asn1.go for DER, cosem.txt for DLMS,
// zcl.txt for GBZ.
//
//	 0  19  MAC header
//	 0   1    general ciphering
//	 …
//	26  30  grouping header
//	27   1    CRA flag                      command
//	 …
//
// The fields cover the message: a field's bytes are its own head and its children's,
// in order and without gap, and what cannot be read is a field called [NotRead] with
// all its bytes, and a [Problem]. So [Tree.Append] gives the message back. No input
// panics; the size of the tree is bounded by the length of the message, and its depth
// by that of the encodings.
package tree

import (
	"bytes"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
)

// MaxMessage is the longest message that is read, in bytes. Divergence: the GBCS's own
// limit is not public; the longest published message has 3,986.
const MaxMessage = gbcs.MaxMessage

// NotRead is the name of a field whose bytes could not be read.
const NotRead = "not read"

// PayloadLength is the name of the field in front of the payload.
const PayloadLength = "length of the payload"

// Field is a named part of a message.
type Field struct {
	Name string
	// Value is the content in words or figures; of a field with Children it is what
	// they say in short, or empty.
	Value string
	Start int    // the offset of the first byte in the message
	Raw   []byte // the field's bytes; they alias the message
	// Children lie in Raw one behind the other up to its end. What is in front of the
	// first is the field's own head: tags, lengths and counts.
	Children []Field
}

// End returns the offset of the first byte behind the field.
func (f Field) End() int { return f.Start + len(f.Raw) }

// head returns the field's own bytes.
func (f Field) head() []byte {
	if len(f.Children) == 0 {
		return f.Raw
	}
	return f.Raw[:f.Children[0].Start-f.Start]
}

// Append appends the bytes of the field, put together from its parts.
func (f Field) Append(b []byte) []byte {
	b = append(b, f.head()...)
	for _, c := range f.Children {
		b = c.Append(b)
	}
	return b
}

// Leaves returns how many fields without children there are in the field.
func (f Field) Leaves() int {
	if len(f.Children) == 0 {
		return 1
	}
	n := 0
	for _, c := range f.Children {
		n += c.Leaves()
	}
	return n
}

// Problem says what could not be read, or has no name in the tables.
type Problem struct {
	Start int // the offset of the byte in the message
	Text  string
}

// Tree is all that a message says.
type Tree struct {
	// Code is the message code; 0 if the message ends in front of it.
	Code       gbcs.MessageCode
	CRA        gbcs.CRA
	Originator han.EUI64
	Recipient  han.EUI64
	Counter    uint64 // originator counter
	// Supplementary is the remote party that encrypted values are for if it is not the
	// recipient, and SupplementaryCounter the counter that goes with it; 0 if they are not
	// named.
	Supplementary        han.EUI64
	SupplementaryCounter uint64
	// Signed is what the originator signs, the grouping header without its tag and the
	// payload; nil if the message ends in front of it. Signature is empty if there is none.
	Signed, Signature []byte
	// Payload is how Signed ends.
	Payload []byte
	// MACed is what a MAC covers, the grouping header to the signature; nil if the message
	// ends in front of it. MAC is empty if there is none.
	MACed, MAC []byte
	// InvocationCounter is that of the MAC header, which is 0 in GBCS.
	InvocationCounter uint32
	// PreCommand tells a command as a supplier's adapter takes it for signing: it ends
	// behind the payload.
	PreCommand bool
	Fields     []Field
	// Problems are empty if everything has been read and has a name.
	Problems []Problem
	// Broken tells that the envelope could not be read to its end; the last problem says
	// why.
	Broken bool
	// Encrypted are the encrypted values, in the order of the message.
	Encrypted []Encrypted
	// Again is the message as the parsers of the encodings write it again; it differs
	// from the message only in what could not be read.
	Again []byte
}

// Encrypted is an encrypted value.
type Encrypted struct {
	Name   string // of what is encrypted
	Start  int    // the offset of the ciphertext in the message
	Sealed []byte // ciphertext and tag

	message []byte
	read    func(r *reader, end int) // takes what is opened, up to end
}

// Opened returns the fields of what an encrypted value holds. It is as long as its
// ciphertext, so that the offset of a field is that of its ciphertext in the message; its
// bytes are those of the value.
func (e Encrypted) Opened(value []byte) ([]Field, []Problem) {
	r := reader{data: append(bytes.Clone(e.message[:e.Start]), value...), at: e.Start}
	end := len(r.data)
	e.read(&r, end)
	if r.at < end {
		r.unread(end, "value is not read")
	}
	return r.fields, r.problems
}

// Append appends the message, put together from its leaves.
func (t Tree) Append(b []byte) []byte {
	for _, f := range t.Fields {
		b = f.Append(b)
	}
	return b
}

// Leaves returns how many leaves the tree has.
func (t Tree) Leaves() int {
	n := 0
	for _, f := range t.Fields {
		n += f.Leaves()
	}
	return n
}

// Decode reads a message. The tree is whole whatever the message: what is wrong is in
// its Problems.
func Decode(message []byte) Tree {
	r := reader{data: message}
	if n := len(message); n > MaxMessage {
		r.stop(n, fmt.Sprintf("message of %d bytes, want at most %d", n, MaxMessage))
	} else {
		r.message()
	}
	return Tree{
		Code: r.code, CRA: r.cra, Originator: r.originator, Recipient: r.recipient, Counter: r.counter,
		Supplementary: r.supplementary, SupplementaryCounter: r.supplementaryCounter,
		Signed: r.signed, Signature: r.signature, Payload: message[r.payloadStart : r.payloadStart+len(r.payload)], MACed: r.maced, MAC: r.mac, InvocationCounter: r.invocation,
		PreCommand: r.preCommand, Fields: r.fields, Problems: r.problems, Broken: r.stopped, Encrypted: r.encrypted,
		Again: append(append(bytes.Clone(message[:r.payloadStart]), r.payload...), message[r.payloadStart+len(r.payload):]...),
	}
}

// reader makes fields of a message, one after the other.
type reader struct {
	data      []byte
	at        int // offset of what is taken next
	fields    []Field
	problems  []Problem
	encrypted []Encrypted
	stopped   bool // nothing more is taken

	code         gbcs.MessageCode
	cra          gbcs.CRA
	originator   han.EUI64
	recipient    han.EUI64
	counter      uint64
	signedStart  int
	signed       []byte
	signature    []byte
	maced, mac   []byte
	invocation   uint32
	preCommand   bool
	payloadStart int
	// Of the supplementary remote party.
	supplementary        han.EUI64
	supplementaryCounter uint64
	payload              []byte // as its encoding's parser writes it again
}

// problem notes what could not be read or has no name.
func (r *reader) problem(start int, format string, args ...any) {
	r.problems = append(r.problems, Problem{start, fmt.Sprintf(format, args...)})
}

// stop makes what is left up to end a field that could not be read.
func (r *reader) stop(end int, text string) {
	if r.stopped {
		return
	}
	r.problem(r.at, "%s", text)
	if end > r.at {
		r.put(Field{Name: NotRead}, end)
	}
	r.stopped = true
}

// put makes the bytes up to end a field.
func (r *reader) put(f Field, end int) {
	f.Start, f.Raw = r.at, r.data[r.at:end:end]
	r.fields = append(r.fields, f)
	r.at = end
}

// bytes takes the next n bytes as a field whose value says text; nil if there are not
// so many.
func (r *reader) bytes(name string, n int, text func(b []byte) string) []byte {
	if r.stopped {
		return nil
	}
	if left := len(r.data) - r.at; n > left {
		r.stop(len(r.data), fmt.Sprintf("%s of %d bytes, but %d are left", name, n, left))
		return nil
	}
	b := r.data[r.at : r.at+n : r.at+n]
	r.put(Field{Name: name, Value: text(b)}, r.at+n)
	return b
}

// group makes a field of the fields that take takes.
func (r *reader) group(name string, take func()) {
	outer, start := r.fields, r.at
	r.fields = nil
	take()
	inner := r.fields
	r.fields = outer
	if r.at > start {
		r.fields = append(r.fields, Field{Name: name, Start: start, Raw: r.data[start:r.at:r.at], Children: inner})
	}
}
