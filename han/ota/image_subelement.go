package ota

import (
	"encoding/binary"
	"fmt"
	"iter"

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

// Append appends the sub-element.
func (e SubElement) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(e.Tag))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.Data)))
	return append(b, e.Data...)
}

// cutSubElement takes the sub-element at an offset off a file; there is none if the file
// ends before it does.
func cutSubElement(file []byte, offset int) (e SubElement, next int, ok bool) {
	if len(file)-offset < subElementHeader {
		return SubElement{}, offset, false
	}
	tag, length := subElementAt(file[offset:])
	end := uint64(offset) + subElementHeader + uint64(length)
	if end > uint64(len(file)) {
		return SubElement{}, offset, false
	}
	return SubElement{Tag: tag, Offset: offset, Data: file[offset+subElementHeader : end]}, int(end), true
}

// subElementAt reads the tag and length of a sub-element at the start of b.
func subElementAt(b []byte) (Tag, uint32) {
	return Tag(binary.LittleEndian.Uint16(b)), binary.LittleEndian.Uint32(b[2:])
}

// skipSubElements returns how many whole sub-elements there are from an offset on, and
// where the last one ends.
func skipSubElements(file []byte, offset int) (n, end int) {
	for {
		_, next, ok := cutSubElement(file, offset)
		if !ok {
			return n, offset
		}
		n, offset = n+1, next
	}
}

// Elements are the sub-elements of a file in their order, none unless it has
// LayoutElements. They are made one at a time: a file can have as many as a sixth of
// its bytes.
func (im *Image) Elements() iter.Seq[SubElement] {
	return func(yield func(SubElement) bool) {
		offset := im.Header.Size()
		for range im.ElementCount {
			e, next, _ := cutSubElement(im.File, offset)
			if !yield(e) {
				return
			}
			offset = next
		}
	}
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
func (im *Image) checkIntegrity() Integrity {
	for e := range im.Elements() {
		if e.Tag != TagIntegrityCode || len(e.Data) != aesmmo.Size {
			continue
		}
		code := [aesmmo.Size]byte(e.Data)
		var hash aesmmo.Digest
		hash.Write(im.File[:e.Offset])
		withTag := hash
		withTag.Write(im.File[e.Offset : e.Offset+subElementHeader])
		switch code {
		case hash.Sum():
			return IntegrityGood
		case hash.SumShort():
			return IntegrityGoodShort
		case withTag.Sum():
			return IntegrityGoodWithTag
		default:
			return IntegrityBad
		}
	}
	return IntegrityAbsent
}
