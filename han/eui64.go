package han

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// EUI64 is the 64-bit identifier of a device or a remote party (a GBCS "Entity
// Identifier"). It is printed big-endian as 16 upper-case hex digits, as GBCS
// writes it; on the air Zigbee sends it little-endian.
type EUI64 uint64

// EUI64Size is the number of octets of an EUI64 on the wire.
const EUI64Size = 8

// ParseEUI64 reads 16 hex digits in print order, of either case, with or
// without a colon or a hyphen between octets.
func ParseEUI64(s string) (EUI64, error) {
	digits := s
	if len(s) == 23 { // 8 octets and 7 separators
		sep := s[2:3]
		if sep != ":" && sep != "-" {
			return 0, eui64Error(s)
		}
		octets := strings.Split(s, sep)
		if len(octets) != EUI64Size {
			return 0, eui64Error(s)
		}
		for _, o := range octets {
			if len(o) != 2 {
				return 0, eui64Error(s)
			}
		}
		digits = strings.Join(octets, "")
	}
	if len(digits) != 16 || strings.ContainsAny(digits, "+-_") {
		return 0, eui64Error(s)
	}
	v, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, eui64Error(s)
	}
	return EUI64(v), nil
}

func eui64Error(s string) error {
	return fmt.Errorf("parse EUI64 %q: want 16 hex digits such as 00DB1234567890A1", s)
}

// String returns the 16 upper-case hex digits in print order.
func (e EUI64) String() string { return fmt.Sprintf("%016X", uint64(e)) }

// MarshalText implements encoding.TextMarshaler with the print form.
func (e EUI64) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; see [ParseEUI64] for what it takes.
func (e *EUI64) UnmarshalText(text []byte) error {
	v, err := ParseEUI64(string(text))
	if err != nil {
		return err
	}
	*e = v
	return nil
}

// AppendAir appends the identifier little-endian, as Zigbee sends it.
func (e EUI64) AppendAir(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(b, uint64(e))
}

// AppendPrint appends the identifier big-endian, as GBCS messages carry it.
func (e EUI64) AppendPrint(b []byte) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(e))
}
