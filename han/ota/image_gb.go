package ota

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han/rawsig"
)

// TrailerSize is the length of a GB image's trailer in bytes: flag byte ‖ 0x40 ‖ raw
// ECDSA P-256 signature.
const TrailerSize = 1 + 1 + rawsig.Size

// splitTrailer recognises the GB layout: hardware versions in the header, a
// flag byte of 0 or 1, and the signature's length in front of the last 64 bytes.
func (im *Image) splitTrailer() bool {
	body := im.ManufacturerImage
	n := len(body) - TrailerSize
	if !im.Header.HasHardware || n <= 0 || body[n] > 1 || body[n+1] != rawsig.Size {
		return false
	}
	im.ManufacturerImage, im.ForceReplace, im.Signature = body[:n:n], body[n], body[n+2:]
	return true
}

// BuildGB returns a GB OTA file around a Manufacturer Image, authorised by
// signer's ECDSA P-256 key over the Manufacturer Image alone. The header's
// TotalSize is set here; HasHardware must be set. A file that [ParseImage] would
// not take for a GB image is refused.
func BuildGB(h ImageHeader, manufacturerImage []byte, forceReplace bool, signer crypto.Signer) ([]byte, error) {
	size := h.Size() + len(manufacturerImage) + TrailerSize
	switch {
	case !h.HasHardware:
		return nil, errors.New("build GB image: hardware versions missing from the header")
	case len(h.Text) > headerStringSize:
		return nil, fmt.Errorf("build GB image: header string of %d bytes, want at most %d", len(h.Text), headerStringSize)
	case len(manufacturerImage) == 0:
		return nil, errors.New("build GB image: the Manufacturer Image is empty")
	case size > MaxFileSize:
		return nil, fmt.Errorf("build GB image: file of %d bytes, want at most %d", size, MaxFileSize)
	}
	signature, err := rawsig.Sign(signer, manufacturerImage)
	if err != nil {
		return nil, fmt.Errorf("build GB image: %w", err)
	}
	h.TotalSize = uint32(size)
	file := append(h.Append(make([]byte, 0, size)), manufacturerImage...)
	flag := byte(0)
	if forceReplace {
		flag = 1
	}
	file = append(append(file, flag, rawsig.Size), signature...)
	im, err := ParseImage(file)
	if err != nil {
		return nil, fmt.Errorf("build GB image: %w", err)
	}
	if im.Layout != LayoutGB {
		return nil, fmt.Errorf("build GB image: the Manufacturer Image reads as %s", im.Layout)
	}
	return file, nil
}

// VerifyAuthority checks the authorising signature of a GB image.
func (im *Image) VerifyAuthority(key *ecdsa.PublicKey) error {
	if im.Layout != LayoutGB {
		return fmt.Errorf("verify authorising signature: the image has none (layout %s)", im.Layout)
	}
	if err := rawsig.Verify(key, im.ManufacturerImage, im.Signature); err != nil {
		return fmt.Errorf("verify authorising signature: %w", err)
	}
	return nil
}
