package zcl

import (
	"encoding/binary"
	"fmt"
)

// DataType is a ZCL data type identifier (ZCL §2.6.2).
type DataType uint8

// The data types spoken here.
const (
	TypeBool        DataType = 0x10
	TypeBitmap8     DataType = 0x18
	TypeBitmap16    DataType = 0x19
	TypeBitmap24    DataType = 0x1A
	TypeBitmap32    DataType = 0x1B
	TypeBitmap64    DataType = 0x1F
	TypeUint8       DataType = 0x20
	TypeUint16      DataType = 0x21
	TypeUint24      DataType = 0x22
	TypeUint32      DataType = 0x23
	TypeUint40      DataType = 0x24
	TypeUint48      DataType = 0x25
	TypeUint56      DataType = 0x26
	TypeUint64      DataType = 0x27
	TypeInt8        DataType = 0x28
	TypeInt16       DataType = 0x29
	TypeInt24       DataType = 0x2A
	TypeInt32       DataType = 0x2B
	TypeInt40       DataType = 0x2C
	TypeInt48       DataType = 0x2D
	TypeInt56       DataType = 0x2E
	TypeInt64       DataType = 0x2F
	TypeEnum8       DataType = 0x30
	TypeEnum16      DataType = 0x31
	TypeOctetString DataType = 0x41
	TypeCharString  DataType = 0x42
	TypeUTCTime     DataType = 0xE2
	TypeEUI64       DataType = 0xF0
)

// size returns the fixed size of t in bytes, or 0 for the two string types, and
// whether the type is known.
func (t DataType) size() (int, bool) {
	switch {
	case t == TypeBool:
		return 1, true
	case t >= TypeBitmap8 && t <= TypeBitmap64:
		return int(t-TypeBitmap8) + 1, true
	case t >= TypeUint8 && t <= TypeUint64:
		return int(t-TypeUint8) + 1, true
	case t >= TypeInt8 && t <= TypeInt64:
		return int(t-TypeInt8) + 1, true
	case t == TypeEnum8:
		return 1, true
	case t == TypeEnum16:
		return 2, true
	case t == TypeUTCTime:
		return 4, true
	case t == TypeEUI64:
		return 8, true
	case t == TypeOctetString, t == TypeCharString:
		return 0, true
	default:
		return 0, false
	}
}

func (t DataType) signed() bool { return t >= TypeInt8 && t <= TypeInt64 }

// Value is a typed ZCL value. Numbers of every width are in Number; the two
// string types are in Bytes, at most 254 bytes, nil for the invalid string.
type Value struct {
	Type   DataType
	Number uint64 // sign-extended for the signed types
	Bytes  []byte
}

// Int returns the number as a signed one.
func (v Value) Int() int64 { return int64(v.Number) }

// invalidString is the length octet of an invalid string (ZCL §2.6.2.12).
const invalidString = 0xFF

// Append appends the value without its type. An unknown type or a string that
// is too long is a programmer's error and panics.
func (v Value) Append(b []byte) []byte {
	n, ok := v.Type.size()
	if !ok {
		panic(fmt.Sprintf("zcl: append value: unknown data type %#02x", uint8(v.Type)))
	}
	if n == 0 {
		if v.Bytes == nil {
			return append(b, invalidString)
		}
		if len(v.Bytes) >= invalidString {
			panic(fmt.Sprintf("zcl: append value: string of %d bytes, want at most %d", len(v.Bytes), invalidString-1))
		}
		return append(append(b, byte(len(v.Bytes))), v.Bytes...)
	}
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], v.Number)
	return append(b, le[:n]...)
}

// read reads a value of type t into v, which is empty; what names the command for
// the error.
func (v *Value) read(r *Reader, t DataType, what string) error {
	n, ok := t.size()
	if !ok {
		return fmt.Errorf("parse %s: unknown data type %#02x", what, uint8(t))
	}
	v.Type = t
	if n == 0 {
		if length := r.Uint8(); length != invalidString {
			v.Bytes = r.Bytes(int(length))
		}
		return r.Err(what)
	}
	for i, b := range r.Bytes(n) {
		v.Number |= uint64(b) << (8 * i)
	}
	if t.signed() {
		shift := 64 - 8*n
		v.Number = uint64(int64(v.Number<<shift) >> shift)
	}
	return r.Err(what)
}
