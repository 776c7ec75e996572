// Package flagvalue has the values of flags that are written as the field writes them:
// codes as hex digits, sizes with their unit.
package flagvalue

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// Hex16 is a code of 16 bits in hex digits.
type Hex16 uint16

// String implements fmt.Stringer.
func (h *Hex16) String() string { return fmt.Sprintf("%04X", uint16(*h)) }

// Type implements pflag.Value.
func (h *Hex16) Type() string { return "hex" }

// Set implements pflag.Value.
func (h *Hex16) Set(s string) error {
	v, err := strconv.ParseUint(s, 16, 16)
	if err != nil {
		return errors.New("want up to 4 hex digits")
	}
	*h = Hex16(v)
	return nil
}

// Hex32 is one of 32 bits.
type Hex32 uint32

// String implements fmt.Stringer.
func (h *Hex32) String() string { return fmt.Sprintf("%08X", uint32(*h)) }

// Type implements pflag.Value.
func (h *Hex32) Type() string { return "hex" }

// Set implements pflag.Value.
func (h *Hex32) Set(s string) error {
	v, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		return errors.New("want up to 8 hex digits")
	}
	*h = Hex32(v)
	return nil
}

// Bytes is a number of bytes, at most what an int of 32 bits holds: 262144, 256KiB,
// 750kB, 1MiB.
type Bytes int

// String implements fmt.Stringer.
func (b *Bytes) String() string { return strconv.Itoa(int(*b)) }

// Type implements pflag.Value.
func (b *Bytes) Type() string { return "size" }

// Set implements pflag.Value.
func (b *Bytes) Set(s string) error {
	units := []struct {
		suffix string
		factor int
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"kB", 1000}, {"MB", 1000_000}, {"", 1}}
	for _, u := range units {
		number := s
		if u.suffix != "" {
			if len(s) <= len(u.suffix) || s[len(s)-len(u.suffix):] != u.suffix {
				continue
			}
			number = s[:len(s)-len(u.suffix)]
		}
		v, err := strconv.Atoi(number)
		if err != nil || v < 0 || v > math.MaxInt32/u.factor {
			break
		}
		*b = Bytes(v * u.factor)
		return nil
	}
	return errors.New("want bytes such as 262144, 256KiB or 750kB, at most 2147483647")
}

// auto is the value that leaves it to the program.
const auto = "auto"

// AutoHex16 is a code of 16 bits, or auto.
type AutoHex16 struct {
	Value Hex16
	Given bool
}

// String implements fmt.Stringer.
func (h *AutoHex16) String() string { return autoText(h.Given, &h.Value) }

// Type implements pflag.Value.
func (h *AutoHex16) Type() string { return h.Value.Type() }

// Set implements pflag.Value.
func (h *AutoHex16) Set(s string) error {
	var err error
	h.Given, err = setUnlessAuto(s, &h.Value)
	return err
}

// Or returns the value given, or what it is otherwise.
func (h *AutoHex16) Or(otherwise uint16) uint16 {
	if h.Given {
		return uint16(h.Value)
	}
	return otherwise
}

// AutoHex32 is one of 32 bits, or auto.
type AutoHex32 struct {
	Value Hex32
	Given bool
}

// String implements fmt.Stringer.
func (h *AutoHex32) String() string { return autoText(h.Given, &h.Value) }

// Type implements pflag.Value.
func (h *AutoHex32) Type() string { return h.Value.Type() }

// Set implements pflag.Value.
func (h *AutoHex32) Set(s string) error {
	var err error
	h.Given, err = setUnlessAuto(s, &h.Value)
	return err
}

func autoText(given bool, v fmt.Stringer) string {
	if given {
		return v.String()
	}
	return auto
}

func setUnlessAuto(s string, v interface{ Set(string) error }) (given bool, err error) {
	if s == auto {
		return false, nil
	}
	if err := v.Set(s); err != nil {
		return false, fmt.Errorf("%w, or auto", err)
	}
	return true, nil
}
