package ota

import (
	"testing"
	"time"

	"github.com/commshub/commshub/internal/codectest"
)

var imagePageRequestTests = []struct {
	name, golden string
	want         ImagePageRequest
}{
	{"bare", `
		00          # field control
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version
		30 00 00 00 # offset
		28          # at most 40 bytes a block
		00 04       # page of 1024 bytes
		32 00       # 50 ms between blocks`,
		ImagePageRequest{Image: ImageID{0x109A, 1, 0x201}, Offset: 48, MaxDataSize: 40, PageSize: 1024, ResponseSpacing: 50}},
	{"with node address", `
		01          # field control: node address
		9A 10 01 00 01 02 00 00
		30 00 00 00 # offset
		28          # at most 40 bytes a block
		00 04       # page of 1024 bytes
		FA 00       # 250 ms between blocks
		A1 90 78 56 34 12 DB 00`,
		ImagePageRequest{Image: ImageID{0x109A, 1, 0x201}, Offset: 48, MaxDataSize: 40, PageSize: 1024, ResponseSpacing: 250,
			HasNodeAddress: true, NodeAddress: 0x00DB1234567890A1}},
}

func TestImagePageRequest(t *testing.T) {
	for _, tt := range imagePageRequestTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ImagePageRequest.Append, ParseImagePageRequest)
			codectest.RefusesPrefixes(t, golden, ParseImagePageRequest)
		})
	}
}

func TestImagePageRequestSpacingIsInMilliseconds(t *testing.T) {
	if got := (ImagePageRequest{ResponseSpacing: 250}).Spacing(); got != 250*time.Millisecond {
		t.Errorf("Spacing() = %v, want 250ms", got)
	}
}

func FuzzParseImagePageRequest(f *testing.F) {
	for _, tt := range imagePageRequestTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseImagePageRequest(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ImagePageRequest.Append, ParseImagePageRequest)
		}
	})
}
