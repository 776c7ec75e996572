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
		{"nothing", nil, "not found"},
		{"no OTA file", make([]byte, 10000), "not found in the first 4096 of 10000 bytes"},
		{"too far in", slices.Concat(make([]byte, wrapperSearch-3), file), "not found"},
		{"truncated", file[:len(file)-1], "truncated"},
		{"truncated header", file[:40], "too short"},
		{"short NGIS", []byte("NGIS0123456789ABCDE"), "parse NGIS container"},
		{"NGIS offset behind the end", ngis(2000, file, 0), "image offset 2000"},
		{"NGIS offset beside the image", ngis(25, file, 0), "upgrade file identifier"},
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
