// Package aesmmo is the AES-MMO hash of the Zigbee specification (annex B.6):
// Matyas-Meyer-Oseas over AES-128 with a 16-byte result. Zigbee hashes install
// codes into link keys with it, and OTA files into their integrity code.
//
// It is no hash to build new things on; where this product is free to choose it
// uses SHA-256.
package aesmmo

import (
	"crypto/aes"
	"encoding/binary"
)

// Size is the length of the hash in bytes.
const Size = aes.BlockSize

// shortMax is the first message length in bytes whose bit length does not fit
// the 16-bit length field of the short padding.
const shortMax = 1 << 13

// Sum returns the hash of data. Messages of 8192 bytes and more use the long
// padding with a 32-bit length and two zero bytes.
func Sum(data []byte) [Size]byte {
	if len(data) < shortMax {
		return SumShort(data)
	}
	tail := binary.BigEndian.AppendUint32(nil, uint32(len(data))*8)
	return sum(data, append(tail, 0, 0))
}

// SumShort returns the hash with the short padding at any length, the bit
// length modulo 65536. One vendor's integrity codes are made so.
func SumShort(data []byte) [Size]byte {
	return sum(data, binary.BigEndian.AppendUint16(nil, uint16(len(data)*8)))
}

// sum hashes data, a one bit, zeros up to a block border, and tail as the end
// of the last block.
func sum(data, tail []byte) [Size]byte {
	var hash [Size]byte
	whole := len(data) / Size * Size
	for i := 0; i < whole; i += Size {
		compress(&hash, data[i:i+Size])
	}
	last := append(make([]byte, 0, 2*Size), data[whole:]...)
	last = append(last, 0x80)
	for (len(last)+len(tail))%Size != 0 {
		last = append(last, 0)
	}
	last = append(last, tail...)
	for i := 0; i < len(last); i += Size {
		compress(&hash, last[i:i+Size])
	}
	return hash
}

// compress replaces hash by AES(key = hash, block) XOR block.
func compress(hash *[Size]byte, block []byte) {
	c, err := aes.NewCipher(hash[:])
	if err != nil {
		panic(err) // only for a key of a wrong length
	}
	c.Encrypt(hash[:], block)
	for i := range hash {
		hash[i] ^= block[i]
	}
}
