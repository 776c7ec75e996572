package bridge

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/ota"
)

// otaFile wraps elements as a Zigbee OTA file.
func otaFile(elements ...ota.SubElement) []byte {
	h := ota.ImageHeader{ImageID: ota.ImageID{Manufacturer: 0xFFF1, FileVersion: 1}, HasHardware: true, HardwareMax: 1}
	var body []byte
	for _, e := range elements {
		body = e.Append(body)
	}
	h.TotalSize = uint32(h.Size() + len(body))
	return append(h.Append(nil), body...)
}

// longHeader has fields that are not known here.
func longHeader(e ota.SubElement) []byte {
	h := ota.ImageHeader{MinorVersion: 1, ReservedFields: 1 << 3, Extra: strings.Repeat("new", 40)}
	body := e.Append(nil)
	h.TotalSize = uint32(h.Size() + len(body))
	return append(h.Append(nil), body...)
}

func TestPartOfAnImage(t *testing.T) {
	picture := ota.SubElement{Tag: ota.TagPicture, Data: []byte("picture")}
	firmware := ota.SubElement{Tag: ota.TagUpgradeImage, Data: []byte("firmware")}
	whole := otaFile(picture, firmware)
	for name, tt := range map[string]struct {
		file    []byte
		content Content
		want    string // what is given, or part of the error
	}{
		"the whole file":            {whole, ContentFile, string(whole)},
		"the upgrade image":         {whole, ContentImage, "firmware"},
		"no upgrade image":          {otaFile(picture), ContentImage, "no upgrade image element"},
		"an empty one":              {otaFile(ota.SubElement{Tag: ota.TagUpgradeImage}), ContentImage, "no upgrade image element"},
		"an element that is cut":    {whole[:len(whole)-1], ContentImage, "no upgrade image element"},
		"no OTA file":               {[]byte("firmware"), ContentImage, "parse OTA header"},
		"many elements in front":    {otaFile(append(make([]ota.SubElement, 175), firmware)...), ContentImage, "firmware"},
		"too many in front":         {otaFile(append(make([]ota.SubElement, maxElements), firmware)...), ContentImage, "the first 10000 elements of the OTA file are no upgrade image"},
		"a longer header":           {longHeader(firmware), ContentImage, "firmware"},
		"a length that wraps round": {append(otaFile(), 4, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0), ContentImage, "no upgrade image element"},
	} {
		t.Run(name, func(t *testing.T) {
			im := Image{Size: int64(len(tt.file)), File: bytes.NewReader(tt.file)}
			part, err := im.Part(tt.content)
			if err != nil {
				if !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				return
			}
			got, err := io.ReadAll(part)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if _, err := (Image{Size: 1}).Part(ContentFile); err == nil {
		t.Error("a file that is not at hand is given")
	}
}
