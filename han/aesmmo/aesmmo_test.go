package aesmmo

import (
	"bytes"
	"crypto/aes"
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

// counting returns n bytes C0, C1, …
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(0xC0 + i)
	}
	return b
}

func sumShort(data []byte) [Size]byte {
	var d Digest
	d.Write(data)
	return d.SumShort()
}

func TestSumOfTheSpecificationsVectors(t *testing.T) {
	tests := []struct {
		name, want string
		give       []byte
	}{
		{"C.5.1, one byte", "AE 3A 10 2A 28 D4 3E E0 D4 A0 9E 22 78 8B 20 6C", counting(1)},
		{"C.5.2, one block", "A7 97 7E 88 BC 0B 61 E8 21 08 27 10 9A 22 8F 2D", counting(16)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := codectest.Hex(t, tt.want)
			if got := Sum(tt.give); !bytes.Equal(got[:], want) {
				t.Errorf("Sum = % X, want % X", got, want)
			}
			if got := sumShort(tt.give); !bytes.Equal(got[:], want) {
				t.Errorf("SumShort = % X, want % X", got, want)
			}
		})
	}
}

// reference pads the whole message first and then hashes it block by block, as
// annex B.6 tells it. long picks the padding.
func reference(t *testing.T, data []byte, long bool) []byte {
	t.Helper()
	bits := len(data) * 8
	tail := []byte{byte(bits >> 8), byte(bits)}
	if long {
		tail = []byte{byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits), 0, 0}
	}
	padded := append(bytes.Clone(data), 0x80)
	for len(padded)%aes.BlockSize != aes.BlockSize-len(tail) {
		padded = append(padded, 0)
	}
	padded = append(padded, tail...)
	hash := make([]byte, aes.BlockSize)
	for ; len(padded) > 0; padded = padded[aes.BlockSize:] {
		cipher, err := aes.NewCipher(hash)
		if err != nil {
			t.Fatal(err)
		}
		next := make([]byte, aes.BlockSize)
		cipher.Encrypt(next, padded)
		for i := range next {
			next[i] ^= padded[i]
		}
		hash = next
	}
	return hash
}

func TestSumAgreesWithAPlainReferenceAtEveryPaddingBoundary(t *testing.T) {
	lengths := []int{8190, 8191, 8192, 8193, 8201, 8202, 8203, 8208, 70000}
	for n := range 50 {
		lengths = append(lengths, n)
	}
	data := counting(70000)
	for _, n := range lengths {
		if got, want := Sum(data[:n]), reference(t, data[:n], n >= 8192); !bytes.Equal(got[:], want) {
			t.Errorf("Sum of %d bytes = % X, want % X", n, got, want)
		}
		if got, want := sumShort(data[:n]), reference(t, data[:n], false); !bytes.Equal(got[:], want) {
			t.Errorf("SumShort of %d bytes = % X, want % X", n, got, want)
		}
	}
}

func TestSumDoesNotChangeItsInput(t *testing.T) {
	data := counting(20)
	Sum(data[:17])
	if !bytes.Equal(data, counting(20)) {
		t.Errorf("input is now % X", data)
	}
}

// TestADigestTakesDataInAnyPieces, and a copy of it goes on by itself.
func TestADigestTakesDataInAnyPieces(t *testing.T) {
	data := counting(100)
	for from := range data {
		for to := from; to <= len(data); to++ {
			var d Digest
			d.Write(data[:from])
			first := d
			d.Write(data[from:to])
			again := first
			again.Write(data[50:])
			if d.Sum() != Sum(data[:to]) || d.SumShort() != sumShort(data[:to]) || first.Sum() != Sum(data[:from]) {
				t.Fatalf("%d bytes and %d: another hash than of all at once", from, to-from)
			}
			d.Write(data[to:])
			if d.Sum() != Sum(data) {
				t.Fatalf("%d bytes, %d, and the rest: another hash than of all at once", from, to-from)
			}
		}
	}
}
