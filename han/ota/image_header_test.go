package ota

import (
	"bytes"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/codectest"
)

const fullHeaderGolden = `
	1E F1 EE 0B             #  0 upgrade file identifier
	00 01                   #  4 header version
	45 00                   #  6 header length 69
	07 00                   #  8 field control: all three
	1D 12                   # 10 manufacturer
	02 00                   # 12 image type
	07 0A 03 09             # 14 file version 09030A07
	02 00                   # 18 Zigbee PRO
	47 61 73 20 61 70 70    # 20 "Gas app"
	00 00 00 00 00 00 00 00 00
	00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
	00 10 00 00             # 52 total image size 4096
	01                      # 56 security credential version
	A1 90 78 56 34 12 DB 00 # 57 destination
	11 11 11 12             # 65 hardware versions 1111 to 1211`

func fullHeader() ImageHeader {
	return ImageHeader{
		ImageID:      ImageID{Manufacturer: 0x121D, ImageType: 2, FileVersion: 0x09030A07},
		StackVersion: StackVersionPRO,
		Text:         "Gas app",
		TotalSize:    4096,

		HasSecurityCredential: true, SecurityCredentialVersion: 1,
		HasDestination: true, Destination: 0x00DB1234567890A1,
		HasHardware: true, HardwareMin: 0x1111, HardwareMax: 0x1211,
	}
}

func TestImageHeader(t *testing.T) {
	golden := codectest.Hex(t, fullHeaderGolden)
	if len(golden) != HeaderSizeMax {
		t.Fatalf("golden of %d bytes, want %d", len(golden), HeaderSizeMax)
	}
	codectest.RoundTrip(t, golden, fullHeader(), ImageHeader.Append, ParseImageHeader)
	codectest.RefusesPrefixes(t, golden, ParseImageHeader)
}

func TestImageHeaderWithEveryCombinationOfOptionalFields(t *testing.T) {
	for combination := range 8 {
		h := fullHeader()
		want := HeaderSizeMin
		if combination&fieldSecurityCredential == 0 {
			h.HasSecurityCredential, h.SecurityCredentialVersion = false, 0
		} else {
			want++
		}
		if combination&fieldDestination == 0 {
			h.HasDestination, h.Destination = false, 0
		} else {
			want += 8
		}
		if combination&fieldHardware == 0 {
			h.HasHardware, h.HardwareMin, h.HardwareMax = false, 0, 0
		} else {
			want += 4
		}
		b := h.Append(nil)
		if h.Size() != want || len(b) != want || b[6] != byte(want) || b[8] != byte(combination) {
			t.Errorf("field control %d: Size() %d, %d bytes, length field %d, field control %d; want %d bytes",
				combination, h.Size(), len(b), b[6], b[8], want)
		}
		codectest.RoundTrip(t, b, h, ImageHeader.Append, ParseImageHeader)
		codectest.RefusesPrefixes(t, b, ParseImageHeader)
	}
}

func TestParseImageHeaderRefusesHeadersThatLie(t *testing.T) {
	tests := []struct {
		name   string
		offset int
		give   byte
		want   string // in the error
	}{
		{"first byte of the identifier", 0, 0x1F, "upgrade file identifier"},
		{"last byte of the identifier", 3, 0x0C, "upgrade file identifier"},
		{"header version", 5, 0x02, "header version"},
		{"header length one too small", 6, 68, "header length 68, want at least 69"},
		{"header length one too large", 6, 70, "the file ends after 69 bytes, in the header of 70"},
		{"header length far too large", 7, 0xFF, "the file ends after 69 bytes, in the header of 65349"},
		{"total size smaller than the header", 53, 0, "total image size 0"},
		{"minimum hardware version above the maximum", 66, 0x13, "hardware versions"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := codectest.Hex(t, fullHeaderGolden)
			b[tt.offset] = tt.give
			if _, err := ParseImageHeader(b); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestImageHeaderKeepsWhatItDoesNotKnow: the header length is there so that old readers
// skip new fields, and a change of the minor version keeps them working (ZCL §11.4.2).
func TestImageHeaderKeepsWhatItDoesNotKnow(t *testing.T) {
	tests := []struct {
		name   string
		change func(h *ImageHeader)
	}{
		{"minor version", func(h *ImageHeader) { h.MinorVersion = 1 }},
		{"lowest reserved bit", func(h *ImageHeader) { h.ReservedFields = 1 << 3 }},
		{"highest reserved bit", func(h *ImageHeader) { h.ReservedFields = 1 << 15 }},
		{"a byte more", func(h *ImageHeader) { h.Extra = "\x00" }},
		{"a header as long as there can be", func(h *ImageHeader) {
			h.TotalSize = 1 << 20
			h.Extra = strings.Repeat("\xFF", 0xFFFF-HeaderSizeMax)
		}},
		{"all of it", func(h *ImageHeader) { h.MinorVersion, h.ReservedFields, h.Extra = 0xFF, 0xFFF8, "new field" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := fullHeader()
			tt.change(&h)
			b := h.Append(nil)
			if len(b) != h.Size() || HeaderLength(b) != h.Size() {
				t.Errorf("%d bytes, Size() %d, header length %d", len(b), h.Size(), HeaderLength(b))
			}
			codectest.RoundTrip(t, b, h, ImageHeader.Append, ParseImageHeader)
			if len(b) < 1000 {
				codectest.RefusesPrefixes(t, b, ParseImageHeader)
			}
		})
	}
}

func TestImageHeaderTextKeepsInnerNULs(t *testing.T) {
	for _, text := range []string{"", "a", "a\x00b", strings.Repeat("x", 32)} {
		h := fullHeader()
		h.Text = text
		codectest.RoundTrip(t, h.Append(nil), h, ImageHeader.Append, ParseImageHeader)
	}
}

func TestAppendImageHeaderPanicsOnLongText(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	ImageHeader{Text: strings.Repeat("x", 33)}.Append(nil)
}

func TestFitsHardware(t *testing.T) {
	h := fullHeader()
	for version, want := range map[uint16]bool{0x1110: false, 0x1111: true, 0x1180: true, 0x1211: true, 0x1212: false} {
		if got := h.FitsHardware(version); got != want {
			t.Errorf("FitsHardware(%04X) = %v, want %v", version, got, want)
		}
	}
	if !(ImageHeader{}).FitsHardware(0xFFFF) {
		t.Error("an image without hardware versions must fit every device")
	}
}

func FuzzParseImageHeader(f *testing.F) {
	f.Add(codectest.Hex(f, fullHeaderGolden))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := ParseImageHeader(data)
		if err != nil {
			return
		}
		// A header that is taken has one encoding only.
		if again := h.Append(nil); !bytes.Equal(again, data[:len(again)]) {
			t.Errorf("parsed  % X\nappended % X", data[:len(again)], again)
		}
	})
}
