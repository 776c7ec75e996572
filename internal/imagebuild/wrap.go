package imagebuild

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han/ota"
)

// maxText is the length of an OTA file's header string, in bytes.
const maxText = 32

// Wrap returns an OTA file with the payload as its upgrade image element and, if
// signer is given, an ECDSA signature in DER over its SHA-256 as another.
func Wrap(id ota.ImageID, text string, payload []byte, signer crypto.Signer) ([]byte, error) {
	h := ota.ImageHeader{ImageID: id, StackVersion: ota.StackVersionPRO, Text: text}
	elements := ota.SubElement{Tag: ota.TagUpgradeImage, Data: payload}.Append(nil)
	if signer != nil {
		digest := sha256.Sum256(payload)
		signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("wrap image: %w", err)
		}
		elements = ota.SubElement{Tag: ota.TagImageSignature, Data: signature}.Append(elements)
	}
	size := h.Size() + len(elements)
	switch {
	case len(payload) == 0:
		return nil, errors.New("wrap image: there is nothing in it")
	case len(text) > maxText:
		return nil, fmt.Errorf("wrap image: header string of %d bytes, want at most %d", len(text), maxText)
	case size > ota.MaxFileSize:
		return nil, fmt.Errorf("wrap image: file of %d bytes, want at most %d", size, ota.MaxFileSize)
	}
	h.TotalSize = uint32(size)
	return append(h.Append(make([]byte, 0, size)), elements...), nil
}
