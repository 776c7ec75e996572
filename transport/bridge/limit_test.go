package bridge

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

// replay is a connection that brings bytes, some at a time.
type replay struct {
	net.Conn
	from io.Reader
	step int
}

func (r *replay) Read(b []byte) (int, error) { return r.from.Read(b[:min(len(b), r.step)]) }

// packet returns an MQTT packet with a body of n bytes.
func packet(n int) []byte {
	b := []byte{0x30}
	for rest := n; ; {
		digit := byte(rest & 0x7F)
		if rest >>= 7; rest > 0 {
			b = append(b, digit|0x80)
			continue
		}
		b = append(b, digit)
		break
	}
	return append(b, bytes.Repeat([]byte{0xFF}, n)...)
}

func TestLimitedConn(t *testing.T) {
	good := bytes.Join([][]byte{packet(0), packet(1), packet(127), packet(128), packet(1000), packet(0)}, nil)
	tests := []struct {
		name string
		give []byte
		want string // of the error; empty for none
	}{
		{"packets up to the limit", good, ""},
		{"one above it", append(bytes.Clone(good), packet(1001)...), "1001 bytes, at most 1000"},
		{"a claim alone", []byte{0x30, 0xFF, 0xFF, 0xFF, 0x7F}, "268435455 bytes"},
		{"a length without end", []byte{0x30, 0x80, 0x80, 0x80, 0x80, 0x01}, "malformed length"},
	}
	for _, tt := range tests {
		for _, step := range []int{1, 3, 4096} {
			c := &limitedConn{Conn: &replay{from: bytes.NewReader(tt.give), step: step}, limit: 1000}
			got, err := io.ReadAll(c)
			if tt.want == "" && (err != nil || !bytes.Equal(got, tt.give)) {
				t.Errorf("%s, %d at a time: %d bytes, %v", tt.name, step, len(got), err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%s, %d at a time: error %v, want %q", tt.name, step, err, tt.want)
			}
		}
	}
}

func FuzzLimitedConn(f *testing.F) {
	f.Add(packet(5), 1)
	f.Add([]byte{0x30, 0xFF, 0xFF, 0xFF, 0xFF}, 2)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		whole, wholeErr := io.ReadAll(&limitedConn{Conn: &replay{from: bytes.NewReader(stream), step: 4096}, limit: 64})
		parts, partsErr := io.ReadAll(&limitedConn{Conn: &replay{from: bytes.NewReader(stream), step: 1 + abs(step)%16}, limit: 64})
		if (wholeErr == nil) != (partsErr == nil) || wholeErr == nil && !bytes.Equal(whole, parts) {
			t.Errorf("at once %d bytes, %v; in parts %d, %v", len(whole), wholeErr, len(parts), partsErr)
		}
	})
}

func abs(n int) int { return max(n, -(n + 1)) }
