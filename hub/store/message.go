package store

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
)

// Message is one GBCS message on its way to a device, until the device has it.
type Message struct {
	Device    han.EUI64 `cbor:"1,keyasint"`
	Sequence  uint64    `cbor:"2,keyasint"` // the sender's, rises with each message
	Code      uint16    `cbor:"3,keyasint,omitempty"`
	Bytes     []byte    `cbor:"4,keyasint,omitempty"`
	QueuedAt  int64     `cbor:"5,keyasint,omitempty"`
	ExpiresAt int64     `cbor:"6,keyasint,omitempty"`
}

func (Message) table() Table { return TableMessages }

func (m Message) appendKey(b []byte) []byte {
	return binary.BigEndian.AppendUint64(m.Device.AppendPrint(b), m.Sequence)
}

func (m Message) check() error { return checkLength("message", "message", len(m.Bytes), MaxBytes) }

func (m Message) detached() Record {
	m.Bytes = detach(m.Bytes)
	return m
}

// Message returns one message of a device.
func (s *Store) Message(device han.EUI64, sequence uint64) (Message, bool) {
	return first[Message](s, TableMessages, Message{Device: device, Sequence: sequence}.appendKey(nil))
}

// Messages returns all messages, sorted by device and sequence.
func (s *Store) Messages() []Message { return whole[Message](s, TableMessages) }

// MessagesOf returns the messages of one device in the order of their sequence.
func (s *Store) MessagesOf(device han.EUI64) []Message {
	return all[Message](s, TableMessages, device.AppendPrint(nil))
}
