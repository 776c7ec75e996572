package ota

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var queryDeviceSpecificFileRequestTests = []struct {
	name, golden string
	want         QueryDeviceSpecificFileRequest
}{
	{"a log", `
		A1 90 78 56 34 12 DB 00
		9A 10       # manufacturer 109A
		C2 FF       # image type: log
		01 02 00 00 # file version
		02 00       # Zigbee PRO`,
		QueryDeviceSpecificFileRequest{Node: 0x00DB1234567890A1, Image: ImageID{0x109A, 0xFFC2, 0x201}, StackVersion: StackVersionPRO}},
}

func TestQueryDeviceSpecificFileRequest(t *testing.T) {
	for _, tt := range queryDeviceSpecificFileRequestTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, QueryDeviceSpecificFileRequest.Append, ParseQueryDeviceSpecificFileRequest)
			codectest.RefusesPrefixes(t, golden, ParseQueryDeviceSpecificFileRequest)
		})
	}
}

func FuzzParseQueryDeviceSpecificFileRequest(f *testing.F) {
	for _, tt := range queryDeviceSpecificFileRequestTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseQueryDeviceSpecificFileRequest(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, QueryDeviceSpecificFileRequest.Append, ParseQueryDeviceSpecificFileRequest)
		}
	})
}
