package ota

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han/zcl"
)

// MaxBlock is the most data one Image Block Response can hold.
const MaxBlock = 255

// Sizes of ZCL frames in bytes, header included, by which radio time and charge are
// reckoned.
const (
	BlockRequestSize = 3 + 14 // an Image Block Request without its optional fields
	BlockOverhead    = 3 + 14 // an Image Block Response with a block, without the data
	WaitSize         = 3 + 11 // an Image Block Response with WAIT_FOR_DATA
)

// ImageBlockResponse answers a block or page request (ZCL §11.13.8). Which
// fields are present depends on Status:
//
//	SUCCESS        Image, Offset, Data
//	WAIT_FOR_DATA  CurrentTime, RequestTime and, if HasMinPeriod, MinPeriod
//	others         nothing; ABORT ends the download
type ImageBlockResponse struct {
	Status zcl.Status

	Image  ImageID
	Offset uint32
	Data   []byte // at most MaxBlock

	// CurrentTime is the server's clock, 0 if it has none; then RequestTime is an offset.
	CurrentTime  zcl.UTCTime
	RequestTime  zcl.UTCTime
	HasMinPeriod bool   // older servers leave MinPeriod out
	MinPeriod    uint16 // see ImageBlockRequest.MinPeriod
}

// Append implements zcl.Command. More data than MaxBlock is a programmer's error and panics.
func (c ImageBlockResponse) Append(b []byte) []byte {
	b = append(b, byte(c.Status))
	switch c.Status {
	case zcl.StatusSuccess:
		if len(c.Data) > MaxBlock {
			panic(fmt.Sprintf("ota: image block response with %d bytes of data, want at most %d", len(c.Data), MaxBlock))
		}
		b = binary.LittleEndian.AppendUint32(c.Image.append(b), c.Offset)
		return append(append(b, byte(len(c.Data))), c.Data...)
	case zcl.StatusWaitForData:
		b = binary.LittleEndian.AppendUint32(b, uint32(c.CurrentTime))
		b = binary.LittleEndian.AppendUint32(b, uint32(c.RequestTime))
		if c.HasMinPeriod {
			b = binary.LittleEndian.AppendUint16(b, c.MinPeriod)
		}
		return b
	default:
		return b
	}
}

// ParseImageBlockResponse reads the payload: 14 bytes and the data, 9 or 11 for
// WAIT_FOR_DATA, 1 otherwise. Data aliases payload.
func ParseImageBlockResponse(payload []byte) (ImageBlockResponse, error) {
	r := zcl.NewReader(payload)
	c := ImageBlockResponse{Status: zcl.Status(r.Uint8())}
	switch c.Status {
	case zcl.StatusSuccess:
		c.Image, c.Offset = readImageID(&r), r.Uint32()
		c.Data = r.Bytes(int(r.Uint8()))
	case zcl.StatusWaitForData:
		c.CurrentTime, c.RequestTime = zcl.UTCTime(r.Uint32()), zcl.UTCTime(r.Uint32())
		if r.Remaining() > 0 {
			c.HasMinPeriod, c.MinPeriod = true, r.Uint16()
		}
	default:
	}
	return c, r.Err("image block response")
}
