package ota

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// The trailer of a GB image: flag byte ‖ 0x40 ‖ raw ECDSA P-256 signature.
const (
	signatureSize = 64
	trailerSize   = 1 + 1 + signatureSize
)

// splitTrailer recognises the GB layout: hardware versions in the header, a
// flag byte of 0 or 1, and the signature's length in front of the last 64 bytes.
func (im *Image) splitTrailer() bool {
	body := im.ManufacturerImage
	n := len(body) - trailerSize
	if !im.Header.HasHardware || n <= 0 || body[n] > 1 || body[n+1] != signatureSize {
		return false
	}
	im.ManufacturerImage, im.ForceReplace, im.Signature = body[:n:n], body[n], body[n+2:]
	return true
}

// BuildGB returns a GB OTA file around a Manufacturer Image, authorised by
// signer's ECDSA P-256 key over the Manufacturer Image alone. The header's
// TotalSize is set here; HasHardware must be set.
func BuildGB(h ImageHeader, manufacturerImage []byte, forceReplace bool, signer crypto.Signer) ([]byte, error) {
	if !h.HasHardware {
		return nil, errors.New("build GB image: hardware versions missing from the header")
	}
	signature, err := SignRaw(signer, manufacturerImage)
	if err != nil {
		return nil, fmt.Errorf("build GB image: %w", err)
	}
	size := h.Size() + len(manufacturerImage) + trailerSize
	if size > MaxFileSize {
		return nil, fmt.Errorf("build GB image: file of %d bytes, want at most %d", size, MaxFileSize)
	}
	h.TotalSize = uint32(size)
	b := append(h.Append(make([]byte, 0, size)), manufacturerImage...)
	flag := byte(0)
	if forceReplace {
		flag = 1
	}
	return append(append(b, flag, signatureSize), signature...), nil
}

// VerifyAuthority checks the authorising signature of a GB image.
func (im *Image) VerifyAuthority(key *ecdsa.PublicKey) error {
	if im.Layout != LayoutGB {
		return fmt.Errorf("verify authorising signature: the image has none (layout %s)", im.Layout)
	}
	if err := VerifyRaw(key, im.ManufacturerImage, im.Signature); err != nil {
		return fmt.Errorf("verify authorising signature: %w", err)
	}
	return nil
}

// SignRaw signs SHA-256(data) and returns the raw 64-byte r‖s that GBCS uses.
// Keys of this process sign deterministically (RFC 6979).
func SignRaw(signer crypto.Signer, data []byte) ([]byte, error) {
	key, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok || key.Params().BitSize != 256 {
		return nil, errors.New("sign: want an ECDSA P-256 key")
	}
	digest := sha256.Sum256(data)
	der, err := signer.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) > 0 {
		return nil, errors.New("sign: the signer returned no DER signature")
	}
	raw := make([]byte, signatureSize)
	sig.R.FillBytes(raw[:signatureSize/2])
	sig.S.FillBytes(raw[signatureSize/2:])
	return raw, nil
}

// VerifyRaw checks a raw 64-byte r‖s over SHA-256(data).
func VerifyRaw(key *ecdsa.PublicKey, data, raw []byte) error {
	if len(raw) != signatureSize {
		return fmt.Errorf("signature of %d bytes, want %d", len(raw), signatureSize)
	}
	digest := sha256.Sum256(data)
	r := new(big.Int).SetBytes(raw[:signatureSize/2])
	s := new(big.Int).SetBytes(raw[signatureSize/2:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return errors.New("signature does not match")
	}
	return nil
}
