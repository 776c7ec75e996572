package messageview

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
)

// The tags that a message starts with.
const (
	generalCiphering = 0xDD
	generalSigning   = 0xDF
)

// Parse returns the message that text is: its bytes, or those in hex or base64, with spaces
// and line ends at will.
func Parse(text []byte) ([]byte, error) {
	if len(text) == 0 {
		return nil, fmt.Errorf("nothing there, want a message as bytes, hex or base64")
	}
	if Starts(text) {
		return text, nil
	}
	words := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, string(text))
	if b, err := hex.DecodeString(words); err == nil && len(b) > 0 {
		return b, nil
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		if b, err := encoding.DecodeString(words); err == nil && len(b) > 0 {
			return b, nil
		}
	}
	return nil, fmt.Errorf("neither a message (it starts with %02X, want DD or DF), nor hex, nor base64", text[0])
}

// Starts reports whether bytes start as a message does.
func Starts(b []byte) bool {
	return len(b) > 0 && (b[0] == generalCiphering || b[0] == generalSigning)
}
