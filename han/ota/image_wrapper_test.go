package ota

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// ngis returns an NGIS container of a 24-byte prefix with the given image offset.
func ngis(offset uint32, file []byte, suffix int) []byte {
	b := append([]byte("NGIS"), make([]byte, 20)...)
	binary.LittleEndian.PutUint32(b[16:], offset)
	binary.LittleEndian.PutUint32(b[20:], uint32(len(file)))
	return append(append(b, file...), make([]byte, suffix)...)
}

func TestUnwrap(t *testing.T) {
	file := buildElements([]SubElement{{Tag: TagUpgradeImage, Data: []byte("firmware")}})
	tests := []struct {
		name string
		give []byte
		want Wrapper
	}{
		{"bare", file, Wrapper{Name: "none"}},
		{"bare with bytes after it", slices.Concat(file, []byte{1, 2, 3}), Wrapper{Name: "none", Suffix: 3}},
		{"NGIS", ngis(24, file, 512), Wrapper{Name: "NGIS", Prefix: 24, Suffix: 512}},
		{"length prefix and suffix", slices.Concat(make([]byte, 4), file, make([]byte, 17)),
			Wrapper{Name: "prefix", Prefix: 4, Suffix: 17}},
		{"a chance identifier in front", slices.Concat([]byte("prefix"), magicBytes, make([]byte, 60), file, make([]byte, 2)),
			Wrapper{Name: "prefix", Prefix: 70, Suffix: 2}},
		{"an identifier half over another", slices.Concat(magicBytes[:3], magicBytes[:2], file), Wrapper{Name: "prefix", Prefix: 5}},
		{"NGIS with an offset beside the image", ngis(25, file, 0),
			Wrapper{Name: "NGIS", Prefix: 24, Fault: "the NGIS container says that the OTA file begins at byte 25; it begins at byte 24"}},
		{"NGIS with an offset behind the end", ngis(2000, file, 1),
			Wrapper{Name: "NGIS", Prefix: 24, Suffix: 1, Fault: "the NGIS container says that the OTA file begins at byte 2000; it begins at byte 24"}},
		{"NGIS with another length", func() []byte { b := ngis(24, file, 0); b[20]++; return b }(),
			Wrapper{Name: "NGIS", Prefix: 24, Fault: "the NGIS container says 71 bytes, the OTA file in it 70"}},
		{"a header in front whose image is not there", slices.Concat([]byte("copy"), totalSize(file, 1000)[:HeaderSizeMin], file),
			Wrapper{Name: "prefix", Prefix: 60, Fault: "a header, 109A/0001/00000201, at byte 4 says 1000 bytes, which is not so; the OTA file at byte 60 is the one taken"}},
		{"a header without an image in front", slices.Concat([]byte{9}, totalSize(file, HeaderSizeMin)[:HeaderSizeMin], file),
			Wrapper{Name: "prefix", Prefix: 57, Fault: "a header, 109A/0001/00000201, at byte 1 says 56 bytes, which is not so; the OTA file at byte 57 is the one taken"}},
		{"in a file of another kind", slices.Concat([]byte("\x7FELF"), make([]byte, 100), file),
			Wrapper{Name: "prefix", Prefix: 104, Fault: "the file begins as an ELF file; an OTA file begins at byte 104, and is the one taken"}},
		{"in a web page", slices.Concat([]byte("<html>"), file),
			Wrapper{Name: "prefix", Prefix: 6, Fault: "the file begins as a web page; an OTA file begins at byte 6, and is the one taken"}},
		{"behind text", slices.Concat([]byte("signed by me\n"), file), Wrapper{Name: "prefix", Prefix: 13}},
		{"behind erased flash", slices.Concat(bytes.Repeat([]byte{0xFF}, 99), file), Wrapper{Name: "prefix", Prefix: 99}},
		{"as far in as is searched", slices.Concat(make([]byte, wrapperSearch-4), file), Wrapper{Name: "prefix", Prefix: wrapperSearch - 4}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, w, err := Unwrap(tt.give)
			if err != nil {
				t.Fatal(err)
			}
			if w != tt.want || !bytes.Equal(got, file) {
				t.Errorf("wrapper %+v around %d bytes, want %+v around %d", w, len(got), tt.want, len(file))
			}
		})
	}
}

func TestUnwrapRefuses(t *testing.T) {
	file := buildElements([]SubElement{{Tag: TagUpgradeImage, Data: []byte("firmware")}})
	tests := []struct {
		name string
		give []byte
		want string // in the error
	}{
		{"no OTA file", bytes.Repeat([]byte{0xA5}, 10000), "upgrade file identifier 0BEEF11E (bytes 1E F1 EE 0B) is nowhere in 10000 bytes, which begin A5 A5"},
		{"too far in", slices.Concat(make([]byte, wrapperSearch-3), file), "one, 109A/0001/00000201, begins at byte 4093: cut it out (tail -c +4094)"},
		{"a chance identifier alone", slices.Concat([]byte{0xA5}, magicBytes, make([]byte, 60)), "an upgrade file identifier is at byte 1, but no header: parse OTA header: header version 0000"},
		{"an identifier alone, and an OTA file behind it", slices.Concat(magicBytes, make([]byte, 60), file), "header version 0000, want 0100 to 01FF; an OTA file, 109A/0001/00000201, begins at byte 64: if that is meant, cut it out (tail -c +65)"},
		{"truncated after a byte", file[:1], "the file ends after 1 byte, the header has at least 56"},
		{"truncated NGIS that looks like text", ngisBytes, "the NGIS container ends after 4 bytes"},
		{"truncated", file[:len(file)-1], "total image size 70, but only 69 bytes are there (truncated?)"},
		{"truncated header", file[:40], "the file ends after 40 bytes, the header has at least 56"},
		{"truncated identifier", file[:3], "the file ends after 3 bytes, the header has at least 56"},
		{"short NGIS", []byte("NGIS\x0C\x00\x00\x00"), "the NGIS container ends after 8 bytes"},
		{"NGIS without its image", ngis(2000, nil, 200), "the NGIS container says that one begins at byte 2000 of 224, and there is none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, _, err := Unwrap(tt.give); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func FuzzUnwrap(f *testing.F) {
	file := buildElements([]SubElement{{Tag: TagUpgradeImage, Data: []byte("firmware")}})
	f.Add(file)
	f.Add(ngis(24, file, 5))
	f.Add(slices.Concat([]byte{1, 2, 3}, file))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, w, err := Unwrap(data)
		if err != nil {
			return
		}
		if w.Prefix+len(file)+w.Suffix != len(data) || !bytes.Equal(data[w.Prefix:w.Prefix+len(file)], file) {
			t.Errorf("%+v around %d bytes does not make up %d bytes", w, len(file), len(data))
		}
		again, inner, err := Unwrap(file)
		if err != nil || inner != (Wrapper{Name: "none"}) || !bytes.Equal(again, file) {
			t.Errorf("unwrapped again: %+v, %v", inner, err)
		}
	})
}
