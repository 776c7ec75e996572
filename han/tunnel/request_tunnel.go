package tunnel

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// RequestTunnel asks the server for a tunnel (0x00 from the client). In GB it is
// always {ProtocolGBHRGP, ManufacturerNone, false, MaxTransfer}.
type RequestTunnel struct {
	Protocol        uint8
	Manufacturer    uint16
	FlowControl     bool
	MaxTransferSize uint16 // bytes of data that the client takes in one TransferData
}

// Append implements zcl.Command.
func (c RequestTunnel) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(append(b, c.Protocol), c.Manufacturer)
	flowControl := byte(0)
	if c.FlowControl {
		flowControl = 1
	}
	return binary.LittleEndian.AppendUint16(append(b, flowControl), c.MaxTransferSize)
}

// ParseRequestTunnel reads the 6 bytes payload.
func ParseRequestTunnel(payload []byte) (RequestTunnel, error) {
	r := zcl.NewReader(payload)
	c := RequestTunnel{
		Protocol:        r.Uint8(),
		Manufacturer:    r.Uint16(),
		FlowControl:     r.Uint8() != 0,
		MaxTransferSize: r.Uint16(),
	}
	return c, r.Err("request tunnel")
}
