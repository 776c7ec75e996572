package ota

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/aesmmo"
	"github.com/commshub/commshub/internal/codectest"
)

// firmware returns bytes as those of a compiler: of all values.
func firmware(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return b
}

// coded returns a file of an upgrade image and an integrity code that fits.
func coded(image []byte) []byte {
	file := buildElements([]SubElement{
		{Tag: TagUpgradeImage, Data: image},
		{Tag: TagIntegrityCode, Data: make([]byte, aesmmo.Size)},
	})
	codeAt := len(file) - aesmmo.Size
	code := aesmmo.Sum(file[:codeAt-subElementHeader])
	copy(file[codeAt:], code[:])
	return file
}

// raw returns a file whose body has no sub-elements, or says so.
func raw(body ...byte) []byte { return buildElements(nil, body...) }

func totalSize(file []byte, size int) []byte {
	file = bytes.Clone(file)
	binary.LittleEndian.PutUint32(file[52:], uint32(size))
	return file
}

func elementLength(file []byte, at int, length uint32) []byte {
	file = bytes.Clone(file)
	binary.LittleEndian.PutUint32(file[at+2:], length)
	return file
}

// warned is a file with the warnings that it is to have.
type warned struct {
	name string
	give []byte
	want []Warning
}

func one(code WarningCode, text string) []Warning { return []Warning{{code, text}} }

func TestWarnings(t *testing.T) {
	good, two := coded(firmware(3000)), buildElements([]SubElement{{Tag: TagUpgradeImage, Data: firmware(3000)}, {Tag: TagPicture, Data: firmware(100)}})
	unknown := func(change func(h *ImageHeader)) []byte {
		h, body := ImageHeader{}, buildElements([]SubElement{{Tag: TagUpgradeImage, Data: firmware(3000)}})[HeaderSizeMin:]
		change(&h)
		h.TotalSize = uint32(h.Size() + len(body))
		return append(h.Append(nil), body...)
	}
	for _, tt := range []warned{
		{"good", good, nil},
		{"good, several elements", two, nil},
		{"good, opaque", raw(firmware(500)...), nil},
		{"opaque, as Hue's SBL files begin", raw(append([]byte{0x2A, 0x00, 0x01}, firmware(500)...)...), nil},
		{"opaque, three bytes", raw(1, 2, 3), nil},
		{"GB", buildGB(t, manufacturerImage(), true), nil},
		{"NGIS", ngis(24, good, 512), nil},
		{"minor version", unknown(func(h *ImageHeader) { h.MinorVersion = 2 }),
			one(WarningUnknownHeader, "the header has what is not known here, kept and not read: version 0102")},
		{"header of the future", unknown(func(h *ImageHeader) { h.MinorVersion, h.ReservedFields, h.Extra = 1, 0x8008, "\x01\x02\xFF" }),
			one(WarningUnknownHeader, "the header has what is not known here, kept and not read: version 0101, reserved bits 8008 in the field control, 3 bytes behind the known fields (0102ff)")},
		{"long header", unknown(func(h *ImageHeader) { h.Extra = strings.Repeat("\xAB", 1000) }),
			one(WarningUnknownHeader, "the header has what is not known here, kept and not read: 1000 bytes behind the known fields (abababababababababababababababab…)")},
		{"container with a broken offset", ngis(7, good, 512),
			one(WarningContainer, "the NGIS container says that the OTA file begins at byte 7; it begins at byte 24")},
		{"bytes behind", append(bytes.Clone(good), "signed"...),
			one(WarningBytesBehind, "6 bytes behind the OTA file, whose header says 3084 bytes, left out")},
		{"total size far too small", totalSize(good, 57),
			one(WarningTotalSize, "the header's total image size is 57, but the sub-elements end at 3084, where the file ends: a device gets the first 57 bytes alone")},
		{"total size one short", totalSize(good, len(good)-1),
			one(WarningTotalSize, "the header's total image size is 3083, but the sub-elements end at 3084, where the file ends: a device gets the first 3083 bytes alone")},
		{"total size without the second element", totalSize(two, len(two)-106),
			one(WarningTotalSize, "the header's total image size is 3062, but the sub-elements end at 3168, where the file ends: a device gets the first 3062 bytes alone")},
		{"two images", slices.Concat(good, two),
			one(WarningSecondImage, "another OTA file, 109A/0001/00000201, begins at byte 3084: the first, 109A/0001/00000201, is the one taken; cut the file to take the other (tail -c +3085)")},
		{"two images, padded and wrapped", slices.Concat([]byte("1234"), good, make([]byte, 12), two),
			one(WarningSecondImage, "another OTA file, 109A/0001/00000201, begins at byte 3100: the first, 109A/0001/00000201, is the one taken; cut the file to take the other (tail -c +3101)")},
		{"only element too long", elementLength(two, 56, 1<<20),
			one(WarningElementLength, "sub-element 0000 (upgrade image) at byte 56 says 1048576 bytes, but 3106 follow: its length, or one before it, is wrong")},
		{"second element too long", elementLength(two, 3062, 101),
			one(WarningElementLength, "sub-element 0004 (picture) at byte 3062 says 101 bytes, but 100 follow: its length, or one before it, is wrong")},
		{"second element overflows 32 bits", elementLength(two, 3062, 0xFFFFFFFF),
			one(WarningElementLength, "sub-element 0004 (picture) at byte 3062 says 4294967295 bytes, but 100 follow: its length, or one before it, is wrong")},
		{"last element too short", elementLength(two, 3062, 97), one(WarningTrailingBytes, "3 bytes at the end, from byte 3165 on: no sub-element")},
		{"a maker's element too long", raw(append([]byte{0x01, 0xF0, 0x00, 0x02, 0, 0}, firmware(500)...)...),
			one(WarningElementLength, "sub-element F001 (signature of the upgrade image) at byte 56 says 512 bytes, but 500 follow: its length, or one before it, is wrong")},
		{"empty upgrade image", buildElements([]SubElement{{Tag: TagUpgradeImage}, {Tag: TagPicture, Data: firmware(9)}}),
			one(WarningEmptyImage, "the upgrade image at byte 56 is empty")},
		{"integrity bad", func() []byte { b := bytes.Clone(good); b[100] ^= 4; return b }(),
			one(WarningIntegrityBad, "the image integrity code does not fit the bytes before it: the file is damaged")},
		{"integrity code of another length", buildElements([]SubElement{{Tag: TagUpgradeImage, Data: firmware(9)}, {Tag: TagIntegrityCode, Data: firmware(15)}}),
			one(WarningIntegrityUnread, "the image integrity code at byte 71 has 15 bytes, want 16: it is not checked")},
		{"line ends changed", bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), []Warning{
			{WarningBytesBehind, "10 bytes behind the OTA file, whose header says 3084 bytes, left out"},
			{WarningTrailingBytes, "22 bytes at the end, from byte 3062 on: no sub-element"},
			{WarningTextMode, textModeText},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Open(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(p.Warnings, tt.want) {
				t.Errorf("warnings %q\nwant     %q", p.Warnings, tt.want)
			}
		})
	}
}

