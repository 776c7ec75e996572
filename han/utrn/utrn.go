// Package utrn makes and reads Unique Transaction Reference Numbers (UTRN): top-ups of
// prepayment meters in 20 digits, for one meter of one supplier, that somebody may type
// (GBCS 14, as implementers cite it).
//
//	PTUT   64 bits: 0(7) ‖ counter(10) ‖ class(2) ‖ value(13) ‖ MAC(32)
//	PPTD   PTUT + 7394156990786306048, 19 digits
//	UTRN   PPTD ‖ check digit
//
// The originator counter that a top-up is authenticated with has 64 bits, and its lower 32
// are zero: the upper half counts top-ups. A UTRN has the lowest ten bits of that half; a
// meter has to know the others, see [Token.Counters].
//
// The MAC is the last four bytes of a tag that the key agreement keys of supplier and meter
// make, see package seal: for the purpose of a command, over
//
//	originator(8) ‖ meter(8) ‖ 01 ‖ counter(8) ‖ the upper half of the PTUT(4)
//
// The check digit is Verhoeff's: digits permuted by their place and multiplied in the
// dihedral group of ten come to zero. Places count from 4 on.
//
// The layout is held against the codes that SmartDCC publishes with gbcs-parser, and the
// code in CS01b of RTDS 4.5.0.
package utrn

import (
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
)

// Digits is how many digits a UTRN has.
const Digits = 20

// MaxValue is the greatest value of a token, in units of its class.
const MaxValue = 1<<valueBits - 1

const (
	counterBits = 10
	classBits   = 2
	valueBits   = 13
	macBits     = 32

	tokenBits = counterBits + classBits + valueBits + macBits
	macSize   = macBits / 8

	pptdBase = 7394156990786306048
)

// Class says what a token's value counts.
type Class uint8

// The classes; 2 and 3 have no meaning.
const (
	Pence Class = iota
	Pounds
)

var classNames = [...]string{"pence", "pounds"}

// String returns what is counted.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class %d", uint8(c))
}

// Token is what a UTRN says (GBCS "PTUT").
type Token struct {
	Counter uint16 // of top-ups, its lowest ten bits
	Class   Class
	Value   uint16 // up to MaxValue
	MAC     uint32
}

// Pence returns how much is paid in, in pence.
func (t Token) Pence() uint32 {
	if t.Class == Pounds {
		return 100 * uint32(t.Value)
	}
	return uint32(t.Value)
}

// String returns the UTRN.
func (t Token) String() string {
	pptd := strconv.FormatUint(pptdBase+uint64(t.upper())<<macBits+uint64(t.MAC), 10)
	return pptd + string(checkDigit(pptd))
}

// upper returns the upper half of the PTUT.
func (t Token) upper() uint32 {
	return uint32(t.Counter)<<(classBits+valueBits) | uint32(t.Class)<<valueBits | uint32(t.Value)
}

// The ways in which digits are no UTRN; other errors say which digits they are not.
var (
	// ErrCheckDigit tells that a digit is wrong, or two are in each other's place.
	ErrCheckDigit = errors.New("check digit does not match: a digit is wrong")
	// ErrOtherNumber tells that the check digit holds, of a number that is no UTRN.
	ErrOtherNumber = errors.New("a number of another kind")
)

// Parse reads a UTRN of 20 digits. It does not know whom it is for; see [Token.Check].
func Parse(digits string) (Token, error) {
	if len(digits) != Digits {
		return Token{}, fmt.Errorf("parse UTRN: %d digits, want %d", len(digits), Digits)
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return Token{}, errors.New("parse UTRN: want digits alone")
		}
	}
	if sum(digits) != 0 {
		return Token{}, fmt.Errorf("parse UTRN: %w", ErrCheckDigit)
	}
	pptd, err := strconv.ParseUint(digits[:Digits-1], 10, 64)
	if err != nil || pptd < pptdBase || pptd-pptdBase >= 1<<tokenBits {
		return Token{}, fmt.Errorf("parse UTRN: %w", ErrOtherNumber)
	}
	ptut := pptd - pptdBase
	t := Token{
		Counter: uint16(ptut >> (classBits + valueBits + macBits)),
		Class:   Class(ptut >> (valueBits + macBits) & (1<<classBits - 1)),
		Value:   uint16(ptut >> macBits & MaxValue),
		MAC:     uint32(ptut),
	}
	if t.Class > Pounds {
		return Token{}, fmt.Errorf("parse UTRN: %w: its value is of class %d", ErrOtherNumber, t.Class)
	}
	return t, nil
}

