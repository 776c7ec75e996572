package ota

import (
	"encoding/binary"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
)

const (
	blockHasNodeAddress = 1 << 0
	blockHasMinPeriod   = 1 << 1
)

// ImageBlockRequest asks for bytes of an image from an offset (ZCL §11.13.6).
type ImageBlockRequest struct {
	Image       ImageID
	Offset      uint32
	MaxDataSize uint8 // the server may send less, never more

	HasNodeAddress bool
	NodeAddress    han.EUI64 // only with HasNodeAddress
	HasMinPeriod   bool
	MinPeriod      uint16 // only with HasMinPeriod; the client's MinimumBlockPeriod attribute, milliseconds in cluster revisions 1 and 3
}

// Append implements zcl.Command.
func (c ImageBlockRequest) Append(b []byte) []byte {
	var control byte
	if c.HasNodeAddress {
		control |= blockHasNodeAddress
	}
	if c.HasMinPeriod {
		control |= blockHasMinPeriod
	}
	b = c.Image.append(append(b, control))
	b = append(binary.LittleEndian.AppendUint32(b, c.Offset), c.MaxDataSize)
	if c.HasNodeAddress {
		b = c.NodeAddress.AppendAir(b)
	}
	if c.HasMinPeriod {
		b = binary.LittleEndian.AppendUint16(b, c.MinPeriod)
	}
	return b
}

// ParseImageBlockRequest reads the 14 to 24 bytes payload.
func ParseImageBlockRequest(payload []byte) (ImageBlockRequest, error) {
	r := zcl.NewReader(payload)
	control := r.Uint8()
	c := ImageBlockRequest{
		Image:          readImageID(&r),
		Offset:         r.Uint32(),
		MaxDataSize:    r.Uint8(),
		HasNodeAddress: control&blockHasNodeAddress != 0,
		HasMinPeriod:   control&blockHasMinPeriod != 0,
	}
	if c.HasNodeAddress {
		c.NodeAddress = han.EUI64(r.Uint64())
	}
	if c.HasMinPeriod {
		c.MinPeriod = r.Uint16()
	}
	return c, r.Err("image block request")
}
