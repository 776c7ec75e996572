package tunnel

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// CloseTunnel ends a tunnel (0x01 from the client). A server that closed one by
// itself may say so with the same payload (0x06 from the server).
type CloseTunnel struct{ TunnelID uint16 }

// Append implements zcl.Command.
func (c CloseTunnel) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(b, c.TunnelID)
}

// ParseCloseTunnel reads the 2 bytes payload.
func ParseCloseTunnel(payload []byte) (CloseTunnel, error) {
	r := zcl.NewReader(payload)
	c := CloseTunnel{TunnelID: r.Uint16()}
	return c, r.Err("close tunnel")
}