// OriginatorCounter returns the originator counter of a top-up by its number.
func OriginatorCounter(topUp uint32) uint64 { return uint64(topUp) << 32 }

// TopUpOf returns the number of the top-up that has an originator counter.
func TopUpOf(originatorCounter uint64) (uint32, error) {
	if originatorCounter&math.MaxUint32 != 0 {
		return 0, fmt.Errorf("originator counter %d of a top-up: want one whose lower 32 bits are zero", originatorCounter)
	}
	return uint32(originatorCounter >> 32), nil
}

// Context names the top-up that a token is for.
type Context struct {
	Originator, Meter han.EUI64
	TopUp             uint32 // its number; all 32 bits
}

// Issue returns the token of a top-up by so many units of a class. What supplier and meter
// have in common makes its MAC.
func Issue(s seal.Secret, c Context, class Class, value uint16) (Token, error) {
	if class > Pounds || value > MaxValue {
		return Token{}, fmt.Errorf("issue UTRN of %d %s: want at most %d, in pence or pounds", value, class, MaxValue)
	}
	t := Token{Counter: uint16(c.TopUp & (1<<counterBits - 1)), Class: class, Value: value}
	t.MAC = t.authenticate(s, c)
	return t, nil
}

// Amount returns class and value of a top-up by so many pence: up to 8,191, and whole
// pounds up to as many.
func Amount(pence uint32) (Class, uint16, error) {
	switch {
	case pence == 0:
		return 0, 0, errors.New("top-up by nothing: want at least a penny")
	case pence <= MaxValue:
		return Pence, uint16(pence), nil
	case pence%100 == 0 && pence/100 <= MaxValue:
		return Pounds, uint16(pence / 100), nil
	default:
		return 0, 0, fmt.Errorf("top-up by %d pence: above %d pence want whole pounds, up to %d", pence, MaxValue, MaxValue)
	}
}

// authenticate returns the MAC that the token should have.
func (t Token) authenticate(s seal.Secret, c Context) uint32 {
	counter := OriginatorCounter(c.TopUp)
	b := c.Meter.AppendPrint(c.Originator.AppendPrint(nil))
	b = binary.BigEndian.AppendUint64(append(b, byte(gbcs.Command)), counter)
	tag := s.Tag(seal.Context{
		Originator: c.Originator, Recipient: c.Meter, Counter: counter, Purpose: seal.Purpose(gbcs.Command),
	}, binary.BigEndian.AppendUint32(b, t.upper()))
	return binary.BigEndian.Uint32(tag[seal.TagSize-macSize:])
}

// Check tells whether a token is that of a top-up, in constant time.
func (t Token) Check(s seal.Secret, c Context) bool {
	want := t.authenticate(s, c)
	return uint32(t.Counter) == c.TopUp&(1<<counterBits-1) && subtle.ConstantTimeEq(int32(want), int32(t.MAC)) == 1
}

// Counters returns which top-up a token may be of, given the highest number that its meter
// knows: the one whose lowest ten bits are the token's and that is at most 512 above the
// highest or 511 below (or, near zero, the only one that there is), and behind it the one of 1,024 before, if there is one, which tells an old
// token from one of another meter. A meter that knows none has 0.
//
// So a supplier may count as far as it likes, but not by more than 512 from one token to the next
// that a meter gets; beyond, a token is not recognised. A message says all of the counter.
//
// How a meter completes the counter is not public: this is an assumption.
func (t Token) Counters(highest uint32) []uint32 {
	const turn = 1 << counterBits
	near := highest&^(turn-1) | uint32(t.Counter)
	switch ahead := int64(near) - int64(highest); {
	case ahead > turn/2 && near >= turn:
		near -= turn
	case ahead <= -turn/2 && near <= math.MaxUint32-turn:
		near += turn
	}
	if near < turn {
		return []uint32{near}
	}
	return []uint32{near, near - turn}
}
