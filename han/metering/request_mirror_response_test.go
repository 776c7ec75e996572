package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const requestMirrorResponseGolden = `
	02 00 # endpoint of the mirror`

func TestRequestMirrorResponse(t *testing.T) {
	golden := codectest.Hex(t, requestMirrorResponseGolden)
	codectest.RoundTrip(t, golden, RequestMirrorResponse{Endpoint: 2}, RequestMirrorResponse.Append, ParseRequestMirrorResponse)
	codectest.RefusesPrefixes(t, golden, ParseRequestMirrorResponse)
}

func TestRequestMirrorResponseFailure(t *testing.T) {
	c, err := ParseRequestMirrorResponse(codectest.Hex(t, "FF FF"))
	if err != nil || c.Endpoint != MirrorFailed {
		t.Errorf("got %+v, %v; want MirrorFailed", c, err)
	}
}

func FuzzParseRequestMirrorResponse(f *testing.F) {
	f.Add(codectest.Hex(f, requestMirrorResponseGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseRequestMirrorResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, RequestMirrorResponse.Append, ParseRequestMirrorResponse)
		}
	})
}
