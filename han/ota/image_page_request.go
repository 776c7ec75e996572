package ota

import (
	"encoding/binary"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
)

// ImagePageRequest asks for a run of blocks with one request (ZCL §11.13.7). The
// server answers with Image Block Responses until PageSize bytes are sent.
type ImagePageRequest struct {
	Image           ImageID
	Offset          uint32
	MaxDataSize     uint8  // per block
	PageSize        uint16 // bytes
	ResponseSpacing uint16 // milliseconds between blocks, at least

	HasNodeAddress bool
	NodeAddress    han.EUI64 // only with HasNodeAddress
}

// Spacing returns the response spacing as a duration.
func (c ImagePageRequest) Spacing() time.Duration {
	return time.Duration(c.ResponseSpacing) * time.Millisecond
}

// Append implements zcl.Command.
func (c ImagePageRequest) Append(b []byte) []byte {
	var control byte
	if c.HasNodeAddress {
		control |= blockHasNodeAddress
	}
	b = c.Image.append(append(b, control))
	b = append(binary.LittleEndian.AppendUint32(b, c.Offset), c.MaxDataSize)
	b = binary.LittleEndian.AppendUint16(b, c.PageSize)
	b = binary.LittleEndian.AppendUint16(b, c.ResponseSpacing)
	if c.HasNodeAddress {
		b = c.NodeAddress.AppendAir(b)
	}
	return b
}

// ParseImagePageRequest reads the 18 or 26 bytes payload.
func ParseImagePageRequest(payload []byte) (ImagePageRequest, error) {
	r := zcl.NewReader(payload)
	control := r.Uint8()
	c := ImagePageRequest{
		Image:           readImageID(&r),
		Offset:          r.Uint32(),
		MaxDataSize:     r.Uint8(),
		PageSize:        r.Uint16(),
		ResponseSpacing: r.Uint16(),
		HasNodeAddress:  control&blockHasNodeAddress != 0,
	}
	if c.HasNodeAddress {
		c.NodeAddress = han.EUI64(r.Uint64())
	}
	return c, r.Err("image page request")
}
