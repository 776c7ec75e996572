package ota

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/aesmmo"
	"github.com/commshub/commshub/internal/codectest"
)

// buildElements returns an OTA file of sub-elements without hardware versions,
// followed by trailing bytes.
func buildElements(elements []SubElement, trailing ...byte) []byte {
	var body []byte
	for _, e := range elements {
		body = e.Append(body)
	}
	body = append(body, trailing...)
	h := ImageHeader{ImageID: ImageID{0x109A, 1, 0x201}, StackVersion: StackVersionPRO, Text: "test"}
	h.TotalSize = uint32(h.Size() + len(body))
	return append(h.Append(nil), body...)
}

func TestParseImageOfSubElements(t *testing.T) {
	file := buildElements([]SubElement{
		{Tag: TagUpgradeImage, Data: []byte("firmware")},
		{Tag: TagPicture, Data: nil},
		{Tag: 0xF001, Data: []byte{1, 2}},
	})
	im, err := ParseImage(file)
	if err != nil {
		t.Fatal(err)
	}
	want := []SubElement{
		{TagUpgradeImage, 56, []byte("firmware")},
		{TagPicture, 56 + 6 + 8, []byte{}},
		{0xF001, 56 + 6 + 8 + 6, []byte{1, 2}},
	}
	if diff := cmp.Diff(want, slices.Collect(im.Elements())); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	if im.Layout != LayoutElements || len(im.Trailing) != 0 || im.Integrity != IntegrityAbsent {
		t.Errorf("layout %v, %d trailing bytes, integrity %v", im.Layout, len(im.Trailing), im.Integrity)
	}
	if !bytes.Equal(im.ManufacturerImage, file[56:]) {
		t.Error("the Manufacturer Image must be all bytes behind the header")
	}
}

func TestParseImageRefusesFilesThatLieAboutTheirSize(t *testing.T) {
	file := buildElements([]SubElement{{Tag: TagUpgradeImage, Data: []byte("firmware")}})
	for n := range file {
		if _, err := ParseImage(file[:n]); err == nil {
			t.Errorf("took the first %d of %d bytes", n, len(file))
		}
	}
	if _, err := ParseImage(append(bytes.Clone(file), 0)); err == nil {
		t.Error("took a file with a byte after its total size")
	}
	if _, err := ParseImage(buildElements(nil)); err == nil || !strings.Contains(err.Error(), "no image") {
		t.Errorf("a header alone: %v, want it refused", err)
	}
	if _, err := ParseImage(make([]byte, MaxFileSize+1)); err == nil || !strings.Contains(err.Error(), "want at most") {
		t.Errorf("a file over the limit: %v, want it refused", err)
	}
}

func TestSubElementsThatLieAboutTheirLengthAreNotTaken(t *testing.T) {
	first := SubElement{Tag: TagUpgradeImage, Data: []byte("firmware")}
	tests := []struct {
		name   string
		length uint32 // announced by the second element, which has 4 bytes
		layout Layout
	}{
		{"one too many", 5, LayoutElements},
		{"one too few", 3, LayoutElements},
		{"overflowing 32 bits", 0xFFFFFFFF, LayoutElements},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := buildElements([]SubElement{first, {Tag: TagPicture, Data: []byte{1, 2, 3, 4}}})
			binary.LittleEndian.PutUint32(file[len(file)-8:], tt.length)
			im, err := ParseImage(file)
			if err != nil {
				t.Fatal(err)
			}
			if im.Layout != LayoutElements || len(im.Trailing) == 0 {
				t.Errorf("layout %v, %d elements, %d trailing bytes", im.Layout, im.ElementCount, len(im.Trailing))
			}
		})
	}
	alone := buildElements([]SubElement{{Tag: TagPicture, Data: []byte{1, 2, 3, 4}}})
	alone[len(alone)-8] = 5
	if im, err := ParseImage(alone); err != nil || im.Layout != LayoutOpaque || im.ElementCount != 0 {
		t.Errorf("a file whose only element does not fit: %+v, %v; want it opaque", im, err)
	}
}

