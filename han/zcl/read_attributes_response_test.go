package zcl

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

// The goldens of a list have one entry, because a prefix that ends between two
// entries is a message of its own.
var readAttributesResponseTests = []struct {
	name, golden string
	want         AttributeStatus
}{
	{"an enumeration", `
		06 00 # ImageUpgradeStatus
		00    # SUCCESS
		30 01 # enum8: download in progress`,
		AttributeStatus{ID: 6, Value: Value{Type: TypeEnum8, Number: 1}}},
	{"an octet string", `
		06 02          # CurrentMeterID
		00             # SUCCESS
		41             # octet string
		04 00 00 12 34 # 4 bytes`,
		AttributeStatus{ID: 0x0206, Value: Value{Type: TypeOctetString, Bytes: []byte{0, 0, 0x12, 0x34}}}},
	{"an attribute that is not there", `
		06 02 # CurrentMeterID
		86    # UNSUPPORTED_ATTRIBUTE, and no value`,
		AttributeStatus{ID: 0x0206, Status: StatusUnsupAttribute}},
}

func TestReadAttributesResponse(t *testing.T) {
	for _, tt := range readAttributesResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, ReadAttributesResponse{Attributes: []AttributeStatus{tt.want}},
				ReadAttributesResponse.Append, ParseReadAttributesResponse)
			codectest.RefusesPrefixes(t, golden, ParseReadAttributesResponse)
		})
	}
}

func TestReadAttributesResponseOfSeveralAttributes(t *testing.T) {
	var golden []byte
	var want ReadAttributesResponse
	for _, tt := range readAttributesResponseTests {
		golden = append(golden, codectest.Hex(t, tt.golden)...)
		want.Attributes = append(want.Attributes, tt.want)
	}
	codectest.RoundTrip(t, golden, want, ReadAttributesResponse.Append, ParseReadAttributesResponse)
	if _, err := ParseReadAttributesResponse(golden[:len(golden)-1]); err == nil {
		t.Error("took a list whose last entry is truncated")
	}
}

func TestParseReadAttributesResponseRefusesUnknownTypes(t *testing.T) {
	if _, err := ParseReadAttributesResponse(codectest.Hex(t, "06 00 00 4C 01 00")); err == nil {
		t.Error("took a structure, a type whose size it does not know")
	}
}

func FuzzParseReadAttributesResponse(f *testing.F) {
	for _, tt := range readAttributesResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseReadAttributesResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ReadAttributesResponse.Append, ParseReadAttributesResponse)
		}
	})
}

func TestAResponseThatIsTooLongIsCutBetweenItsEntries(t *testing.T) {
	short := AttributeStatus{ID: 1, Status: StatusUnsupAttribute}                                      // 3 bytes
	long := AttributeStatus{ID: 2, Value: Value{Type: TypeOctetString, Bytes: []byte("twelve bytes")}} // 17 bytes
	all := ReadAttributesResponse{Attributes: []AttributeStatus{short, long, short}}
	for size, want := range map[int]int{0: 0, 2: 0, 3: 1, 19: 1, 20: 2, 22: 2, 23: 3, 1000: 3} {
		got := all.Fitting(size)
		if len(got.Attributes) != want || len(got.Append(nil)) > size {
			t.Errorf("%d bytes: %d entries in %d bytes, want %d", size, len(got.Attributes), len(got.Append(nil)), want)
		}
	}
}