// TestALengthThatIsTooShortIsSeen, whatever it makes of the bytes behind it.
func TestALengthThatIsTooShortIsSeen(t *testing.T) {
	good := buildElements([]SubElement{{Tag: TagUpgradeImage, Data: firmware(5000)}})
	for length := range 5000 {
		p, err := Open(elementLength(good, HeaderSizeMin, uint32(length)))
		if err != nil || len(p.Warnings) == 0 {
			t.Errorf("%d bytes of 5000: warnings %q, %v", length, p.Warnings, err)
		}
	}
}

// TestEveryCutAndEveryTotalSizeIsSeen: an image that is cut, or of which the header says
// another size, is refused or comes with a warning.
func TestEveryCutAndEveryTotalSizeIsSeen(t *testing.T) {
	good := coded(firmware(300))
	for n := range good {
		if _, err := Open(good[:n]); err == nil {
			t.Errorf("took the first %d of %d bytes", n, len(good))
		}
		if p, err := Open(totalSize(good, n)); err == nil && len(p.Warnings) == 0 {
			t.Errorf("total image size %d of %d: no warning", n, len(good))
		}
	}
}

func TestAChangedLineEndIsSaidWithWhatItBroke(t *testing.T) {
	h := ImageHeader{ImageID: ImageID{FileVersion: 0x0A}, TotalSize: 4000}
	file := bytes.ReplaceAll(append(h.Append(nil), firmware(4000-HeaderSizeMin)...), []byte("\n"), []byte("\r\n"))
	if _, err := Open(file); err == nil || !strings.HasSuffix(err.Error(), textModeText) {
		t.Errorf("got %v, want it to end with %q", err, textModeText)
	}
}

func TestLineEndsThatWereTakenAreSaid(t *testing.T) {
	file := coded(firmware(20_000))
	const want = "a transfer in text mode took them; fetch it again in binary mode"
	if _, err := Open(bytes.ReplaceAll(file, []byte("\r"), nil)); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want it to end with %q", err, want)
	}
	if _, err := Open(file[:19_000]); err == nil || strings.HasSuffix(err.Error(), want) {
		t.Errorf("a file that is cut: %v", err)
	}
}

// TestManyHeadersCostNoTime: a file of nothing but headers that say long ones of
// themselves is answered by looking at a few of them.
func TestManyHeadersCostNoTime(t *testing.T) {
	h := ImageHeader{TotalSize: 1 << 31}.Append(nil)
	binary.LittleEndian.PutUint16(h[6:], 0xFFFF)
	file := bytes.Repeat(h, 50_000)
	if n := testing.AllocsPerRun(1, func() { _, _ = Open(append([]byte("x"), file...)) }); n > 200 {
		t.Errorf("%.0f allocations", n)
	}
}

func TestVendorImagesHaveNoWarnings(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "ota", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no images: %v", err)
	}
	for _, file := range files {
		published, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := Open(published); err != nil || len(p.Warnings) > 0 {
			t.Errorf("%s: %q, %v", filepath.Base(file), p.Warnings, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	good := coded(firmware(100))
	for _, b := range [][]byte{good, ngis(24, good, 5), ngis(7, good, 0), totalSize(good, 57), slices.Concat(good, good)} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Open(data)
		if err != nil {
			oneLine(t, err.Error())
			return
		}
		seen := map[WarningCode]bool{}
		for _, w := range p.Warnings {
			oneLine(t, w.Text)
			if seen[w.Code] {
				t.Errorf("%s twice in %q", w.Code, p.Warnings)
			}
			seen[w.Code] = true
		}
	})
}

func oneLine(t *testing.T, text string) {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\uFFFD' }) {
		t.Errorf("%q is not one line of text", text)
	}
}
