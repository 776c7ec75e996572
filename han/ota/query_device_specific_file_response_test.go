package ota

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var queryDeviceSpecificFileResponseTests = []struct {
	name, golden string
	want         QueryDeviceSpecificFileResponse
}{
	{"an image", `
		00          # SUCCESS
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version
		00 00 04 00 # 256 KiB`,
		QueryDeviceSpecificFileResponse{Status: zcl.StatusSuccess, Image: ImageID{0x109A, 1, 0x201}, Size: 262144}},
	{"no image", `
		98 # NO_IMAGE_AVAILABLE`,
		QueryDeviceSpecificFileResponse{Status: zcl.StatusNoImageAvailable}},
	{"not for this device", `
		7E # NOT_AUTHORIZED`,
		QueryDeviceSpecificFileResponse{Status: zcl.StatusNotAuthorized}},
}

func TestQueryDeviceSpecificFileResponse(t *testing.T) {
	for _, tt := range queryDeviceSpecificFileResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, QueryDeviceSpecificFileResponse.Append, ParseQueryDeviceSpecificFileResponse)
			codectest.RefusesPrefixes(t, golden, ParseQueryDeviceSpecificFileResponse)
		})
	}
}

func FuzzParseQueryDeviceSpecificFileResponse(f *testing.F) {
	for _, tt := range queryDeviceSpecificFileResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseQueryDeviceSpecificFileResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, QueryDeviceSpecificFileResponse.Append, ParseQueryDeviceSpecificFileResponse)
		}
	})
}
