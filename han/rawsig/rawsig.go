// Package rawsig makes and checks the signatures that GBCS and COSE share: ECDSA
// on P-256 over SHA-256 of the data, as the 64 bytes r ‖ s, both big-endian.
package rawsig

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// Size is the length of a signature in bytes.
const Size = 64

// Sign signs data. Keys of this process sign deterministically (RFC 6979), so
// that the same input builds the same file.
func Sign(signer crypto.Signer, data []byte) ([]byte, error) {
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
	raw := make([]byte, Size)
	sig.R.FillBytes(raw[:Size/2])
	sig.S.FillBytes(raw[Size/2:])
	return raw, nil
}

// Verify checks a signature over data.
func Verify(key *ecdsa.PublicKey, data, raw []byte) error {
	if len(raw) != Size {
		return fmt.Errorf("signature of %d bytes, want %d", len(raw), Size)
	}
	digest := sha256.Sum256(data)
	r := new(big.Int).SetBytes(raw[:Size/2])
	s := new(big.Int).SetBytes(raw[Size/2:])
	if !ecdsa.Verify(key, digest[:], r, s) {
		return errors.New("signature does not match")
	}
	return nil
}
