package tunnel

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// RequestTunnelResponse answers [RequestTunnel] (0x00 from the server).
type RequestTunnelResponse struct {
	TunnelID        uint16 // names the tunnel from now on; FFFF without success
	Status          Status
	MaxTransferSize uint16 // bytes of data that the server takes in one TransferData
}

// NoTunnel is the tunnel identifier of a refusal.
const NoTunnel uint16 = 0xFFFF

// Append implements zcl.Command.
func (c RequestTunnelResponse) Append(b []byte) []byte {
	b = append(binary.LittleEndian.AppendUint16(b, c.TunnelID), byte(c.Status))
	return binary.LittleEndian.AppendUint16(b, c.MaxTransferSize)
}

// ParseRequestTunnelResponse reads the 5 bytes payload.
func ParseRequestTunnelResponse(payload []byte) (RequestTunnelResponse, error) {
	r := zcl.NewReader(payload)
	c := RequestTunnelResponse{
		TunnelID:        r.Uint16(),
		Status:          Status(r.Uint8()),
		MaxTransferSize: r.Uint16(),
	}
	return c, r.Err("request tunnel response")
}
