package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const putGolden = `
	03       # PUT
	DF 09 03 # message`

func TestPut(t *testing.T) {
	golden := codectest.Hex(t, putGolden)
	codectest.RoundTrip(t, golden, Put{Message: []byte{0xDF, 0x09, 0x03}}, Put.Append, ParsePut)
	codectest.RefusesPrefixes(t, golden[:2], ParsePut)
}

func TestParsePutRefusesOtherPrefixes(t *testing.T) {
	if _, err := ParsePut(codectest.Hex(t, "02 DF")); err == nil {
		t.Error("took a GET-RESPONSE")
	}
}

func FuzzParsePut(f *testing.F) {
	f.Add(codectest.Hex(f, putGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParsePut(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, Put.Append, ParsePut)
		}
	})
}
