package imagebuild

import (
	"errors"
	"fmt"

	"github.com/commshub/commshub/han/ota"
)

// maxText is the length of an OTA file's header string, in bytes.
const maxText = 32

// Wrap returns an OTA file with the payload as its upgrade image element, and
// nothing else: no signature, no hardware versions.
func Wrap(id ota.ImageID, text string, payload []byte) ([]byte, error) {
	h := ota.ImageHeader{ImageID: id, StackVersion: ota.StackVersionPRO, Text: text}
	element := ota.SubElement{Tag: ota.TagUpgradeImage, Data: payload}.Append(nil)
	size := h.Size() + len(element)
	switch {
	case len(payload) == 0:
		return nil, errors.New("wrap image: there is nothing in it")
	case len(text) > maxText:
		return nil, fmt.Errorf("wrap image: header string of %d bytes, want at most %d", len(text), maxText)
	case size > ota.MaxFileSize:
		return nil, fmt.Errorf("wrap image: file of %d bytes, want at most %d", size, ota.MaxFileSize)
	}
	h.TotalSize = uint32(size)
	return append(h.Append(make([]byte, 0, size)), element...), nil
}
