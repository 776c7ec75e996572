package installcode

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

// The example of the Zigbee Smart Energy specification §5.4.8.1.1.3.
const (
	golden = `
		83 FE D3 40 7A 93 97 23 A5 C6 39 B2 69 16 D5 05   # random
		C3 B5                                             # CRC B5C3, low byte first
	`
	goldenText = "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5"
	goldenKey  = "66 B6 90 09 81 E1 EE 3C A4 20 6B 6B 86 1C 02 BB"
)

func TestGoldenRoundTrip(t *testing.T) {
	raw := codectest.Hex(t, golden)
	code := New([SecretSize]byte(raw))
	codectest.RoundTrip(t, raw, code, func(c Code, b []byte) []byte { return append(b, c[:]...) }, FromBytes)
	codectest.RefusesPrefixes(t, raw, FromBytes)
}

func TestKeyIsTheSpecificationsExample(t *testing.T) {
	code, err := Parse(goldenText)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := code.Key(), codectest.Hex(t, goldenKey); !bytes.Equal(got[:], want) {
		t.Errorf("key % X, want % X", got, want)
	}
}

func TestCRCCheckValue(t *testing.T) {
	// The check value of CRC-16/X-25 in the usual catalogues.
	if got := crc16([]byte("123456789")); got != 0x906E {
		t.Errorf("crc16 = %04X, want 906E", got)
	}
}

func TestParseTakesThePrintedForms(t *testing.T) {
	want := Code(codectest.Hex(t, golden))
	for _, text := range []string{
		goldenText,
		strings.ToLower(goldenText),
		strings.ReplaceAll(goldenText, " ", ""),
		strings.ReplaceAll(goldenText, " ", "-"),
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("Parse(%q) = % X, %v", text, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"a typing mistake", "83FE D340 7A93 9723 A5C6 39B2 6916 D506 C3B5", "CRC does not match"},
		{"a CRC high byte first", "83FE D340 7A93 9723 A5C6 39B2 6916 D505 B5C3", "CRC does not match"},
		{"a short code", "83FE D340 7A93 FC2B", "got 8 bytes"},
		{"letters that are not hex", "not a code at all", "36 hex digits"},
		{"nothing", "", "got 0 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Parse(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(goldenText)
	f.Add("83FE-D340")
	f.Fuzz(func(t *testing.T, text string) {
		code, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(fmt.Sprintf("% X", code)); err != nil || again != code {
			t.Errorf("round trip of %q: % X, %v", text, again, err)
		}
	})
}
