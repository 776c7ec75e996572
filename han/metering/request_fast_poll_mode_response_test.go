package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const requestFastPollModeResponseGolden = `
	0A          # every 10 s
	84 03 00 30 # until then`

func TestRequestFastPollModeResponse(t *testing.T) {
	golden := codectest.Hex(t, requestFastPollModeResponseGolden)
	codectest.RoundTrip(t, golden, RequestFastPollModeResponse{AppliedPeriod: 10, EndTime: 0x30000384}, RequestFastPollModeResponse.Append, ParseRequestFastPollModeResponse)
	codectest.RefusesPrefixes(t, golden, ParseRequestFastPollModeResponse)
}

func FuzzParseRequestFastPollModeResponse(f *testing.F) {
	f.Add(codectest.Hex(f, requestFastPollModeResponseGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseRequestFastPollModeResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, RequestFastPollModeResponse.Append, ParseRequestFastPollModeResponse)
		}
	})
}
