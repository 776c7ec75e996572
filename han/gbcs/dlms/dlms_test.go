package dlms

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/internal/codectest"
)

// goldenRequest gets with a selection and sets, its list of data has a length in two
// bytes.
const goldenRequest = `
	D9 20 00 00 07  00            # access request, invoke identifier 7, no date-time
	02                            # two descriptors
	   04 0007 00 00 63 62 00 FF 02  01  # get with selection: class 7, 0-0:99.98.0.255, attribute 2
	      02 02  06 00 00 00 01  06 FF FF FF FF # structure of two double-long-unsigned
	   02 0001 00 00 60 0D 01 FF 02      # set: class 1, 0-0:96.13.1.255, attribute 2
	81 02                         # two data, the count in two bytes
	   00                         # null-data
	   09 81 03 41 42 43          # octet-string, its length in two bytes`

// goldenResponse has a compact array of structures with an array in each.
const goldenResponse = `
	DA 20 00 00 07  0C 07 E8 01 02 02 03 04 05 00 00 00 00 # access response, with date-time
	00                            # without descriptors
	02                            # two data
	   13 02 03  06  04  01 0002 10  # compact-array of structures: double-long-unsigned, bit-string, array of 2 long
	      15                      # 21 bytes of contents
	         00 00 00 01  0A FF C0  FF FF  00 01
	         00 00 00 02  03 A0  00 02  00 03
	   0F 80                      # integer -128
	02                            # two results
	   01 00                      # get: success
	   03 FA                      # action: other reason`

const goldenNotification = `
	0F 20 00 0F A0  00            # data notification, no date-time
	02 02                         # structure of two
	   12 8F 72                   # long-unsigned
	   16 05                      # enum`

// fromStart returns a parse function that reads from the first byte on.
func fromStart[T any](parse func([]byte, int) (T, error)) func([]byte) (T, error) {
	return func(data []byte) (T, error) { return parse(data, 0) }
}

