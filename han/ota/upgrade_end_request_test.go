package ota

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var upgradeEndRequestTests = []struct {
	name, golden string
	want         UpgradeEndRequest
}{
	{"verified", `
		00          # SUCCESS
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version`,
		UpgradeEndRequest{Status: zcl.StatusSuccess, Image: ImageID{0x109A, 1, 0x201}}},
	{"bad", `
		96          # INVALID_IMAGE
		9A 10 01 00 01 02 00 00`,
		UpgradeEndRequest{Status: zcl.StatusInvalidImage, Image: ImageID{0x109A, 1, 0x201}}},
}

func TestUpgradeEndRequest(t *testing.T) {
	for _, tt := range upgradeEndRequestTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, UpgradeEndRequest.Append, ParseUpgradeEndRequest)
			codectest.RefusesPrefixes(t, golden, ParseUpgradeEndRequest)
		})
	}
}

func FuzzParseUpgradeEndRequest(f *testing.F) {
	for _, tt := range upgradeEndRequestTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseUpgradeEndRequest(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, UpgradeEndRequest.Append, ParseUpgradeEndRequest)
		}
	})
}
