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
	headerMajor      uint8  = 0x01
	headerStringSize        = 32

	fieldSecurityCredential = 1 << 0
	fieldDestination        = 1 << 1
	fieldHardware           = 1 << 2
	fieldsKnown             = fieldSecurityCredential | fieldDestination | fieldHardware
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

	// What this package does not know it skips and keeps (ZCL §11.4.2: a change of the
	// minor version, and fields behind the known ones, keep old readers working).
	MinorVersion   uint8  // of the header; 0 in all that is published
	ReservedFields uint16 // bits 3 to 15 of the field control
	Extra          string // bytes of the header behind the known fields
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
	return n + len(h.Extra)
}

// Append appends the header. A Text of more than 32 bytes is a programmer's
// error and panics.
func (h ImageHeader) Append(b []byte) []byte {
	if len(h.Text) > headerStringSize {
		panic(fmt.Sprintf("ota: header string of %d bytes, want at most %d", len(h.Text), headerStringSize))
	}
	control := h.ReservedFields &^ fieldsKnown
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
	b = append(b, h.MinorVersion, headerMajor)
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
	return append(b, h.Extra...)
}

// HeaderLength reads from the first HeaderSizeMin bytes of an OTA file how long its
// header is, 0 if they are no header.
func HeaderLength(head []byte) int {
	if len(head) < HeaderSizeMin || !bytes.HasPrefix(head, magicBytes) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(head[6:]))
}

// ParseImageHeader reads the header at the start of an OTA file. It checks the
// header against itself, not against the bytes that follow.
func ParseImageHeader(file []byte) (ImageHeader, error) {
	if len(file) >= len(magicBytes) && !bytes.HasPrefix(file, magicBytes) {
		return ImageHeader{}, fmt.Errorf("parse OTA header: upgrade file identifier %08X, want %08X", binary.LittleEndian.Uint32(file), magic)
	}
	if len(file) < HeaderSizeMin {
		return ImageHeader{}, fmt.Errorf("parse OTA header: the file ends after %d bytes, the header has at least %d (truncated?)", len(file), HeaderSizeMin)
	}
	r := zcl.NewReader(file[len(magicBytes):])
	minor, major := r.Uint8(), r.Uint8()
	if major != headerMajor {
		return ImageHeader{}, fmt.Errorf("parse OTA header: header version %02X%02X, want %02X00 to %02XFF", major, minor, headerMajor, headerMajor)
	}
	length, control := int(r.Uint16()), r.Uint16()
	h := ImageHeader{
		ImageID:               readImageID(&r),
		StackVersion:          r.Uint16(),
		Text:                  string(bytes.TrimRight(r.Bytes(headerStringSize), "\x00")),
		TotalSize:             r.Uint32(),
		HasSecurityCredential: control&fieldSecurityCredential != 0,
		HasDestination:        control&fieldDestination != 0,
		HasHardware:           control&fieldHardware != 0,
		MinorVersion:          minor,
		ReservedFields:        control &^ fieldsKnown,
	}
	known := h.Size()
	switch {
	case length < known:
		return ImageHeader{}, fmt.Errorf("parse OTA header: header length %d, want at least %d for field control %04X", length, known, control)
	case length > len(file):
		return ImageHeader{}, fmt.Errorf("parse OTA header: the file ends after %d bytes, in the header of %d (truncated?)", len(file), length)
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
	if err := h.check(length); err != nil {
		return ImageHeader{}, err
	}
	h.Extra = string(file[known:length])
	return h, nil
}

// check refuses a header, of that many bytes, that contradicts itself.
func (h ImageHeader) check(size int) error {
	switch {
	case h.TotalSize < uint32(size):
		return fmt.Errorf("parse OTA header: total image size %d, want at least the header's %d", h.TotalSize, size)
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
