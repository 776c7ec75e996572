package ota

import (
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

var imageNotifyTests = []struct {
	name, golden string
	want         ImageNotify
}{
	{"jitter alone", `
		00 64 # payload type, query jitter 100`,
		ImageNotify{Type: NotifyJitter, QueryJitter: 100}},
	{"manufacturer", `
		01 64 # payload type, query jitter
		9A 10 # manufacturer 109A`,
		ImageNotify{Type: NotifyManufacturer, QueryJitter: 100, Manufacturer: 0x109A}},
	{"image type", `
		02 01 # payload type, query jitter 1
		9A 10 # manufacturer 109A
		01 00 # image type`,
		ImageNotify{Type: NotifyImageType, QueryJitter: 1, Manufacturer: 0x109A, ImageType: 1}},
	{"file version", `
		03 32       # payload type, query jitter 50
		9A 10       # manufacturer 109A
		01 00       # image type
		01 02 00 00 # file version`,
		ImageNotify{Type: NotifyFileVersion, QueryJitter: 50, Manufacturer: 0x109A, ImageType: 1, FileVersion: 0x201}},
}

func TestImageNotify(t *testing.T) {
	for _, tt := range imageNotifyTests {
		t.Run(tt.name, func(t *testing.T) {
			golden := codectest.Hex(t, tt.golden)
			codectest.RoundTrip(t, golden, tt.want, ImageNotify.Append, ParseImageNotify)
			codectest.RefusesPrefixes(t, golden, ParseImageNotify)
		})
	}
}

func TestParseImageNotifyRefusesUnknownPayloadTypes(t *testing.T) {
	if c, err := ParseImageNotify(codectest.Hex(t, "04 64 9A 10 01 00 01 02 00 00")); err == nil {
		t.Errorf("took payload type 4 as %+v", c)
	}
}

func FuzzParseImageNotify(f *testing.F) {
	for _, tt := range imageNotifyTests {
		f.Add(codectest.Hex(f, tt.golden))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := ParseImageNotify(data); err == nil {
			codectest.RoundTrip(t, c.Append(nil), c, ImageNotify.Append, ParseImageNotify)
		}
	})
}
