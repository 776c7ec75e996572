package der

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/internal/codectest"
)

// golden has a length in its shortest form, one of two bytes for a number below 128,
// one of three for a number below 256, an empty string, and an element in an element.
const golden = `
	30 82 00 0F      # SEQUENCE, length in three bytes
	   02 81 01 07   # INTEGER 7, length in two
	   04 00         # OCTET STRING, empty
	   A2 07         # [2], constructed
	      06 03 2A 86 48 # OBJECT IDENTIFIER 1.2.840
	      05 00      # NULL`

// whole parses from the first byte on.
func whole(data []byte) (Element, error) { return Parse(data, 0) }

func goldenElement(b []byte) Element {
	return Element{Tag: Sequence, LengthSize: 3, Start: 0, End: 19, Children: []Element{
		{Tag: Integer, LengthSize: 2, Content: b[7:8], Start: 4, End: 8},
		{Tag: OctetString, LengthSize: 1, Content: []byte{}, Start: 8, End: 10},
		{Tag: 0xA2, LengthSize: 1, Start: 10, End: 19, Children: []Element{
			{Tag: ObjectID, LengthSize: 1, Content: b[14:17], Start: 12, End: 17},
			{Tag: Null, LengthSize: 1, Content: []byte{}, Start: 17, End: 19}}}}}
}

func TestAnElementKeepsItsLengthsAsFound(t *testing.T) {
	b := codectest.Hex(t, golden)
	codectest.RoundTrip(t, b, goldenElement(b), func(e Element, b []byte) []byte { return e.Append(b) }, whole)
	codectest.RefusesPrefixes(t, b, whole)
	if e, err := Parse(append([]byte{1, 2, 3}, b...), 3); err != nil || e.Start != 3 || e.End != 22 {
		t.Errorf("from byte 3 on: %d to %d, %v; want 3 to 22", e.Start, e.End, err)
	}
}

func TestALengthGrowsWithTheContent(t *testing.T) {
	long := Element{Tag: Sequence, LengthSize: 1, Children: []Element{{Tag: OctetString, Content: make([]byte, 300)}}}
	b := long.Append(nil)
	if want := []byte{0x30, 0x82, 0x01, 0x30, 0x04, 0x82, 0x01, 0x2C}; !bytes.Equal(b[:8], want) {
		t.Errorf("starts with % X, want % X", b[:8], want)
	}
	if _, err := whole(b); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoElementIsRefusedWithItsOffset(t *testing.T) {
	deep := bytes.Repeat([]byte{0x30, 0x80}, MaxDepth+2)
	for i := range MaxDepth + 2 {
		deep[2*i+1] = byte(2 * (MaxDepth + 1 - i))
	}
	for want, data := range map[string][]byte{
		"at byte 0: nothing there":                            {},
		"at byte 1: nothing there, want the length of tag 30": {0x30},
		"at byte 0: tag 1F of several bytes":                  {0x1F, 0x81, 0x00},
		"at byte 1: length 80, want one of 1 to 4 bytes":      {0x30, 0x80, 0, 0},
		"at byte 1: length 85, want one of 1 to 4 bytes":      {0x30, 0x85, 0, 0, 0, 0, 0},
		"at byte 1: length of 2 bytes, but 1 are left":        {0x30, 0x82, 0},
		"at byte 1: length 5 of tag 04, but 1 bytes are left": {0x04, 5, 0},
		"at byte 3: length 2 of tag 04, but 1 bytes are left": {0x30, 3, 0x04, 2, 0, 0},
		"at byte 2: 1 bytes after the element":                {0x05, 0, 0},
		"at byte 1: length 4294967295 of tag 04, but 0 bytes": {0x04, 0x84, 0xFF, 0xFF, 0xFF, 0xFF},
		"at byte 50: nested deeper than 24":                   deep,
	} {
		if _, err := whole(data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("% X: %v, want %q", data, err, want)
		}
	}
}

func TestNumbersAndIdentifiers(t *testing.T) {
	type number struct {
		Value uint64
		OK    bool
	}
	for text, want := range map[string]number{
		"07": {7, true}, "00FF": {255, true}, "00": {0, true}, "00FFFFFFFFFFFFFFFF": {1<<64 - 1, true},
		"": {}, "FF": {}, "010000000000000000": {},
	} {
		v, ok := Element{Content: codectest.Hex(t, text)}.Unsigned()
		if diff := cmp.Diff(want, number{v, ok}); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]string{
		"2A8648CE3D0201": "1.2.840.10045.2.1", "55042D": "2.5.4.45", "883703": "2.999.3",
		"": "", "2A86": "", "2AFFFFFFFFFFFFFFFFFF7F": "",
	} {
		if got := (Element{Content: codectest.Hex(t, text)}).OID(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(codectest.Hex(f, golden))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := whole(data)
		if err != nil {
			if strings.ContainsRune(err.Error(), '\n') || !strings.Contains(err.Error(), "at byte ") {
				t.Errorf("error %q, want one line with the offset", err)
			}
			return
		}
		if again := e.Append(nil); !bytes.Equal(again, data) {
			t.Errorf("% X became % X", data, again)
		}
		e.OID()
	})
}
