package tunnel

import (
	"errors"
	"fmt"
)

// Prefix is the first byte of the data between a GSME and the hub (GBCS 10.2.2
// as cited by implementers of 0.8).
type Prefix uint8

// The prefixes.
const (
	PrefixGet         Prefix = 0x01
	PrefixGetResponse Prefix = 0x02
	PrefixPut         Prefix = 0x03
)

// String returns the prefix as GBCS writes it.
func (p Prefix) String() string {
	switch p {
	case PrefixGet:
		return "GET"
	case PrefixGetResponse:
		return "GET-RESPONSE"
	case PrefixPut:
		return "PUT"
	default:
		return fmt.Sprintf("prefix %02X", uint8(p))
	}
}

// ParsePrefix returns the prefix of data, so that the caller knows which of the
// other parse functions to use.
func ParsePrefix(data []byte) (Prefix, error) {
	if len(data) == 0 {
		return 0, errors.New("parse tunnel prefix: no data")
	}
	p := Prefix(data[0])
	if p < PrefixGet || p > PrefixPut {
		return 0, fmt.Errorf("parse tunnel prefix: %02X, want 01 to 03", data[0])
	}
	return p, nil
}

// expect refuses data of another prefix or of less than size bytes.
func expect(prefix Prefix, data []byte, size int) error {
	if len(data) < size {
		return fmt.Errorf("parse %s: data too short (got %d, want at least %d)", prefix, len(data), size)
	}
	if got := Prefix(data[0]); got != prefix {
		return fmt.Errorf("parse %s: data starts with %02X, want %02X", prefix, uint8(got), uint8(prefix))
	}
	return nil
}
