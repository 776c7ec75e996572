// Package installcode is the Zigbee install code: the secret printed on a
// device from which its first link key is derived (Zigbee Base Device Behavior
// §10.1, Smart Energy §5.4.8.1).
//
// A code is 16 random bytes and a CRC-16/X-25 over them, sent low byte first.
// The key is the AES-MMO hash of all 18 bytes. Written down it is 36 hex digits,
// usually in groups of four:
//
//	83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5
//	\____________________________________/ \__/
//	             16 random bytes            CRC
//
// Divergence: the specification also knows codes of 6, 8 and 12 bytes; Smart
// Energy devices use 16, and shorter ones are refused here.
package installcode

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/commshub/commshub/han/aesmmo"
)

// SecretSize is the number of random bytes in a code, Size that of the whole code.
const (
	SecretSize = 16
	Size       = SecretSize + 2
)

// KeySize is the length of the derived key.
const KeySize = aesmmo.Size

// Code is an install code with its CRC.
type Code [Size]byte

// New returns the code for 16 random bytes.
func New(secret [SecretSize]byte) Code {
	var c Code
	copy(c[:], secret[:])
	binary.LittleEndian.PutUint16(c[SecretSize:], crc16(secret[:]))
	return c
}

// FromBytes reads the 18 bytes of a code and checks its CRC.
func FromBytes(b []byte) (Code, error) {
	if len(b) != Size {
		return Code{}, fmt.Errorf("parse install code: got %d bytes, want %d", len(b), Size)
	}
	c := Code(b)
	if got, want := binary.LittleEndian.Uint16(c[SecretSize:]), crc16(c[:SecretSize]); got != want {
		return Code{}, fmt.Errorf("parse install code: CRC does not match (got %04X, want %04X): look for a typing mistake", got, want)
	}
	return c, nil
}

// Parse reads the printed form: 36 hex digits of either case, with spaces,
// hyphens or colons anywhere between them.
func Parse(text string) (Code, error) {
	digits := strings.NewReplacer(" ", "", "-", "", ":", "").Replace(text)
	b, err := hex.DecodeString(digits)
	if err != nil {
		return Code{}, fmt.Errorf("parse install code: want %d hex digits", 2*Size)
	}
	return FromBytes(b)
}

// Key returns the link key that both sides derive from the code.
func (c Code) Key() [KeySize]byte { return aesmmo.Sum(c[:]) }

// HashedKey returns the hash of the link key, by which a backup of a device log has it: its
// AES-MMO hash (Smart Energy, trust centre swap-out).
func (c Code) HashedKey() [KeySize]byte {
	key := c.Key()
	return aesmmo.Sum(key[:])
}

// crc16 is CRC-16/X-25: polynomial 0x1021 reflected, preset and final XOR 0xFFFF.
func crc16(data []byte) uint16 {
	const reflected = 0x8408
	crc := uint16(0xFFFF)
	for _, b := range data {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ reflected
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}
