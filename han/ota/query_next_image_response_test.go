package ota

import (
	"testing"

	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/codectest"
)

var queryNextImageResponseTests = []struct {
	name, golden string
	want         QueryNextImageResponse
}{
	{"an image", `
		00          # SUCCESS
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version
		00 00 04 00 # 256 KiB`,
		QueryNextImageResponse{Status: zcl.StatusSuccess, Image: ImageID{0x109A, 1, 0x201}, Size: 262144}},
	{"no image", `
		98 # NO_IMAGE_AVAILABLE`,
		QueryNextImageResponse{Status: zcl.StatusNoImageAvailable}},
	{"not for this device", `
		7E # NOT_AUTHORIZED`,
		QueryNextImageResponse{Status: zcl.StatusNotAuthorized}},
}

func TestQueryNextImageResponse(t *testing.T) {
	for _, tt := range queryNextImageResponseTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, QueryNextImageResponse.Append, ParseQueryNextImageResponse)
			codectest.RefusesPrefixes(t, golden, ParseQueryNextImageResponse)
		})
	}
}

func FuzzParseQueryNextImageResponse(f *testing.F) {
	for _, tt := range queryNextImageResponseTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseQueryNextImageResponse(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, QueryNextImageResponse.Append, ParseQueryNextImageResponse)
		}
	})
}
