// Package atrest is how a home's memory is encrypted on disk. One key of 256 bits, which
// whoever runs the home keeps, gives each file keys of its own by HKDF-SHA256 (RFC 5869)
// from a salt that stands in the file, so that no two files share a key stream or a tweak.
//
//	flash of a meter   [Sectors]  AES-256-XTS (IEEE 1619): of the same size, a unit at a time, in place
//	records of a hub   [Values]   XChaCha20-Poly1305 with random nonces; keys by HMAC-SHA256
//	images             [Stream]   AES-256-CTR under a key that no other file has
//
// XTS and CTR keep secrets and prove nothing: what is read is held to a journal's
// checksums and to the SHA-256 of an image. A value is proved to be what was put under its
// name. Who has several copies of one meter's flash sees which of its units of 16 bytes
// changed; nobody is hindered from putting an old file back.
package atrest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

const (
	keySize = 32
	// SaltSize is how many bytes a file keeps for its keys.
	SaltSize = 32
	// ProofSize is how many bytes a file keeps to tell a wrong key by.
	ProofSize = 16
)

// Key is the key of a home. Whoever takes a *Key takes nil for a home that is not
// encrypted.
type Key struct {
	secret  []byte
	entropy io.Reader
}

// ParseKey reads a key from its text, 64 hexadecimal digits. Salts and nonces come from
// entropy, which must not fail.
func ParseKey(text string, entropy io.Reader) (*Key, error) {
	secret, err := hex.DecodeString(text)
	if err != nil || len(secret) != keySize {
		return nil, fmt.Errorf("want a key of %d hexadecimal digits", hex.EncodedLen(keySize))
	}
	return &Key{secret, entropy}, nil
}

// NewKeyText returns the text of a fresh key.
func NewKeyText(entropy io.Reader) string { return hex.EncodeToString(random(entropy, keySize)) }

// ErrWrongKey is what a file is refused with that was encrypted with another key.
var ErrWrongKey = errors.New("it is encrypted with another key: name its own with --storage-key")

// FileKey is what one file is encrypted with.
type FileKey struct {
	secret  []byte
	entropy io.Reader
	salt    []byte
}

// New returns the key of a new file, with a salt of its own.
func (k *Key) New() *FileKey { return k.file(random(k.entropy, SaltSize)) }

func (k *Key) file(salt []byte) *FileKey { return &FileKey{k.secret, k.entropy, salt} }

// Header appends what a file keeps in clear: its salt, and a proof of the key.
func (f *FileKey) Header(b []byte) []byte { return append(append(b, f.salt...), f.proof()...) }

// HeaderSize is how many bytes Header appends.
const HeaderSize = SaltSize + ProofSize

// OfHeader returns the key of a file with a header. It fails with ErrWrongKey.
func (k *Key) OfHeader(header []byte) (*FileKey, error) {
	if len(header) != HeaderSize {
		return nil, fmt.Errorf("header of %d bytes, want %d", len(header), HeaderSize)
	}
	f := k.file(append([]byte(nil), header[:SaltSize]...))
	if subtle.ConstantTimeCompare(f.proof(), header[SaltSize:]) != 1 {
		return nil, ErrWrongKey
	}
	return f, nil
}

func (f *FileKey) proof() []byte { return f.derive("proof", ProofSize) }

// derive returns a key for one purpose.
func (f *FileKey) derive(purpose string, size int) []byte {
	key, err := hkdf.Key(sha256.New, f.secret, f.salt, "commshub "+purpose, size)
	if err != nil {
		panic(fmt.Sprintf("atrest: %v", err)) // sizes are constants
	}
	return key
}

// Stream returns the key stream of a file of which no byte is ever written twice.
func (f *FileKey) Stream() Stream { return Stream{newAES(f.derive("stream", keySize))} }

// Stream encrypts bytes by their offset in a file.
type Stream struct{ block cipher.Block }

// XOR encrypts or decrypts b, which stands at an offset, in place.
func (s Stream) XOR(b []byte, offset int64) {
	var counter, skipped [aes.BlockSize]byte
	for i, n := len(counter)-1, uint64(offset)/aes.BlockSize; n > 0; i, n = i-1, n>>8 {
		counter[i] = byte(n)
	}
	keys := cipher.NewCTR(s.block, counter[:])
	keys.XORKeyStream(skipped[:offset%aes.BlockSize], skipped[:offset%aes.BlockSize])
	keys.XORKeyStream(b, b)
}

func newAES(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(fmt.Sprintf("atrest: %v", err)) // sizes are constants
	}
	return block
}

func random(entropy io.Reader, n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(entropy, b); err != nil {
		panic(fmt.Sprintf("atrest: entropy: %v", err))
	}
	return b
}
