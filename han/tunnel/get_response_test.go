package tunnel

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const getResponseGolden = `
	02       # GET-RESPONSE
	03       # 3 more wait
	DF 09 01 # message`

func TestGetResponse(t *testing.T) {
	golden := codectest.Hex(t, getResponseGolden)
	codectest.RoundTrip(t, golden, GetResponse{Remaining: 3, Message: []byte{0xDF, 0x09, 0x01}}, GetResponse.Append, ParseGetResponse)
	codectest.RefusesPrefixes(t, golden[:3], ParseGetResponse)
}

func TestGetResponseWithoutMessage(t *testing.T) {
	codectest.RoundTrip(t, codectest.Hex(t, "02 00"), GetResponse{}, GetResponse.Append, ParseGetResponse)
	if c, err := ParseGetResponse(codectest.Hex(t, "02 01")); err == nil {
		t.Errorf("took %+v: no message although one remains", c)
	}
}

func TestParseGetResponseRefusesOtherPrefixes(t *testing.T) {
	if _, err := ParseGetResponse(codectest.Hex(t, "03 00 DF")); err == nil {
		t.Error("took a PUT")
	}
}

func FuzzParseGetResponse(f *testing.F) {
	f.Add(codectest.Hex(f, getResponseGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseGetResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, GetResponse.Append, ParseGetResponse)
		}
	})
}
