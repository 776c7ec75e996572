package atrest

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// nameSize is how many bytes of an HMAC name a value.
const nameSize = 16

// Values encrypts values and what they are kept under.
type Values struct {
	aead    cipher.AEAD
	naming  []byte
	entropy io.Reader
}

// Values returns the cipher of a file with values.
func (f *FileKey) Values() *Values {
	aead, err := chacha20poly1305.NewX(f.derive("values", chacha20poly1305.KeySize))
	if err != nil {
		panic(fmt.Sprintf("atrest: %v", err)) // sizes are constants
	}
	return &Values{aead, f.derive("names", keySize), f.entropy}
}

// Name returns what a value is kept under instead of its table and key. It tells neither,
// and has no order.
func (v *Values) Name(table string, key []byte) []byte {
	h := hmac.New(sha256.New, v.naming)
	h.Write(append([]byte{byte(len(table))}, table...))
	h.Write(key)
	return h.Sum(nil)[:nameSize]
}

// Seal encrypts a value for the name that it will be kept under.
func (v *Values) Seal(name, plain []byte) []byte {
	nonce := make([]byte, v.aead.NonceSize(), v.aead.NonceSize()+len(plain)+v.aead.Overhead())
	copy(nonce, random(v.entropy, len(nonce)))
	return v.aead.Seal(nonce, nonce, plain, name)
}

// Open decrypts what Seal returned, and proves that it was for this name.
func (v *Values) Open(name, sealed []byte) ([]byte, error) {
	if len(sealed) < v.aead.NonceSize() {
		return nil, fmt.Errorf("%d bytes, want at least %d", len(sealed), v.aead.NonceSize()+v.aead.Overhead())
	}
	plain, err := v.aead.Open(nil, sealed[:v.aead.NonceSize()], sealed[v.aead.NonceSize():], name)
	if err != nil {
		return nil, errors.New("it is not what was encrypted here")
	}
	return plain, nil
}
