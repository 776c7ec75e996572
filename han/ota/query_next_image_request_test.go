package ota

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var queryNextImageRequestTests = []struct {
	name, golden string
	want         QueryNextImageRequest
}{
	{"without hardware version", `
		00          # field control
		9A 10       # manufacturer 109A
		01 00       # image type
		00 02 00 00 # running file version`,
		QueryNextImageRequest{Current: ImageID{0x109A, 1, 0x200}}},
	{"with hardware version", `
		01          # field control: hardware version
		9A 10       # manufacturer 109A
		01 00       # image type
		00 02 00 00 # running file version
		03 01       # hardware version`,
		QueryNextImageRequest{Current: ImageID{0x109A, 1, 0x200}, HasHardware: true, HardwareVersion: 0x103}},
}

func TestQueryNextImageRequest(t *testing.T) {
	for _, tt := range queryNextImageRequestTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, QueryNextImageRequest.Append, ParseQueryNextImageRequest)
			codectest.RefusesPrefixes(t, golden, ParseQueryNextImageRequest)
		})
	}
}

func FuzzParseQueryNextImageRequest(f *testing.F) {
	for _, tt := range queryNextImageRequestTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseQueryNextImageRequest(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, QueryNextImageRequest.Append, ParseQueryNextImageRequest)
		}
	})
}
