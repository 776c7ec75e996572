package atrest

import (
	"crypto/aes"
	"fmt"

	"golang.org/x/crypto/xts"
)

// UnitSize is how many bytes are encrypted together: whoever changes one of them writes
// all of them anew.
const UnitSize = 256

// Sectors encrypts a memory whose bytes change in place.
type Sectors struct{ cipher *xts.Cipher }

// Sectors returns the cipher of a memory.
func (f *FileKey) Sectors() *Sectors {
	c, err := xts.NewCipher(aes.NewCipher, f.derive("sectors", 2*keySize))
	if err != nil {
		panic(fmt.Sprintf("atrest: %v", err)) // sizes are constants
	}
	return &Sectors{c}
}

// Encrypt puts into sealed what the units of plain are, of which the first has the given
// number. Both have the same whole number of units.
func (s *Sectors) Encrypt(sealed, plain []byte, first int) {
	for at := 0; at < len(plain); at += UnitSize {
		s.cipher.Encrypt(sealed[at:at+UnitSize], plain[at:at+UnitSize], uint64(first+at/UnitSize))
	}
}

// Decrypt does the reverse.
func (s *Sectors) Decrypt(plain, sealed []byte, first int) {
	for at := 0; at < len(sealed); at += UnitSize {
		s.cipher.Decrypt(plain[at:at+UnitSize], sealed[at:at+UnitSize], uint64(first+at/UnitSize))
	}
}
