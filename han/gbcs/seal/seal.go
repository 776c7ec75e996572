// Package seal makes and checks what protects GBCS messages: the signature and the
// MAC of a message, and encrypted values in it.
//
// A signature is ECDSA on P-256 over the grouping header without its tag, and the
// payload (package rawsig; [gbcs.Message.AppendSigned]).
//
// A MAC and an encrypted value are made with a key for this one purpose, from what
// the key agreement keys of two parties have in common:
//
//	Z    ECDH on P-256 of one party's private key and the other's public key
//	key  the first 16 bytes of SHA-256(00000001 ‖ Z ‖ other information)
//	     other information: 60857406080300 ‖ originator(8)
//	                        ‖ 09 ‖ purpose(1) ‖ counter(8) ‖ recipient(8)
//	IV   originator(8) ‖ 00000000
//
//	MAC    AES-128-GMAC of 12 bytes over 11 0000000000 ‖ grouping header ‖ payload ‖ signature
//	value  AES-128-GCM with the additional data 31 and a tag of 12 bytes
//	UTRN   AES-128-GMAC of 16 bytes, of which it has the last four; see package utrn
//
// The purpose of a MAC is the message's CRA flag. The MAC of a command is made with the
// key of the access control broker, although the message names its originator; that of
// a response or an alert with the device's.
//
// The key derivation is that of NIST SP 800-56A, concatenation; the layout is held
// against the cryptographic test vectors of GBCS 18.4, and the messages published as
// RTDS 4.5.0. Nothing here draws a random number: a key is used for one message, so that
// a fixed IV repeats under no key as long as no counter does.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/rawsig"
)

// Secret is what the key agreement keys of two parties have in common, Z.
type Secret [32]byte

// Agree returns what a party has in common with another. Both have the same.
func Agree(own *ecdh.PrivateKey, other *ecdh.PublicKey) (Secret, error) {
	z, err := own.ECDH(other)
	if err != nil {
		return Secret{}, fmt.Errorf("agree on a key: %w", err)
	}
	if len(z) != len(Secret{}) {
		return Secret{}, fmt.Errorf("agree on a key: keys are not on P-256")
	}
	return Secret(z), nil
}

// Purpose is what a key is for: the CRA flag of the message that is MACed, or
// [Encryption].
type Purpose byte

// Encryption is the purpose of a key that values are encrypted with.
const Encryption Purpose = 4

// Context names the message that a key is for.
type Context struct {
	Originator, Recipient han.EUI64
	Counter               uint64 // originator counter
	Purpose               Purpose
}

// ContextOf returns the context of a message's MAC.
func ContextOf(m gbcs.Message) Context {
	return Context{m.Originator, m.Recipient, m.OriginatorCounter, Purpose(m.CRA)}
}

var (
	algorithm = []byte{0x60, 0x85, 0x74, 0x06, 0x08, 0x03, 0x00}
	// macStart is what the MAC covers in front of the grouping header: the security
	// control, and the empty elements of the MAC header.
	macStart = []byte{0x11, 0, 0, 0, 0, 0}
	// valueHead is the additional data of an encrypted value: its security control.
	valueHead = []byte{0x31}
)

const keySize = 16

// key derives the key for a message.
func (s Secret) key(c Context) [keySize]byte {
	b := append([]byte{0, 0, 0, 1}, s[:]...)
	b = c.Originator.AppendPrint(append(b, algorithm...))
	b = append(b, 9, byte(c.Purpose))
	b = binary.BigEndian.AppendUint64(b, c.Counter)
	digest := sha256.Sum256(c.Recipient.AppendPrint(b))
	return [keySize]byte(digest[:])
}

// gcm returns the cipher and the IV for a message, with a tag of so many bytes.
func (s Secret) gcm(c Context, tag int) (aead cipher.AEAD, iv []byte) {
	key := s.key(c)
	block, err := aes.NewCipher(key[:])
	if err == nil {
		aead, err = cipher.NewGCMWithTagSize(block, tag)
	}
	if err != nil {
		panic(fmt.Sprintf("seal: AES-128-GCM: %v", err)) // its sizes are constants
	}
	return aead, append(c.Originator.AppendPrint(nil), 0, 0, 0, 0)
}

// MAC returns the MAC over what it covers of a message, see [gbcs.Message.AppendMACed].
func (s Secret) MAC(c Context, covered []byte) (mac [gbcs.MACSize]byte) {
	s.seal(mac[:0], c, len(mac), covered)
	return mac
}

// TagSize is the size of a whole tag in bytes.
const TagSize = 16

// Tag returns the whole tag over what a MAC of a message would cover; MAC has its first
// bytes.
func (s Secret) Tag(c Context, covered []byte) (tag [TagSize]byte) {
	s.seal(tag[:0], c, len(tag), covered)
	return tag
}

func (s Secret) seal(to []byte, c Context, tag int, covered []byte) {
	aead, iv := s.gcm(c, tag)
	aead.Seal(to, iv, nil, append(macStart[:len(macStart):len(macStart)], covered...))
}

// CheckMAC checks the MAC of a message in constant time; it fails with [ErrMAC].
func (s Secret) CheckMAC(c Context, covered, mac []byte) error {
	want := s.MAC(c, covered)
	if subtle.ConstantTimeCompare(want[:], mac) != 1 {
		return ErrMAC
	}
	return nil
}

// Open decrypts a value from its ciphertext and, behind it, its tag.
func (s Secret) Open(c Context, sealed []byte) ([]byte, error) {
	aead, iv := s.gcm(c, gbcs.MACSize)
	value, err := aead.Open(nil, iv, sealed, valueHead)
	if err != nil {
		return nil, errors.New("tag does not match")
	}
	return value, nil
}

// Sign returns the message with its originator's signature.
func Sign(key *ecdsa.PrivateKey, m gbcs.Message) (gbcs.Message, error) {
	m.PreCommand = false
	signature, err := rawsig.Sign(key, m.AppendSigned(nil))
	m.Signature = signature
	return m, err
}

// WithMAC returns the message with a MAC.
func (s Secret) WithMAC(m gbcs.Message) gbcs.Message {
	m.PreCommand, m.HasMAC = false, true
	m.MAC = s.MAC(ContextOf(m), m.AppendMACed(nil))
	return m
}

// CheckSignature checks the signature of a message.
func CheckSignature(key *ecdsa.PublicKey, m gbcs.Message) error {
	return rawsig.Verify(key, m.AppendSigned(nil), m.Signature)
}

// CheckMACOf checks the MAC of a message.
func (s Secret) CheckMACOf(m gbcs.Message) error {
	return s.CheckMAC(ContextOf(m), m.AppendMACed(nil), m.MAC[:])
}
