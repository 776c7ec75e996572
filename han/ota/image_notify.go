package ota

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han/zcl"
)

// NotifyType says which optional fields an [ImageNotify] carries.
type NotifyType uint8

// The payload types (ZCL §11.13.3.2.1). Each one has the fields of those before it.
const (
	NotifyJitter NotifyType = iota
	NotifyManufacturer
	NotifyImageType
	NotifyFileVersion
)

// ImageNotify tells clients that an image may be there (ZCL §11.13.3).
type ImageNotify struct {
	Type         NotifyType
	QueryJitter  uint8 // 1..100; a client that draws a larger number ignores a broadcast
	Manufacturer uint16
	ImageType    uint16
	FileVersion  uint32
}

// Append implements zcl.Command.
func (c ImageNotify) Append(b []byte) []byte {
	b = append(b, byte(c.Type), c.QueryJitter)
	if c.Type >= NotifyManufacturer {
		b = binary.LittleEndian.AppendUint16(b, c.Manufacturer)
	}
	if c.Type >= NotifyImageType {
		b = binary.LittleEndian.AppendUint16(b, c.ImageType)
	}
	if c.Type >= NotifyFileVersion {
		b = binary.LittleEndian.AppendUint32(b, c.FileVersion)
	}
	return b
}

// ParseImageNotify reads the 2 to 10 bytes payload.
func ParseImageNotify(payload []byte) (ImageNotify, error) {
	const what = "image notify"
	r := zcl.NewReader(payload)
	c := ImageNotify{Type: NotifyType(r.Uint8()), QueryJitter: r.Uint8()}
	if c.Type > NotifyFileVersion {
		return ImageNotify{}, fmt.Errorf("parse %s: payload type %d, want 0 to 3", what, c.Type)
	}
	if c.Type >= NotifyManufacturer {
		c.Manufacturer = r.Uint16()
	}
	if c.Type >= NotifyImageType {
		c.ImageType = r.Uint16()
	}
	if c.Type >= NotifyFileVersion {
		c.FileVersion = r.Uint32()
	}
	return c, r.Err(what)
}
