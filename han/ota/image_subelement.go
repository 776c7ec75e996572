package ota

import (
	"encoding/binary"
	"fmt"

	"github.com/commshub/commshub/han/aesmmo"
)

// Tag identifies a sub-element of an OTA file (ZCL §11.4.4).
type Tag uint16

// The tags of the specification; 0xF000 to 0xFFFF belong to manufacturers.
const (
	TagUpgradeImage         Tag = 0x0000
	TagSignatureSuite1      Tag = 0x0001 // ECDSA sect163k1, signer EUI64 and 42 bytes
	TagCertificateSuite1    Tag = 0x0002
	TagIntegrityCode        Tag = 0x0003 // AES-MMO, 16 bytes
	TagPicture              Tag = 0x0004
	TagSignatureSuite2      Tag = 0x0005 // ECDSA sect283k1, signer EUI64 and 72 bytes
	TagCertificateSuite2    Tag = 0x0006
	TagManufacturerSpecific Tag = 0xF000
	// TagImageSignature is ours: an ECDSA signature in DER over SHA-256 of the
	// upgrade image, for devices that are no members of the HAN.
	TagImageSignature Tag = 0xF001
)

var tagNames = map[Tag]string{
	TagUpgradeImage:      "upgrade image",
	TagSignatureSuite1:   "ECDSA signature, suite 1",
	TagCertificateSuite1: "ECDSA certificate, suite 1",
	TagIntegrityCode:     "image integrity code",
	TagPicture:           "picture",
	TagSignatureSuite2:   "ECDSA signature, suite 2",
	TagCertificateSuite2: "ECDSA certificate, suite 2",
	TagImageSignature:    "signature of the upgrade image",
}

// String returns the specification's words.
func (t Tag) String() string {
	if name, ok := tagNames[t]; ok {
		return name
	}
	if t >= TagManufacturerSpecific {
		return fmt.Sprintf("manufacturer specific %04X", uint16(t))
	}
	return fmt.Sprintf("reserved tag %04X", uint16(t))
}

// SubElement is one tagged part of an OTA file: tag, 32-bit length, data.
type SubElement struct {
	Tag    Tag
	Offset int // of the tag, from the start of the file
	Data   []byte
}

const subElementHeader = 6

// maxSubElements bounds what a hostile file can make of its bytes: 10 MB of
// empty elements would take hundreds of megabytes. Published files have a
// handful.
const maxSubElements = 64

// Append appends the sub-element.
func (e SubElement) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Tag))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...)
}

// splitSubElements takes whole sub-elements off file from offset on and returns
// them with the offset behind the last. It stops at the first that does not fit,
// and after maxSubElements.
func splitSubElements(file []byte, offset int) ([]SubElement, int) {
	var elements []SubElement
	for len(elements) < maxSubElements && len(file)-offset >= subElementHeader {
		length := binary.LittleEndian.Uint32(file[offset+2:])
		end := uint64(offset) + subElementHeader + uint64(length)
		if end > uint64(len(file)) {
			break
		}
		elements = append(elements, SubElement{
			Tag:    Tag(binary.LittleEndian.Uint16(file[offset:])),
			Offset: offset,
			Data:   file[offset+subElementHeader : end],
		})
		offset = int(end)
	}
	return elements, offset
}

// Integrity is the result of checking a file's image integrity code.
type Integrity string

// The results. Three ways of hashing are met in the field.
const (
	IntegrityAbsent      Integrity = "absent"
	IntegrityGood        Integrity = "good"
	IntegrityGoodShort   Integrity = "good (short padding)"
	IntegrityGoodWithTag Integrity = "good (hash includes the tag)"
	IntegrityBad         Integrity = "bad"
)

// checkIntegrity compares the integrity code with the AES-MMO hash of the bytes
// before it (ZCL §11.4.6; variants as measured on 141 public files).
func checkIntegrity(file []byte, elements []SubElement) Integrity {
	for _, e := range elements {
		if e.Tag != TagIntegrityCode || len(e.Data) != aesmmo.Size {
			continue
		}
		code := [aesmmo.Size]byte(e.Data)
		switch code {
		case aesmmo.Sum(file[:e.Offset]):
			return IntegrityGood
		case aesmmo.SumShort(file[:e.Offset]):
			return IntegrityGoodShort
		case aesmmo.Sum(file[:e.Offset+subElementHeader]):
			return IntegrityGoodWithTag
		default:
			return IntegrityBad
		}
	}
	return IntegrityAbsent
}
