package ota

import (
	"encoding/binary"

	"github.com/commshub/commshub/han/zcl"
)

const queryHasHardware = 1 << 0

// QueryNextImageRequest asks for the next image after the running one (ZCL §11.13.4).
type QueryNextImageRequest struct {
	Current         ImageID // what the client runs
	HasHardware     bool
	HardwareVersion uint16 // only with HasHardware
}

// Append implements zcl.Command.
func (c QueryNextImageRequest) Append(b []byte) []byte {
	var control byte
	if c.HasHardware {
		control |= queryHasHardware
	}
	b = c.Current.append(append(b, control))
	if c.HasHardware {
		b = binary.LittleEndian.AppendUint16(b, c.HardwareVersion)
	}
	return b
}

// ParseQueryNextImageRequest reads the 9 or 11 bytes payload.
func ParseQueryNextImageRequest(payload []byte) (QueryNextImageRequest, error) {
	r := zcl.NewReader(payload)
	control := r.Uint8()
	c := QueryNextImageRequest{Current: readImageID(&r), HasHardware: control&queryHasHardware != 0}
	if c.HasHardware {
		c.HardwareVersion = r.Uint16()
	}
	return c, r.Err("query next image request")
}
