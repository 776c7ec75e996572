package gbcs

import (
	"fmt"

	"github.com/commshub/commshub/han/zcl"
)

// Payload is what a message says in the words of its use case.
type Payload interface {
	// Append appends the payload as it stands in the message.
	Append(b []byte) []byte
	// Fields returns what it says, in the order of the wire.
	Fields() []Field
}

// Field is one field of a payload for people and programs to read.
type Field struct {
	Name  string // lower case, as in the parse errors
	Value any    // a number, a string, bytes, or one of the types of this house
	Text  string // Value for people
}

// field returns a field whose value says by itself what it is.
func field(name string, value any) Field { return Field{name, value, fmt.Sprint(value)} }

// versionField returns a field with an OTA file version, which is read in hex.
func versionField(v uint32) Field { return Field{"firmware version", v, fmt.Sprintf("%08X", v)} }

// bytesField returns a field with bytes.
func bytesField(name string, b []byte) Field { return Field{name, b, fmt.Sprintf("%X", b)} }

// timeField returns a field with a time.
func timeField(name string, u zcl.UTCTime) Field {
	return Field{name, u, u.Time().Format("2006-01-02 15:04:05")}
}

// Opaque is a payload that is only passed on: nobody here reads it.
type Opaque []byte

// Append implements [Payload].
func (o Opaque) Append(b []byte) []byte { return append(b, o...) }

// Fields implements [Payload].
func (o Opaque) Fields() []Field { return []Field{bytesField("payload", o)} }

// ParsePayload reads the message's payload as its use case has it. A payload that
// nobody here reads is an [Opaque] one.
func (m Message) ParsePayload() (Payload, error) {
	u := useCases[m.Code]
	if parse := u.parser(m.CRA); parse != nil {
		return parse(m.Payload)
	}
	return Opaque(m.Payload), nil
}
