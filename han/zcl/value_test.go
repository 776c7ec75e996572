package zcl

import (
	"bytes"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/internal/codectest"
)

func TestValue(t *testing.T) {
	tests := []struct {
		name, golden string
		want         Value
	}{
		{"boolean", "01", Value{Type: TypeBool, Number: 1}},
		{"bitmap of 24 bits", "01 02 03", Value{Type: TypeBitmap24, Number: 0x030201}},
		{"bitmap of 64 bits", "01 02 03 04 05 06 07 80", Value{Type: TypeBitmap64, Number: 0x8007060504030201}},
		{"uint8", "FF", Value{Type: TypeUint8, Number: 0xFF}},
		{"uint24", "FF FF FF", Value{Type: TypeUint24, Number: 0xFFFFFF}},
		{"uint40", "01 00 00 00 80", Value{Type: TypeUint40, Number: 0x8000000001}},
		{"uint64", "FF FF FF FF FF FF FF FF", Value{Type: TypeUint64, Number: math.MaxUint64}},
		{"enum16", "34 12", Value{Type: TypeEnum16, Number: 0x1234}},
		{"UTC time", "80 4A 37 1C", Value{Type: TypeUTCTime, Number: 0x1C374A80}},
		{"EUI64", "A1 90 78 56 34 12 DB 00", Value{Type: TypeEUI64, Number: 0x00DB1234567890A1}},
		{"empty string", "00", Value{Type: TypeCharString, Bytes: []byte{}}},
		{"invalid string", "FF", Value{Type: TypeOctetString}},
		{"string", "02 6F 6B", Value{Type: TypeCharString, Bytes: []byte("ok")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parse := func(b []byte) (Value, error) {
				r := NewReader(b)
				return readValue(&r, tt.want.Type, "value")
			}
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, Value.Append, parse)
			codectest.RefusesPrefixes(t, golden, parse)
		})
	}
}

func TestSignedValuesKeepTheirSign(t *testing.T) {
	tests := []struct {
		golden string
		typ    DataType
		want   int64
	}{
		{"FF", TypeInt8, -1},
		{"7F", TypeInt8, 127},
		{"00 80", TypeInt16, math.MinInt16},
		{"FE FF FF", TypeInt24, -2},
		{"FF FF 7F", TypeInt24, 1<<23 - 1},
		{"FF FF FF FF FF FF", TypeInt48, -1},
		{"00 00 00 00 00 00 00 80", TypeInt64, math.MinInt64},
	}
	for _, tt := range tests {
		golden := codectest.Hex(t, tt.golden)
		r := NewReader(golden)
		v, err := readValue(&r, tt.typ, "value")
		if err != nil || v.Int() != tt.want {
			t.Errorf("%s: got %d, %v; want %d", tt.golden, v.Int(), err, tt.want)
		}
		if got := v.Append(nil); !bytes.Equal(got, golden) {
			t.Errorf("append %d: got % X, want % X", tt.want, got, golden)
		}
	}
}

// Every type identifier either has a value that survives the round trip or is
// refused; there is no third way.
func TestEveryDataTypeIsCoveredOrRefused(t *testing.T) {
	for id := range 256 {
		typ := DataType(id)
		data := []byte{1, 2, 3, 4, 5, 6, 7, 8}
		r := NewReader(data)
		v, err := readValue(&r, typ, "value")
		if _, known := typ.size(); known != (err == nil) {
			t.Errorf("type %02X: known %v, but parsing says %v", id, known, err)
		}
		if err != nil {
			continue
		}
		if diff := cmp.Diff(data[:len(data)-r.Remaining()], v.Append(nil)); diff != "" {
			t.Errorf("type %02X (-parsed +appended):\n%s", id, diff)
		}
	}
}

func TestAppendValuePanicsOnWhatCannotBeEncoded(t *testing.T) {
	for name, v := range map[string]Value{
		"unknown type": {Type: 0x4C},
		"long string":  {Type: TypeOctetString, Bytes: make([]byte, 255)},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			v.Append(nil)
		})
	}
	longest := Value{Type: TypeOctetString, Bytes: make([]byte, 254)}
	if got := longest.Append(nil); len(got) != 255 || got[0] != 254 {
		t.Errorf("a string of 254 bytes took %d bytes", len(got))
	}
}

func readValue(r *Reader, t DataType, what string) (v Value, err error) {
	err = v.read(r, t, what)
	return v, err
}
