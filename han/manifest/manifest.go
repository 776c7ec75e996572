// Package manifest is how a manufacturer proves its own image genuine. GBCS
// leaves that to the manufacturer; this house puts a COSE_Sign1 message (RFC
// 9052) in front of the payload inside the Manufacturer Image:
//
//	Manufacturer Image = COSE_Sign1( manifest ) ‖ payload
//
// The manifest is a CBOR map in deterministic encoding. Its fields are the
// elements of the SUIT information model (RFC 9124) that a meter needs. Divergence:
// it is not a SUIT manifest, nor any manufacturer's format. The signature is ES256 by the
// manufacturer's key, which a meter has burnt in. The bootloader checks it at
// every boot, the application before it reports an image as verified.
package manifest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"github.com/commshub/commshub/han/rawsig"
)

// structureVersion is the only version of the map below.
const structureVersion = 1

// Manifest says what a payload is and what it is for. Names in brackets are
// those of RFC 9124.
type Manifest struct {
	Structure uint8 `cbor:"1,keyasint"` // [manifest structure version] 1
	// Sequence is the [monotonic sequence number] and serves as rollback counter:
	// a bootloader never goes below the highest it has confirmed.
	Sequence      uint32 `cbor:"2,keyasint"`
	Vendor        uint16 `cbor:"3,keyasint"` // [vendor ID] Zigbee manufacturer code
	Class         uint16 `cbor:"4,keyasint"` // [class ID] Zigbee image type
	Model         string `cbor:"5,keyasint"` // for people, at most 64 bytes
	HardwareMin   uint16 `cbor:"6,keyasint"` // inclusive
	HardwareMax   uint16 `cbor:"7,keyasint"` // inclusive
	Version       uint32 `cbor:"8,keyasint"` // [version] the OTA file version
	PayloadSize   uint32 `cbor:"9,keyasint"` // [payload size] bytes
	PayloadDigest []byte `cbor:"10,keyasint"`
}

// Limits of what Split takes, in bytes.
const (
	maxModel    = 64
	maxEnvelope = 1024
)

var (
	encMode = must(cbor.CoreDetEncOptions().EncMode())
	decMode = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxNestedLevels:   4,
		MaxArrayElements:  16,
		MaxMapPairs:       16,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode())
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return v
}

// Build returns the Manufacturer Image: m, completed with the payload's size
// and digest, signed by the manufacturer, and the payload.
func Build(m Manifest, payload []byte, manufacturer crypto.Signer) ([]byte, error) {
	if len(m.Model) > maxModel {
		return nil, fmt.Errorf("build manifest: model of %d bytes, want at most %d", len(m.Model), maxModel)
	}
	if m.HardwareMin > m.HardwareMax {
		return nil, fmt.Errorf("build manifest: hardware versions %04X to %04X, want the minimum first", m.HardwareMin, m.HardwareMax)
	}
	digest := sha256.Sum256(payload)
	m.Structure, m.PayloadSize, m.PayloadDigest = structureVersion, uint32(len(payload)), digest[:]
	encoded, err := encMode.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("build manifest: %w", err)
	}
	msg := cose.NewSign1Message()
	msg.Headers.Protected.SetAlgorithm(cose.AlgorithmES256)
	msg.Payload = encoded
	if err := msg.Sign(nil, nil, es256{manufacturer}); err != nil {
		return nil, fmt.Errorf("build manifest: %w", err)
	}
	envelope, err := msg.MarshalCBOR()
	if err != nil {
		return nil, fmt.Errorf("build manifest: %w", err)
	}
	return append(envelope, payload...), nil
}

// Split takes a Manufacturer Image apart without checking any signature. The
// payload aliases image.
func Split(image []byte) (m Manifest, payload []byte, err error) {
	m, payload, _, err = split(image)
	return m, payload, err
}

func split(image []byte) (Manifest, []byte, *cose.Sign1Message, error) {
	fail := func(err error) (Manifest, []byte, *cose.Sign1Message, error) {
		return Manifest{}, nil, nil, fmt.Errorf("parse manifest: %w", err)
	}
	var envelope cbor.RawMessage
	var msg cose.Sign1Message
	_, err := cbor.UnmarshalFirst(image[:min(len(image), maxEnvelope)], &envelope)
	if err == nil {
		err = msg.UnmarshalCBOR(envelope)
	}
	if err != nil {
		return fail(errors.New("no COSE_Sign1 message at the start of the image"))
	}
	var m Manifest
	if err := decMode.Unmarshal(msg.Payload, &m); err != nil {
		return fail(err)
	}
	if m.Structure != structureVersion {
		return fail(fmt.Errorf("structure version %d, want %d", m.Structure, structureVersion))
	}
	if len(m.Model) > maxModel {
		return fail(fmt.Errorf("model of %d bytes, want at most %d", len(m.Model), maxModel))
	}
	return m, image[len(envelope):], &msg, nil
}

// Verify checks that a Manufacturer Image was signed by the manufacturer and
// that its payload is whole, and returns the manifest. Whether the image is for
// the device at hand is the caller's check.
func Verify(image []byte, manufacturer *ecdsa.PublicKey) (Manifest, error) {
	m, payload, msg, err := split(image)
	if err != nil {
		return Manifest{}, err
	}
	verifier, err := cose.NewVerifier(cose.AlgorithmES256, manufacturer)
	if err != nil {
		return Manifest{}, fmt.Errorf("verify manifest: %w", err)
	}
	if err := msg.Verify(nil, verifier); err != nil {
		return Manifest{}, errors.New("verify manifest: the manufacturer's signature does not match")
	}
	if uint64(m.PayloadSize) != uint64(len(payload)) {
		return Manifest{}, fmt.Errorf("verify manifest: payload of %d bytes, want %d", len(payload), m.PayloadSize)
	}
	if digest := sha256.Sum256(payload); string(m.PayloadDigest) != string(digest[:]) {
		return Manifest{}, errors.New("verify manifest: the payload's digest does not match")
	}
	return m, nil
}

// es256 signs deterministically, whatever go-cose would use.
type es256 struct{ crypto.Signer }

func (es256) Algorithm() cose.Algorithm { return cose.AlgorithmES256 }

func (s es256) Sign(_ io.Reader, content []byte) ([]byte, error) {
	return rawsig.Sign(s.Signer, content)
}
