package metering

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// MirrorRemoved tells the meter that its mirror is gone, unasked or after a
// Remove Mirror (0x02 from the client).
type MirrorRemoved struct {
	Endpoint uint16 // of the mirror that was removed, or MirrorFailed if it could not be
}

// Append implements zcl.Command.
func (c MirrorRemoved) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(b, c.Endpoint)
}

// ParseMirrorRemoved reads the 2 bytes payload.
func ParseMirrorRemoved(payload []byte) (MirrorRemoved, error) {
	r := zcl.NewReader(payload)
	c := MirrorRemoved{Endpoint: r.Uint16()}
	return c, r.Err("mirror removed")
}
