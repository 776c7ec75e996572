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
	var d Digest
	d.Write(data)
	return d.Sum()
}

// Digest hashes data that come piece by piece, or that are to be padded in more than one way.
// The zero value has hashed nothing; a copy goes on by itself.
type Digest struct {
	hash [Size]byte // of the whole blocks so far
	rest [Size]byte // the n modulo Size bytes behind them
	n    int        // bytes so far
}

// Write hashes more data.
func (d *Digest) Write(data []byte) {
	have := d.n % Size
	d.n += len(data)
	if have > 0 {
		taken := copy(d.rest[have:], data)
		if have+taken < Size {
			return
		}
		compress(&d.hash, d.rest[:])
		data = data[taken:]
	}
	for ; len(data) >= Size; data = data[Size:] {
		compress(&d.hash, data[:Size])
	}
	copy(d.rest[:], data)
}

// Sum returns the hash of the data so far, as Sum does.
func (d *Digest) Sum() [Size]byte {
	if d.n < shortMax {
		return d.SumShort()
	}
	tail := binary.BigEndian.AppendUint32(nil, uint32(d.n)*8)
	return d.pad(append(tail, 0, 0))
}

// SumShort returns the hash of the data so far with the short padding at any length,
// the bit length modulo 65536. One vendor's integrity codes are made so.
func (d *Digest) SumShort() [Size]byte {
	return d.pad(binary.BigEndian.AppendUint16(nil, uint16(d.n*8)))
}

// pad hashes a one bit, zeros up to a block border, and tail as the end of the last
// block.
func (d *Digest) pad(tail []byte) [Size]byte {
	hash := d.hash
	last := append(append(make([]byte, 0, 2*Size), d.rest[:d.n%Size]...), 0x80)
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
