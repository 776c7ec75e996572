package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const requestFastPollModeGolden = `
	05 # every 5 s
	0F # for 15 minutes`

func TestRequestFastPollMode(t *testing.T) {
	golden := codectest.Hex(t, requestFastPollModeGolden)
	codectest.RoundTrip(t, golden, RequestFastPollMode{UpdatePeriod: 5, DurationMinutes: 15}, RequestFastPollMode.Append, ParseRequestFastPollMode)
	codectest.RefusesPrefixes(t, golden, ParseRequestFastPollMode)
}

func FuzzParseRequestFastPollMode(f *testing.F) {
	f.Add(codectest.Hex(f, requestFastPollModeGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseRequestFastPollMode(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, RequestFastPollMode.Append, ParseRequestFastPollMode)
		}
	})
}
