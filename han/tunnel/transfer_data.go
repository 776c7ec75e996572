package tunnel

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// TransferData carries data through a tunnel (0x02 from the client, 0x01 from
// the server).
type TransferData struct {
	TunnelID uint16
	// Data is at most the peer's MaxTransferSize bytes. A receiver of more
	// answers with TransferDataOverflow.
	Data []byte
}

// Append implements zcl.Command.
func (c TransferData) Append(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(b, c.TunnelID), c.Data...)
}

// ParseTransferData reads the payload, all of it after 2 bytes being data. Data
// aliases payload.
func ParseTransferData(payload []byte) (TransferData, error) {
	r := zcl.NewReader(payload)
	c := TransferData{TunnelID: r.Uint16(), Data: r.Rest()}
	return c, r.Err("transfer data")
}
