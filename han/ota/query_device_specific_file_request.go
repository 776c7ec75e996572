package ota

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
)

// QueryDeviceSpecificFileRequest asks for a file made for one device, such as a
// log or a configuration (ZCL §11.13.10). Image.ImageType is 0xFFC0 to 0xFFFE.
type QueryDeviceSpecificFileRequest struct {
	Node         han.EUI64
	Image        ImageID
	StackVersion uint16 // Zigbee stack version, 2 = PRO
}

// Append implements zcl.Command.
func (c QueryDeviceSpecificFileRequest) Append(b []byte) []byte {
	return binary.LittleEndian.AppendUint16(c.Image.append(c.Node.AppendAir(b)), c.StackVersion)
}

// ParseQueryDeviceSpecificFileRequest reads the 18 bytes payload.
func ParseQueryDeviceSpecificFileRequest(payload []byte) (QueryDeviceSpecificFileRequest, error) {
	r := zcl.NewReader(payload)
	c := QueryDeviceSpecificFileRequest{
		Node:         han.EUI64(r.Uint64()),
		Image:        readImageID(&r),
		StackVersion: r.Uint16(),
	}
	return c, r.Err("query device specific file request")
}
