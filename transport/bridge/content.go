package bridge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/commshub/commshub/han/ota"
)

// Content is what of an OTA file a device is given. It implements
// encoding.TextUnmarshaler, so that configurations name it.
type Content uint8

const (
	// ContentFile is the whole OTA file.
	ContentFile Content = iota
	// ContentImage is the data of its upgrade image element (tag 0x0000) alone: what
	// a device takes that knows nothing of Zigbee's file format.
	ContentImage
)

var contentNames = [...]string{"file", "upgrade-image"}

// String returns the name as configurations write it.
func (c Content) String() string { return contentNames[c] }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Content) UnmarshalText(text []byte) error {
	for i, name := range contentNames {
		if string(text) == name {
			*c = Content(i)
			return nil
		}
	}
	return fmt.Errorf("%q: want %s or %s", text, contentNames[0], contentNames[1])
}

// maxElements bounds the elements of a file that are looked at: each costs a read.
// Published files have up to 175.
const maxElements = 10_000

// Part returns the part of an image's file that c names. The file must be there.
func (im Image) Part(c Content) (*io.SectionReader, error) {
	if im.File == nil {
		return nil, errors.New("the image is not at hand yet")
	}
	if c == ContentFile {
		return io.NewSectionReader(im.File, 0, im.Size), nil
	}
	return im.element(ota.TagUpgradeImage)
}

// maxSignature is the longest signature over an upgrade image, in bytes.
const maxSignature = 256

// Signature returns the signature over the upgrade image that stands in the OTA
// file; nil if there is none. Who made it, the device must know.
func (im Image) Signature() []byte {
	part, err := im.element(ota.TagImageSignature)
	if err != nil || part.Size() > maxSignature {
		return nil
	}
	signature := make([]byte, part.Size())
	if _, err := part.ReadAt(signature, 0); err != nil {
		return nil
	}
	return signature
}

// element returns the data of the first element with a tag.
func (im Image) element(tag ota.Tag) (*io.SectionReader, error) {
	if im.File == nil {
		return nil, errors.New("the image is not at hand yet")
	}
	h, err := im.header()
	if err != nil {
		return nil, err
	}
	at := int64(h.Size())
	for n := 0; ; n++ {
		if n == maxElements {
			return nil, fmt.Errorf("the first %d elements of the OTA file are no %s (tag %04X) that could be given alone", n, tag, uint16(tag))
		}
		var element [6]byte // tag, length
		if _, err := im.File.ReadAt(element[:], at); err != nil {
			break
		}
		at += int64(len(element))
		size := int64(binary.LittleEndian.Uint32(element[2:]))
		if size > im.Size-at {
			break
		}
		if ota.Tag(binary.LittleEndian.Uint16(element[:])) == tag && size > 0 {
			return io.NewSectionReader(im.File, at, size), nil
		}
		at += size
	}
	return nil, fmt.Errorf("the OTA file has no %s element (tag %04X) that could be given alone", tag, uint16(tag))
}

// header reads the OTA header, whose length is in its first bytes.
func (im Image) header() (ota.ImageHeader, error) {
	head := make([]byte, min(im.Size, ota.HeaderSizeMin))
	if _, err := im.File.ReadAt(head, 0); err != nil {
		return ota.ImageHeader{}, fmt.Errorf("read image: %w", err)
	}
	if length := int64(ota.HeaderLength(head)); length > int64(len(head)) && length <= im.Size {
		head = make([]byte, length)
		if _, err := im.File.ReadAt(head, 0); err != nil {
			return ota.ImageHeader{}, fmt.Errorf("read image: %w", err)
		}
	}
	return ota.ParseImageHeader(head)
}

// partPath stands in the URL of a part, before its name.
const partPath = "upgrade-image"

// PartURL returns where a device can fetch a part of the image; empty without an
// HTTP address in the configuration.
func (im Image) PartURL(c Content) string {
	slash := strings.LastIndexByte(im.URL, '/')
	if c == ContentFile || slash < 0 {
		return im.URL
	}
	return im.URL[:slash+1] + partPath + "/" + strings.TrimSuffix(im.URL[slash+1:], copySuffix) + ".bin"
}
