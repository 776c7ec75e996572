package ota

import (
	"crypto/sha256"
	"fmt"
)

// MaxFileSize is the largest file taken, in bytes: the DUIS 5.4 schema's limit
// on a firmware image.
const MaxFileSize = 10_240_000

// Layout says how the bytes behind the header are arranged.
type Layout uint8

const (
	// LayoutElements: tagged sub-elements, the Zigbee way.
	LayoutElements Layout = iota
	// LayoutGB: Manufacturer Image, flag byte, 0x40, 64 bytes of authorising signature.
	LayoutGB
	// LayoutOpaque: bytes without a structure known here.
	LayoutOpaque
)

var layoutNames = [...]string{"sub-elements", "GB signed", "opaque"}

// String returns the layout's name as inspect shows it.
func (l Layout) String() string { return layoutNames[l] }

// ImageHash is the SHA-256 of a Manufacturer Image, the hash that GBCS commands
// and alerts name.
type ImageHash [sha256.Size]byte

// String returns the hash in hex.
func (h ImageHash) String() string { return fmt.Sprintf("%x", h[:]) }

// Image is a parsed OTA upgrade file. Its slices alias the parsed bytes.
type Image struct {
	Header       ImageHeader
	Layout       Layout
	ElementCount int       // LayoutElements: see Elements
	Trailing     []byte    // LayoutElements: bytes behind the last whole sub-element
	Integrity    Integrity // LayoutElements

	// ManufacturerImage is what the image hash covers: all bytes behind the
	// header, in LayoutGB without flag byte and signature.
	ManufacturerImage []byte
	// ForceReplace is the flag byte of LayoutGB, meant for the hub and not for the meter.
	ForceReplace byte
	// Signature is the authorising party's raw r‖s of LayoutGB.
	Signature []byte

	// File is the whole OTA file, TotalSize bytes, as a client downloads it.
	File []byte
}

// ParseImage reads an OTA file of exactly its TotalSize bytes; use [Unwrap]
// first for a file as it was published.
func ParseImage(file []byte) (*Image, error) {
	if len(file) > MaxFileSize {
		return nil, fmt.Errorf("parse OTA file: %d bytes, want at most %d", len(file), MaxFileSize)
	}
	h, err := ParseImageHeader(file)
	if err != nil {
		return nil, err
	}
	if uint64(h.TotalSize) != uint64(len(file)) {
		return nil, fmt.Errorf("parse OTA file: total image size %d, but the file has %d bytes", h.TotalSize, len(file))
	}
	im := &Image{Header: h, File: file, ManufacturerImage: file[h.Size():]}
	if len(im.ManufacturerImage) == 0 {
		return nil, fmt.Errorf("parse OTA file: no image behind the header")
	}
	n, end := skipSubElements(file, h.Size())
	switch {
	case end == len(file):
		im.Layout = LayoutElements
	case im.splitTrailer():
		im.Layout = LayoutGB
		return im, nil
	case n > 0:
		im.Layout = LayoutElements
	default:
		im.Layout = LayoutOpaque
		return im, nil
	}
	im.ElementCount, im.Trailing = n, file[end:]
	im.Integrity = im.checkIntegrity()
	return im, nil
}

// Hash returns the Manufacturer Image Hash.
func (im *Image) Hash() ImageHash { return sha256.Sum256(im.ManufacturerImage) }

// FileHash returns the SHA-256 of the whole file as delivered.
func (im *Image) FileHash() [sha256.Size]byte { return sha256.Sum256(im.File) }