// TestAFileWithManySubElementsIsTakenApartWhole: published files have up to 175, and an
// integrity code behind them counts like any other.
func TestAFileWithManySubElementsIsTakenApartWhole(t *testing.T) {
	for _, n := range []int{1, 64, 65, 175, 5000} {
		elements := slices.Repeat([]SubElement{{Tag: TagUpgradeImage, Data: []byte("firmware")}}, n)
		file := buildElements(append(elements, SubElement{Tag: TagIntegrityCode, Data: make([]byte, aesmmo.Size)}))
		codeAt := len(file) - aesmmo.Size
		code := aesmmo.Sum(file[:codeAt-subElementHeader])
		copy(file[codeAt:], code[:])
		p, err := Open(file)
		if err != nil || p.ElementCount != n+1 || len(slices.Collect(p.Elements())) != n+1 || len(p.Trailing) != 0 || p.Integrity != IntegrityGood || p.Warnings != nil {
			t.Errorf("%d elements and a code: %d elements, %d trailing bytes, integrity %q, warnings %v, %v",
				n, p.ElementCount, len(p.Trailing), p.Integrity, p.Warnings, err)
		}
		file[HeaderSizeMin+subElementHeader] ^= 1
		if p, err := Open(file); err != nil || p.Integrity != IntegrityBad {
			t.Errorf("%d elements, a byte changed: integrity %q, %v; want %q", n, p.Integrity, err, IntegrityBad)
		}
	}
}

func TestAFileOfEmptySubElementsDoesNotEatMemory(t *testing.T) {
	file := buildElements(nil, make([]byte, MaxFileSize-HeaderSizeMin)...)
	im, err := ParseImage(file)
	if err != nil || im.ElementCount != (MaxFileSize-HeaderSizeMin)/subElementHeader {
		t.Fatalf("%d elements and %d trailing bytes, %v", im.ElementCount, len(im.Trailing), err)
	}
	if n := testing.AllocsPerRun(1, func() { _, _ = ParseImage(file) }); n > 10 {
		t.Errorf("%v allocations, want no more than for one element", n)
	}
}

func TestTrailingBytesBehindSubElementsAreKept(t *testing.T) {
	im, err := ParseImage(buildElements([]SubElement{{Tag: TagUpgradeImage, Data: []byte("firmware")}}, 1, 2, 3))
	if err != nil || !bytes.Equal(im.Trailing, []byte{1, 2, 3}) || im.ElementCount != 1 {
		t.Errorf("got %+v, %v; want three trailing bytes", im, err)
	}
}

func TestIntegrityCode(t *testing.T) {
	short, long := []byte("firmware"), bytes.Repeat([]byte("firmware"), 2000)
	tests := []struct {
		name string
		body []byte
		code func(before, withTag []byte) [aesmmo.Size]byte
		want Integrity
	}{
		{"short file", short, func(b, _ []byte) [16]byte { return aesmmo.Sum(b) }, IntegrityGood},
		{"long file", long, func(b, _ []byte) [16]byte { return aesmmo.Sum(b) }, IntegrityGood},
		{"long file, short padding", long, func(b, _ []byte) [16]byte { var d aesmmo.Digest; d.Write(b); return d.SumShort() }, IntegrityGoodShort},
		{"hash includes the tag", long, func(_, b []byte) [16]byte { return aesmmo.Sum(b) }, IntegrityGoodWithTag},
		{"wrong code", short, func(_, _ []byte) [16]byte { return [16]byte{1} }, IntegrityBad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := buildElements([]SubElement{
				{Tag: TagUpgradeImage, Data: tt.body},
				{Tag: TagIntegrityCode, Data: make([]byte, aesmmo.Size)},
			})
			codeAt := len(file) - aesmmo.Size
			code := tt.code(file[:codeAt-subElementHeader], file[:codeAt])
			copy(file[codeAt:], code[:])
			im, err := ParseImage(file)
			if err != nil || im.Integrity != tt.want {
				t.Fatalf("integrity %q, %v; want %q", im.Integrity, err, tt.want)
			}
			file[65] ^= 1 // in the firmware
			if im, err = ParseImage(file); err != nil || im.Integrity != IntegrityBad {
				t.Errorf("after a changed byte: integrity %q, %v; want %q", im.Integrity, err, IntegrityBad)
			}
		})
	}
	odd := buildElements([]SubElement{{Tag: TagIntegrityCode, Data: make([]byte, 15)}})
	if im, err := ParseImage(odd); err != nil || im.Integrity != IntegrityAbsent {
		t.Errorf("a code of 15 bytes: integrity %q, %v; want %q", im.Integrity, err, IntegrityAbsent)
	}
}

