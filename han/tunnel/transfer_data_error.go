package tunnel

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

// TransferDataError refuses a [TransferData] (0x03 from the client, 0x02 from
// the server).
type TransferDataError struct {
	TunnelID uint16
	Status   TransferStatus
}

// Append implements zcl.Command.
func (c TransferDataError) Append(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint16(b, c.TunnelID), byte(c.Status))
}

// ParseTransferDataError reads the 3 bytes payload.
func ParseTransferDataError(payload []byte) (TransferDataError, error) {
	r := zcl.NewReader(payload)
	c := TransferDataError{TunnelID: r.Uint16(), Status: TransferStatus(r.Uint8())}
	return c, r.Err("transfer data error")
}
