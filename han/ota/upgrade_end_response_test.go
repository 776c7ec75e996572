package ota

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var upgradeEndResponseTests = []struct {
	name, golden string
	want         UpgradeEndResponse
}{
	{"wait for the supplier", `
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version
		00 00 00 30 # current time
		FF FF FF FF # upgrade time: wait`,
		UpgradeEndResponse{Image: ImageID{0x109A, 1, 0x201}, CurrentTime: 0x30000000, UpgradeTime: zcl.UTCTimeInvalid}},
	{"wildcards, at once", `
		FF FF FF FF FF FF FF FF
		00 00 00 00 # no clock
		00 00 00 00 # now`,
		UpgradeEndResponse{Image: ImageID{WildcardManufacturer, WildcardImageType, WildcardFileVersion}}},
}

func TestUpgradeEndResponse(t *testing.T) {
	for _, tt := range upgradeEndResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, UpgradeEndResponse.Append, ParseUpgradeEndResponse)
			codectest.RefusesPrefixes(t, golden, ParseUpgradeEndResponse)
		})
	}
}

func FuzzParseUpgradeEndResponse(f *testing.F) {
	for _, tt := range upgradeEndResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseUpgradeEndResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, UpgradeEndResponse.Append, ParseUpgradeEndResponse)
		}
	})
}
