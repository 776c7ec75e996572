package metering

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const getProfileGolden = `
	00          # consumption delivered
	00 00 00 30 # end time
	30          # 48 periods`

func TestGetProfile(t *testing.T) {
	golden := codectest.Hex(t, getProfileGolden)
	codectest.RoundTrip(t, golden, GetProfile{Channel: ChannelConsumptionDelivered, EndTime: 0x30000000, Periods: 48}, GetProfile.Append, ParseGetProfile)
	codectest.RefusesPrefixes(t, golden, ParseGetProfile)
}

func FuzzParseGetProfile(f *testing.F) {
	f.Add(codectest.Hex(f, getProfileGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseGetProfile(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, GetProfile.Append, ParseGetProfile)
		}
	})
}