func TestAccessRequest(t *testing.T) {
	b := codectest.Hex(t, goldenRequest)
	a, err := ParseAccessRequest(b, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := AccessRequest{
		Head: Head{InvokeID: [4]byte{0x20, 0, 0, 7}, DateTime: []byte{0}},
		Descriptors: []Descriptor{
			{Choice: GetWithSelection, Class: 7, Object: [6]byte{0, 0, 99, 98, 0, 255}, Member: 2, Selector: 1, Start: 7, End: 30,
				Selection: Data{Tag: Structure, Length: Length{2, 1}, Start: 18, Inner: 20, End: 30, Elements: []Data{
					{Tag: DoubleLongUnsigned, Value: []byte{0, 0, 0, 1}, Start: 20, End: 25},
					{Tag: DoubleLongUnsigned, Value: []byte{255, 255, 255, 255}, Start: 25, End: 30}}}},
			{Choice: Set, Class: 1, Object: [6]byte{0, 0, 96, 13, 1, 255}, Member: 2, Start: 30, End: 40}},
		Data: []Data{
			{Tag: NullData, Start: 42, End: 43},
			{Tag: OctetString, Length: Length{3, 2}, Value: []byte("ABC"), Start: 43, End: 49}},
		DescriptorList: List{Length{2, 1}, 6}, DataList: List{Length{2, 2}, 40},
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := a.Append(nil); !bytes.Equal(again, b) {
		t.Errorf("appended % X", again)
	}
	codectest.RefusesPrefixes(t, b, fromStart(ParseAccessRequest))
}

func TestAccessResponse(t *testing.T) {
	b := codectest.Hex(t, goldenResponse)
	a, err := ParseAccessResponse(b, 0)
	if err != nil {
		t.Fatal(err)
	}
	if again := a.Append(nil); !bytes.Equal(again, b) {
		t.Errorf("appended % X", again)
	}
	codectest.RefusesPrefixes(t, b, fromStart(ParseAccessResponse))
	array := a.Data[0]
	if array.Tag != CompactArray || len(array.Elements) != 2 {
		t.Fatalf("%s of %d elements, want a compact-array of 2", array.Tag, len(array.Elements))
	}
	second := array.Elements[1]
	want := Data{Tag: Structure, Length: Length{N: 3}, Start: 41, Inner: 41, End: 51, Elements: []Data{
		{Tag: DoubleLongUnsigned, Value: []byte{0, 0, 0, 2}, Start: 41, Inner: 41, End: 45},
		{Tag: BitString, Length: Length{3, 1}, Value: []byte{0xA0}, Start: 45, Inner: 45, End: 47},
		{Tag: Array, Length: Length{N: 2}, Start: 47, Inner: 47, End: 51, Elements: []Data{
			{Tag: Long, Value: []byte{0, 2}, Start: 47, Inner: 47, End: 49},
			{Tag: Long, Value: []byte{0, 3}, Start: 49, Inner: 49, End: 51}}}}}
	if diff := cmp.Diff(want, second); diff != "" {
		t.Errorf("second element (-want +got):\n%s", diff)
	}
	results := []Result{{Get, 0, 54}, {Action, 0xFA, 56}}
	if diff := cmp.Diff(results, a.Results); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestDataNotification(t *testing.T) {
	b := codectest.Hex(t, goldenNotification)
	codectest.RoundTrip(t, b, DataNotification{
		Head: Head{InvokeID: [4]byte{0x20, 0, 0x0F, 0xA0}, DateTime: []byte{0}},
		Body: Data{Tag: Structure, Length: Length{2, 1}, Start: 6, Inner: 8, End: 13, Elements: []Data{
			{Tag: LongUnsigned, Value: []byte{0x8F, 0x72}, Start: 8, End: 11},
			{Tag: Enum, Value: []byte{5}, Start: 11, End: 13}}},
	}, func(n DataNotification, b []byte) []byte { return n.Append(b) }, fromStart(ParseDataNotification))
	codectest.RefusesPrefixes(t, b, fromStart(ParseDataNotification))
}

func TestEveryTypeIsTakenAndAppended(t *testing.T) {
	for tag, k := range kinds {
		if k.size < 0 {
			continue
		}
		b := append([]byte{byte(tag)}, make([]byte, k.size)...)
		d, err := ParseData(b, 0)
		if err != nil {
			t.Errorf("%s: %v", tag, err)
		} else if again := d.Append(nil); !bytes.Equal(again, b) {
			t.Errorf("%s: appended % X, want % X", tag, again, b)
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		"0F 80": -128, "10 FFFE": -2, "05 80000000": -1 << 31, "14 FFFFFFFFFFFFFFFF": -1,
		"11 FF": 255, "12 FFFE": 65534, "06 80000000": 1 << 31, "16 07": 7, "03 01": 1,
	} {
		d, err := ParseData(codectest.Hex(t, text), 0)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := d.Int(); v != want || !ok {
			t.Errorf("%s: %d, %v; want %d", text, v, ok, want)
		}
	}
	if v, ok := (Data{Tag: OctetString, Value: []byte{1}}).Int(); ok {
		t.Errorf("octet-string: %d, want no number", v)
	}
}

func TestWhatIsNoDataIsRefusedWithItsOffset(t *testing.T) {
	for want, text := range map[string]string{
		"at byte 0: type 99 is none of DLMS":                             "63",
		"at byte 0: type of 1 bytes, but 0 are left":                     "",
		"at byte 1: 5 of elements of array, but 1 bytes are left":        "01 05 00",
		"at byte 1: 3 of octet-string, but 1 bytes are left":             "09 03 00",
		"at byte 1: 9 bits of bit-string, but 1 bytes are left":          "04 09 00",
		"at byte 1: length 80 of octet-string, want one of 1 to 4 bytes": "09 80",
		"at byte 1: length 85 of octet-string, want one of 1 to 4 bytes": "09 85 00 00 00 00 00",
		"at byte 1: 4294967295 of octet-string, but 0 bytes":             "09 84 FF FF FF FF",
		"at byte 1: 2 bytes after the last field":                        "00 00 00",
		"at byte 1: structure without fields in a compact-array":         "13 02 00 01 00",
		"at byte 1: array without elements in a compact-array":           "13 01 00 00 11 01 00",
		"at byte 1: null-data in a compact-array":                        "13 00 01 00",
		"at byte 1: compact-array in a compact-array":                    "13 13 11 01 00",
		"at byte 3: double-long-unsigned of 4 bytes, but 2 are left":     "13 06 02 FF FF",
		"nested deeper than 24":                                          strings.Repeat("01 01 ", 30) + "00",
	} {
		if _, err := ParseData(codectest.Hex(t, text), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for want, text := range map[string]string{
		"at byte 0: tag DA, want D9":                        "DA 00",
		"at byte 5: date-time of 3 bytes, want 0 or 12":     "D9 20 00 00 07 03",
		"at byte 6: 9 of descriptors, but 3 bytes are left": "D9 20 00 00 07 00 09 01 02 03",
		"at byte 7: choice 9, want 1 to 4":                  "D9 20 00 00 07 00 01 09 0001 000000000000 02",
	} {
		if _, err := ParseAccessRequest(codectest.Hex(t, text), 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, golden := range []string{goldenRequest, goldenResponse, goldenNotification} {
		f.Add(codectest.Hex(f, golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var again [][]byte
		check := func(b []byte, err error) {
			if err == nil {
				again = append(again, b)
			} else if strings.ContainsRune(err.Error(), '\n') || !strings.Contains(err.Error(), "at byte ") {
				t.Errorf("error %q, want one line with the offset", err)
			}
		}
		request, err := ParseAccessRequest(data, 0)
		check(request.Append(nil), err)
		response, err := ParseAccessResponse(data, 0)
		check(response.Append(nil), err)
		notification, err := ParseDataNotification(data, 0)
		check(notification.Append(nil), err)
		d, err := ParseData(data, 0)
		check(d.Append(nil), err)
		for _, b := range again {
			if !bytes.Equal(b, data) {
				t.Errorf("% X became % X", data, b)
			}
		}
	})
}
