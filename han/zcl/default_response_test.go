package zcl

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const defaultResponseGolden = `
	05 # answers Image Block Response
	97 # WAIT_FOR_DATA`

func TestDefaultResponse(t *testing.T) {
	golden := codectest.Hex(t, defaultResponseGolden)
	codectest.RoundTrip(t, golden, DefaultResponse{Command: 5, Status: StatusWaitForData},
		DefaultResponse.Append, ParseDefaultResponse)
	codectest.RefusesPrefixes(t, golden, ParseDefaultResponse)
}

func TestARefusalConfirmsNothing(t *testing.T) {
	took := DefaultResponse{Command: 5}
	refused := DefaultResponse{Command: 5, Status: StatusUnsupCommand}
	if !took.Confirms(5) || took.Confirms(6) || refused.Confirms(5) {
		t.Error("one for another command or with another status than success confirms, or success does not")
	}
}

func FuzzParseDefaultResponse(f *testing.F) {
	f.Add(codectest.Hex(f, defaultResponseGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseDefaultResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, DefaultResponse.Append, ParseDefaultResponse)
		}
	})
}
