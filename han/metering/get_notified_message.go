package metering

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// GetNotifiedMessage asks for the commands behind notification flags (0x0B from
// the server). The hub sends them in answer.
type GetNotifiedMessage struct {
	Scheme    NotificationScheme
	Attribute uint16 // the flag word, AttributeFunctionalNotificationFlags or one after it
	Flags     uint32 // the flags asked about
}

// Append implements zcl.Command.
func (c GetNotifiedMessage) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, byte(c.Scheme)), c.Attribute)
	return binary.LittleEndian.AppendUint32(b, c.Flags)
}

// ParseGetNotifiedMessage reads the 7 bytes payload.
func ParseGetNotifiedMessage(payload []byte) (GetNotifiedMessage, error) {
	r := zcl.NewReader(payload)
	c := GetNotifiedMessage{
		Scheme:    NotificationScheme(r.Uint8()),
		Attribute: r.Uint16(),
		Flags:     r.Uint32(),
	}
	return c, r.Err("get notified message")
}
