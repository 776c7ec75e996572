package imageview

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/codectest"
	"github.com/commshub/commshub/internal/foreign"
)

// image returns a file with a header of one's own.
func image(change func(h *ota.ImageHeader), body ...byte) []byte {
	h := ota.ImageHeader{ImageID: ota.ImageID{Manufacturer: 1, ImageType: 2, FileVersion: 3}}
	change(&h)
	h.TotalSize = uint32(h.Size() + len(body))
	return append(h.Append(nil), body...)
}

// seen returns what a person and a program are shown of a file. Both demand that
// nothing in it can do harm.
func seen(t *testing.T, file []byte) (lines []string, v View) {
	t.Helper()
	p, err := ota.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	var text, encoded bytes.Buffer
	Of(p).Print(&text)
	if err := json.NewEncoder(foreign.Writer(&encoded)).Encode(Of(p)); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded.Bytes(), &v); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{text.String(), encoded.String()} {
		for _, r := range out {
			if r != '\n' && !strconv.IsPrint(r) {
				t.Errorf("%U in %q", r, out)
			}
		}
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n"), v
}

// TestNothingOfAHeaderIsLost: it can be made again from the JSON.
func TestNothingOfAHeaderIsLost(t *testing.T) {
	element := ota.SubElement{Tag: ota.TagUpgradeImage, Data: []byte("firmware")}.Append(nil)
	credential := uint8(3)
	for name, file := range map[string][]byte{
		"plain":      image(func(*ota.ImageHeader) {}, element...),
		"every byte": image(func(h *ota.ImageHeader) { h.Text = "\x1b[2J\xff\xfe\u009b\u202e\n\t\x00x\x7f" }, element...),
		"all known": image(func(h *ota.ImageHeader) {
			h.HasHardware, h.HardwareMax, h.HasDestination, h.Destination = true, 9, true, 0xA1
		}, element...),
		"credential":      image(func(h *ota.ImageHeader) { h.HasSecurityCredential, h.SecurityCredentialVersion = true, credential }, element...),
		"from the future": image(func(h *ota.ImageHeader) { h.MinorVersion, h.ReservedFields, h.Extra = 7, 0x8000, "\x00\xff" }, element...),
	} {
		t.Run(name, func(t *testing.T) {
			_, v := seen(t, file)
			if got := headerOf(t, v).Append(nil); !bytes.HasPrefix(file, got) || len(got)+len(element) != len(file) {
				t.Errorf("header  % x\nin JSON % x", file[:len(file)-len(element)], got)
			}
		})
	}
}

// headerOf makes a header from what a program is shown.
func headerOf(t *testing.T, v View) ota.ImageHeader {
	t.Helper()
	number := func(text string, base, bits int) uint64 {
		n, err := strconv.ParseUint(text, base, bits)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	raw := func(text string) string {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	h := ota.ImageHeader{
		ImageID: ota.ImageID{
			Manufacturer: uint16(number(v.Manufacturer, 16, 16)), ImageType: uint16(number(v.ImageType, 16, 16)), FileVersion: uint32(number(v.Version, 16, 32)),
		},
		StackVersion: v.StackVersion, Text: raw(v.TextHex), TotalSize: v.Size,
	}
	if v.HardwareMin != "" {
		h.HasHardware, h.HardwareMin, h.HardwareMax = true, uint16(number(v.HardwareMin, 16, 16)), uint16(number(v.HardwareMax, 16, 16))
	}
	if v.Destination != "" {
		h.HasDestination = true
		if err := h.Destination.UnmarshalText([]byte(v.Destination)); err != nil {
			t.Fatal(err)
		}
	}
	if v.Credential != nil {
		h.HasSecurityCredential, h.SecurityCredentialVersion = true, *v.Credential
	}
	if u := v.Header; u != nil {
		h.MinorVersion, h.Extra = u.MinorVersion, raw(u.Extra)
		if u.FieldControl != "" {
			h.ReservedFields = uint16(number(u.FieldControl, 16, 16))
		}
	}
	return h
}

// TestEachWarningIsALine and no vendor's image has one.
func TestEachWarningIsALine(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "ota", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no images: %v", err)
	}
	for _, file := range files {
		published, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for behind, want := range map[string]int{"": 0, "\x1b[2Jbehind": 1, string(published): 1} {
			lines, v := seen(t, append(bytes.Clone(published), behind...))
			if strings.HasPrefix(behind, "\x1b") && v.Wrapper != nil && v.Wrapper.Name == "NGIS" {
				want = 0 // a container has something behind the OTA file
			}
			told := 0
			for _, l := range lines {
				if strings.HasPrefix(l, "warning") {
					told++
				}
			}
			if told != want || len(v.Warnings) != want {
				t.Errorf("%s and %d bytes: %d lines, %v; want %d", filepath.Base(file), len(behind), told, v.Warnings, want)
			}
		}
	}
}

func TestWhatIsAroundIsSaidInWords(t *testing.T) {
	for want, w := range map[string]Wrapper{
		"4 bytes after the OTA file":                                  {Name: "none", Suffix: 4},
		"1 byte after the OTA file":                                   {Name: "none", Suffix: 1},
		"4 bytes before the OTA file":                                 {Name: "prefix", Prefix: 4},
		"4 bytes before the OTA file, 17 after it":                    {Name: "prefix", Prefix: 4, Suffix: 17},
		"NGIS container: 424 bytes before the OTA file, 512 after it": {Name: "NGIS", Prefix: 424, Suffix: 512},
	} {
		if got := w.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestManyElementsAreCounted(t *testing.T) {
	element := ota.SubElement{Tag: ota.TagUpgradeImage, Data: []byte("firmware")}.Append(nil)
	lines, v := seen(t, image(func(*ota.ImageHeader) {}, bytes.Repeat(element, 175)...))
	if len(v.Elements) != 175 || !strings.Contains(strings.Join(lines, "\n"), "\n               and 143 more, see --json\n") {
		t.Errorf("%d elements, %d lines: %q", len(v.Elements), len(lines), lines)
	}
}
