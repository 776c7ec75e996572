package ota

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/zcl"
)

// Sizes of the OTA file header in bytes (ZCL §11.4.2).
const (
	HeaderSizeMin = 56
	HeaderSizeMax = HeaderSizeMin + 1 + han.EUI64Size + 4
)

const (
	magic            uint32 = 0x0BEEF11E
	headerVersion    uint16 = 0x0100
	headerStringSize        = 32

	fieldSecurityCredential = 1 << 0
	fieldDestination        = 1 << 1
	fieldHardware           = 1 << 2
)

// StackVersionPRO is the Zigbee stack version of all images seen in the field.
const StackVersionPRO uint16 = 0x0002

// ImageHeader is the header of an OTA upgrade file (ZCL §11.4.2). The optional
// fields are present if their Has field is set.
type ImageHeader struct {
	ImageID
	StackVersion uint16
	Text         string // header string, at most 32 bytes, NUL padded in the file
	TotalSize    uint32 // whole file in bytes, this header included

	HasSecurityCredential     bool
	SecurityCredentialVersion uint8
	HasDestination            bool
	Destination               han.EUI64 // the one device this file is for
	HasHardware               bool
	HardwareMin, HardwareMax  uint16 // inclusive
}

// Size returns the header's length in bytes.
func (h ImageHeader) Size() int {
	n := HeaderSizeMin
	if h.HasSecurityCredential {
		n++
	}
	if h.HasDestination {
		n += han.EUI64Size
	}
	if h.HasHardware {
		n += 4
	}
	return n
}

// Append appends the header. A Text of more than 32 bytes is a programmer's
// error and panics.
func (h ImageHeader) Append(b []byte) []byte {
	if len(h.Text) > headerStringSize {
		panic(fmt.Sprintf("ota: header string of %d bytes, want at most %d", len(h.Text), headerStringSize))
	}
	var control uint16
	if h.HasSecurityCredential {
		control |= fieldSecurityCredential
	}
	if h.HasDestination {
		control |= fieldDestination
	}
	if h.HasHardware {
		control |= fieldHardware
	}
	le := binary.LittleEndian
	b = le.AppendUint32(b, magic)
	b = le.AppendUint16(b, headerVersion)
	b = le.AppendUint16(b, uint16(h.Size()))
	b = le.AppendUint16(b, control)
	b = h.append(b)
	b = le.AppendUint16(b, h.StackVersion)
	var text [headerStringSize]byte
	copy(text[:], h.Text)
	b = append(b, text[:]...)
	b = le.AppendUint32(b, h.TotalSize)
	if h.HasSecurityCredential {
		b = append(b, h.SecurityCredentialVersion)
	}
	if h.HasDestination {
		b = h.Destination.AppendAir(b)
	}
	if h.HasHardware {
		b = le.AppendUint16(b, h.HardwareMin)
		b = le.AppendUint16(b, h.HardwareMax)
	}
	return b
}

// ParseImageHeader reads the header at the start of an OTA file. It checks the
// header against itself, not against the bytes that follow.
func ParseImageHeader(file []byte) (ImageHeader, error) {
	const what = "OTA header"
	r := zcl.NewReader(file)
	if m := r.Uint32(); r.Err(what) == nil && m != magic {
		return ImageHeader{}, fmt.Errorf("parse %s: upgrade file identifier %08X, want %08X", what, m, magic)
	}
	if v := r.Uint16(); r.Err(what) == nil && v != headerVersion {
		return ImageHeader{}, fmt.Errorf("parse %s: header version %04X, want %04X", what, v, headerVersion)
	}
	length, control := r.Uint16(), r.Uint16()
	h := ImageHeader{
		ImageID:               readImageID(&r),
		StackVersion:          r.Uint16(),
		Text:                  string(bytes.TrimRight(r.Bytes(headerStringSize), "\x00")),
		TotalSize:             r.Uint32(),
		HasSecurityCredential: control&fieldSecurityCredential != 0,
		HasDestination:        control&fieldDestination != 0,
		HasHardware:           control&fieldHardware != 0,
	}
	if h.HasSecurityCredential {
		h.SecurityCredentialVersion = r.Uint8()
	}
	if h.HasDestination {
		h.Destination = han.EUI64(r.Uint64())
	}
	if h.HasHardware {
		h.HardwareMin, h.HardwareMax = r.Uint16(), r.Uint16()
	}
	if err := r.Err(what); err != nil {
		return ImageHeader{}, err
	}
	return h, h.check(int(length), control)
}

// check refuses a header that contradicts itself.
func (h ImageHeader) check(length int, control uint16) error {
	const known = fieldSecurityCredential | fieldDestination | fieldHardware
	switch {
	case control&^known != 0:
		return fmt.Errorf("parse OTA header: field control %04X has reserved bits, want only bits 0 to 2", control)
	case length != h.Size():
		return fmt.Errorf("parse OTA header: header length %d, want %d for field control %04X", length, h.Size(), control)
	case h.TotalSize < uint32(h.Size()):
		return fmt.Errorf("parse OTA header: total image size %d, want at least the header's %d", h.TotalSize, h.Size())
	case h.HasHardware && h.HardwareMin > h.HardwareMax:
		return fmt.Errorf("parse OTA header: hardware versions %04X to %04X, want the minimum first", h.HardwareMin, h.HardwareMax)
	default:
		return nil
	}
}

// FitsHardware reports whether a device of the given hardware version may take
// the image. An image without hardware versions fits every device.
func (h ImageHeader) FitsHardware(version uint16) bool {
	return !h.HasHardware || h.HardwareMin <= version && version <= h.HardwareMax
}