func TestParseImageWithEveryOptionalField(t *testing.T) {
	file, err := os.ReadFile(filepath.Join(codectest.Vectors(t), "hand.ota"))
	if err != nil {
		t.Fatal(err)
	}
	im, err := ParseImage(file)
	if err != nil {
		t.Fatal(err)
	}
	want := ImageHeader{
		ImageID: ImageID{0x109A, 1, 0x201}, StackVersion: StackVersionPRO, Text: "GAS METER FW", TotalSize: 209,
		HasSecurityCredential: true, SecurityCredentialVersion: 1,
		HasDestination: true, Destination: han.EUI64(0x70B3D5FFFE0A0B0C),
		HasHardware: true, HardwareMin: 0x0100, HardwareMax: 0x01FF,
	}
	if diff := cmp.Diff(want, im.Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	var tags []Tag
	for e := range im.Elements() {
		tags = append(tags, e.Tag)
	}
	if diff := cmp.Diff([]Tag{TagUpgradeImage, TagCertificateSuite1, TagSignatureSuite1}, tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(file[:HeaderSizeMax], im.Header.Append(nil)); diff != "" {
		t.Errorf("header appended again (-file +got):\n%s", diff)
	}
}

func TestVendorImages(t *testing.T) {
	tests := []struct {
		file      string
		wrapper   Wrapper
		header    ImageHeader
		integrity Integrity
	}{
		{"bosch_159k_hw_tag3.fw", Wrapper{Name: "none"}, ImageHeader{
			ImageID: ImageID{0x1209, 0x3007, 0x11191514}, Text: "RBSH-SWD-ZB", TotalSize: 158927,
			HasHardware: true, HardwareMin: 0x0000, HardwareMax: 0x0101}, IntegrityGood},
		{"hue_169k_switch.zigbee", Wrapper{Name: "none"}, ImageHeader{
			ImageID: ImageID{0x100B, 0x0119, 0x02002100}, TotalSize: 169450}, IntegrityAbsent},
		{"ikea_188k_wrapped.ota.signed", Wrapper{Name: "NGIS", Prefix: 424, Suffix: 512}, ImageHeader{
			ImageID: ImageID{0x117C, 0x11C8, 0x20022623}, Text: "EBL tradfri_motion_sensor_2", TotalSize: 186814}, IntegrityAbsent},
		{"nodon_27k.zigbee", Wrapper{Name: "none"}, ImageHeader{
			ImageID: ImageID{0x128B, 0x0102, 0x00010101}, Text: "nodon_sin_stm32_ota", TotalSize: 27162}, IntegrityAbsent},
		{"nodon_47k_tag3.zigbee", Wrapper{Name: "none"}, ImageHeader{
			ImageID: ImageID{0x128B, 0x0102, 0x00030103}, Text: "nodon_sin2_stm32_ota", TotalSize: 47452}, IntegrityGoodWithTag},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			published, err := os.ReadFile(filepath.Join(codectest.Vectors(t), "ota", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			file, wrapper, err := Unwrap(published)
			if err != nil {
				t.Fatal(err)
			}
			if wrapper != tt.wrapper {
				t.Errorf("wrapper %+v, want %+v", wrapper, tt.wrapper)
			}
			im, err := ParseImage(file)
			if err != nil {
				t.Fatal(err)
			}
			tt.header.StackVersion = StackVersionPRO
			if diff := cmp.Diff(tt.header, im.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if im.Layout != LayoutElements || im.Integrity != tt.integrity || slices.Collect(im.Elements())[0].Tag != TagUpgradeImage {
				t.Errorf("layout %v, integrity %q, first tag %v; want integrity %q", im.Layout, im.Integrity, slices.Collect(im.Elements())[0].Tag, tt.integrity)
			}
			checkReassembles(t, im)
		})
	}
}

// checkReassembles demands that the parts of an image make up its file again.
func checkReassembles(t *testing.T, im *Image) {
	t.Helper()
	b := im.Header.Append(nil)
	switch im.Layout {
	case LayoutElements:
		for e := range im.Elements() {
			if e.Offset != len(b) {
				t.Errorf("%v at offset %d, but the parts before it have %d bytes", e.Tag, e.Offset, len(b))
			}
			b = e.Append(b)
		}
		b = append(b, im.Trailing...)
	case LayoutGB:
		b = append(append(b, im.ManufacturerImage...), im.ForceReplace, byte(len(im.Signature)))
		b = append(b, im.Signature...)
	case LayoutOpaque:
		b = append(b, im.ManufacturerImage...)
	}
	if !bytes.Equal(b, im.File) {
		t.Errorf("the parts of a file of %d bytes (layout %v) do not make it up again", len(im.File), im.Layout)
	}
}

func FuzzParseImage(f *testing.F) {
	f.Add(buildElements([]SubElement{
		{Tag: TagUpgradeImage, Data: []byte("firmware")},
		{Tag: TagIntegrityCode, Data: make([]byte, aesmmo.Size)},
	}, 1, 2))
	f.Add(buildElements(nil, 1, 2, 3))
	f.Add(buildGB(f, manufacturerImage(), true))
	f.Fuzz(func(t *testing.T, data []byte) {
		im, err := ParseImage(data)
		if err != nil {
			return
		}
		checkReassembles(t, im)
		if err := im.VerifyAuthority(&testKey(t, 8).PublicKey); err == nil {
			t.Error("verified with a key that signed nothing")
		}
	})
}
