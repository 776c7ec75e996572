package ota

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var imageBlockRequestTests = []struct {
	name, golden string
	want         ImageBlockRequest
}{
	{"bare", `
		00          # field control
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version
		30 00 00 00 # offset
		30          # at most 48 bytes`,
		ImageBlockRequest{Image: ImageID{0x109A, 1, 0x201}, Offset: 48, MaxDataSize: 48}},
	{"with node address", `
		01          # field control: node address
		9A 10 01 00 01 02 00 00
		00 00 00 80 # offset
		FF          # at most 255 bytes
		A1 90 78 56 34 12 DB 00`,
		ImageBlockRequest{Image: ImageID{0x109A, 1, 0x201}, Offset: 0x80000000, MaxDataSize: 255,
			HasNodeAddress: true, NodeAddress: 0x00DB1234567890A1}},
	{"with block period", `
		02          # field control: minimum block period
		9A 10 01 00 01 02 00 00
		00 00 00 00 # offset
		3F          # at most 63 bytes
		FA 00       # 250 ms`,
		ImageBlockRequest{Image: ImageID{0x109A, 1, 0x201}, MaxDataSize: 63, HasMinPeriod: true, MinPeriod: 250}},
	{"with both", `
		03          # field control: both
		9A 10 01 00 01 02 00 00
		00 00 00 00 # offset
		3F          # at most 63 bytes
		A1 90 78 56 34 12 DB 00
		FA 00       # 250 ms`,
		ImageBlockRequest{Image: ImageID{0x109A, 1, 0x201}, MaxDataSize: 63,
			HasNodeAddress: true, NodeAddress: 0x00DB1234567890A1, HasMinPeriod: true, MinPeriod: 250}},
}

func TestImageBlockRequest(t *testing.T) {
	for _, tt := range imageBlockRequestTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ImageBlockRequest.Append, ParseImageBlockRequest)
			codectest.RefusesPrefixes(t, golden, ParseImageBlockRequest)
		})
	}
}

func FuzzParseImageBlockRequest(f *testing.F) {
	for _, tt := range imageBlockRequestTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseImageBlockRequest(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ImageBlockRequest.Append, ParseImageBlockRequest)
		}
	})
}
