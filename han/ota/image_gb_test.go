package ota

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"strings"
	"testing"
)

// testKey returns a fixed P-256 key, so that goldens and failures repeat.
func testKey(t testing.TB, secret int64) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), big.NewInt(secret).FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func gbHeader() ImageHeader {
	return ImageHeader{
		ImageID:      ImageID{Manufacturer: 0x121D, ImageType: 1, FileVersion: 0x09030A07},
		StackVersion: StackVersionPRO,
		Text:         "Gas app",
		HasHardware:  true, HardwareMin: 0x1111, HardwareMax: 0x1211,
	}
}

// manufacturerImage is 48 bytes that are no sub-element.
func manufacturerImage() []byte { return bytes.Repeat([]byte{0xD2, 0x84, 0x43, 0xA1}, 12) }

func buildGB(t testing.TB, image []byte, forceReplace bool) []byte {
	t.Helper()
	file, err := BuildGB(gbHeader(), image, forceReplace, testKey(t, 7))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestBuildGBIsParsedBack(t *testing.T) {
	for _, forceReplace := range []bool{false, true} {
		image := manufacturerImage()
		file := buildGB(t, image, forceReplace)
		im, err := ParseImage(file)
		if err != nil {
			t.Fatal(err)
		}
		want := gbHeader()
		want.TotalSize = uint32(60 + len(image) + 66)
		if im.Header != want || im.Layout != LayoutGB || !bytes.Equal(im.ManufacturerImage, image) ||
			(im.ForceReplace == 1) != forceReplace || len(im.Signature) != 64 || !bytes.Equal(im.File, file) {
			t.Errorf("parsed %+v", im)
		}
		if got := im.Hash(); got != ImageHash(sha256.Sum256(image)) {
			t.Errorf("Hash() = %v, want the SHA-256 of the Manufacturer Image alone", got)
		}
		if got := im.FileHash(); got != sha256.Sum256(file) {
			t.Errorf("FileHash() = %x, want the SHA-256 of the file", got)
		}
		if err := im.VerifyAuthority(&testKey(t, 7).PublicKey); err != nil {
			t.Error(err)
		}
		if err := im.VerifyAuthority(&testKey(t, 8).PublicKey); err == nil {
			t.Error("verified with another party's key")
		}
	}
}

func TestBuildGBIsDeterministic(t *testing.T) {
	if !bytes.Equal(buildGB(t, manufacturerImage(), false), buildGB(t, manufacturerImage(), false)) {
		t.Error("two builds differ; signatures must be made as in RFC 6979")
	}
}

func TestEveryTamperedByteOfAGBImageIsNoticed(t *testing.T) {
	image := manufacturerImage()
	file := buildGB(t, image, false)
	key := &testKey(t, 7).PublicKey
	flagAt := 60 + len(image)
	original, err := ParseImage(file)
	if err != nil {
		t.Fatal(err)
	}
	for at := range file {
		for _, bit := range []byte{0x01, 0x02, 0x80} {
			tampered := bytes.Clone(file)
			tampered[at] ^= bit
			im, err := ParseImage(tampered)
			if err != nil {
				continue
			}
			verified := im.VerifyAuthority(key) == nil
			switch {
			case at < 60 && verified:
				// The signature covers the Manufacturer Image alone: a header that
				// is valid in itself shows the change, no more.
				if im.Header == original.Header {
					t.Errorf("byte %d of the header ^ %02X changed nothing", at, bit)
				}
			case at == flagAt && bit == 0x01:
				if !verified || im.ForceReplace != 1 {
					t.Errorf("flag byte 1: verified %v, ForceReplace %d", verified, im.ForceReplace)
				}
			case at >= 60 && verified:
				t.Errorf("byte %d ^ %02X is not noticed", at, bit)
			}
		}
	}
}

func TestTruncatedGBImagesAreRefused(t *testing.T) {
	file := buildGB(t, manufacturerImage(), false)
	for n := range file {
		if _, err := ParseImage(file[:n]); err == nil {
			t.Errorf("took the first %d of %d bytes", n, len(file))
		}
	}
	if _, err := ParseImage(append(bytes.Clone(file), 0)); err == nil || !strings.Contains(err.Error(), "total image size") {
		t.Errorf("one byte after the file: %v, want it refused", err)
	}
}

func TestBuildGBRefusesWhatCouldNotBeReadBack(t *testing.T) {
	// An image that reads as one sub-element reaching to the end of the file.
	element := manufacturerImage()
	binary.LittleEndian.PutUint32(element[2:], uint32(len(element)+66-6))

	tests := []struct {
		name   string
		change func(*ImageHeader)
		image  []byte
		want   string // in the error
	}{
		{"no hardware versions", func(h *ImageHeader) { h.HasHardware = false }, manufacturerImage(), "hardware versions missing"},
		{"hardware versions the wrong way round", func(h *ImageHeader) { h.HardwareMin = 0x1300 }, manufacturerImage(), "hardware versions"},
		{"long header string", func(h *ImageHeader) { h.Text = strings.Repeat("x", 33) }, manufacturerImage(), "header string"},
		{"no image", func(*ImageHeader) {}, nil, "is empty"},
		{"image that reads as a sub-element", func(*ImageHeader) {}, element, "sub-elements"},
		{"too large", func(*ImageHeader) {}, make([]byte, MaxFileSize), "want at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := gbHeader()
			tt.change(&h)
			_, err := BuildGB(h, tt.image, false, testKey(t, 7))
			if err == nil || !strings.HasPrefix(err.Error(), "build GB image: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestVerifyAuthorityRefusesOtherLayouts(t *testing.T) {
	im := &Image{Layout: LayoutElements}
	if err := im.VerifyAuthority(&testKey(t, 7).PublicKey); err == nil || !strings.Contains(err.Error(), "sub-elements") {
		t.Errorf("got %v, want the layout in the error", err)
	}
}
