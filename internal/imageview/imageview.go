// Package imageview shows what is in an OTA file, to people and to programs.
package imageview

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/commshub/commshub/han/manifest"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/foreign"
)

// View is what is in an OTA file.
type View struct {
	Manufacturer string    `json:"manufacturer"`
	ImageType    string    `json:"image_type"`
	Version      string    `json:"version"`
	StackVersion uint16    `json:"stack_version"`
	Text         string    `json:"text,omitempty"`     // bytes that are not UTF-8 are replaced
	TextHex      string    `json:"text_hex,omitempty"` // its bytes
	Size         uint32    `json:"size"`
	HardwareMin  string    `json:"hardware_min,omitempty"`
	HardwareMax  string    `json:"hardware_max,omitempty"`
	Destination  string    `json:"destination,omitempty"`
	Credential   *uint8    `json:"security_credential_version,omitempty"`
	Layout       string    `json:"layout"`
	Wrapper      *Wrapper  `json:"wrapper,omitempty"`
	Elements     []Element `json:"elements,omitempty"`
	Trailing     int       `json:"trailing_bytes,omitempty"`
	Integrity    string    `json:"integrity_code,omitempty"`
	ForceReplace *bool     `json:"force_replace,omitempty"`
	FileSHA256   string    `json:"sha256"`
	ImageHash    string    `json:"image_hash"`
	Manifest     *Manifest `json:"manifest,omitempty"`
	Header       *Header   `json:"unknown_header,omitempty"`
	Warnings     []Warning `json:"warnings,omitempty"`
}

// Header is what the OTA header has and commshub does not know.
type Header struct {
	MinorVersion uint8  `json:"minor_version,omitempty"`
	FieldControl string `json:"field_control,omitempty"` // the reserved bits
	Extra        string `json:"extra_hex,omitempty"`     // bytes behind the known fields
}

// Warning is something wrong with the file.
type Warning struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Wrapper is what a vendor put around the OTA file.
type Wrapper struct {
	Name   string `json:"name"`
	Prefix int    `json:"prefix_bytes"`
	Suffix int    `json:"suffix_bytes"`
}

// String says what is around the OTA file.
func (w *Wrapper) String() string {
	name := ""
	switch w.Name {
	case "none", "prefix":
	default:
		name = w.Name + " container: "
	}
	switch {
	case w.Prefix == 0:
		return fmt.Sprintf("%s%s after the OTA file", name, byteCount(w.Suffix))
	case w.Suffix == 0:
		return fmt.Sprintf("%s%s before the OTA file", name, byteCount(w.Prefix))
	default:
		return fmt.Sprintf("%s%s before the OTA file, %d after it", name, byteCount(w.Prefix), w.Suffix)
	}
}

func byteCount(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// Element is a sub-element of the file.
type Element struct {
	Tag    string `json:"tag"`
	Name   string `json:"name"`
	Offset int    `json:"offset"`
	Size   int    `json:"size"`
}

// Manifest is what the manufacturer signed of the image.
type Manifest struct {
	Vendor      string `json:"vendor"`
	Class       string `json:"class"`
	Model       string `json:"model"`
	Version     string `json:"version"`
	Sequence    uint32 `json:"sequence"`
	HardwareMin string `json:"hardware_min"`
	HardwareMax string `json:"hardware_max"`
	PayloadSize uint32 `json:"payload_size"`
}

func hex4(v uint16) string { return fmt.Sprintf("%04X", v) }

// Of returns what is in a file.
func Of(im *ota.Published) View {
	h, wrapper := im.Header, im.Wrapper
	v := View{
		Manufacturer: hex4(h.Manufacturer), ImageType: hex4(h.ImageType), Version: fmt.Sprintf("%08X", h.FileVersion),
		StackVersion: h.StackVersion, Text: h.Text, TextHex: hex.EncodeToString([]byte(h.Text)), Size: h.TotalSize, Layout: im.Layout.String(),
		FileSHA256: fmt.Sprintf("%x", im.FileHash()), ImageHash: im.Hash().String(),
	}
	if h.HasHardware {
		v.HardwareMin, v.HardwareMax = hex4(h.HardwareMin), hex4(h.HardwareMax)
	}
	if h.HasDestination {
		v.Destination = h.Destination.String()
	}
	if h.HasSecurityCredential {
		v.Credential = &h.SecurityCredentialVersion
	}
	if wrapper.Prefix > 0 || wrapper.Suffix > 0 {
		v.Wrapper = &Wrapper{wrapper.Name, wrapper.Prefix, wrapper.Suffix}
	}
	for e := range im.Elements() {
		v.Elements = append(v.Elements, Element{hex4(uint16(e.Tag)), e.Tag.String(), e.Offset, len(e.Data)})
	}
	v.Trailing = len(im.Trailing)
	if im.Layout == ota.LayoutElements {
		v.Integrity = string(im.Integrity)
	}
	if im.Layout == ota.LayoutGB {
		force := im.ForceReplace != 0
		v.ForceReplace = &force
	}
	if m, _, err := manifest.Split(im.ManufacturerImage); err == nil {
		v.Manifest = &Manifest{
			Vendor: hex4(m.Vendor), Class: hex4(m.Class), Model: m.Model, Version: fmt.Sprintf("%08X", m.Version),
			Sequence: m.Sequence, HardwareMin: hex4(m.HardwareMin), HardwareMax: hex4(m.HardwareMax), PayloadSize: m.PayloadSize,
		}
	}
	if h.MinorVersion != 0 || h.ReservedFields != 0 || h.Extra != "" {
		v.Header = &Header{MinorVersion: h.MinorVersion, Extra: hex.EncodeToString([]byte(h.Extra))}
		if h.ReservedFields != 0 {
			v.Header.FieldControl = hex4(h.ReservedFields)
		}
	}
	for _, w := range im.Warnings {
		v.Warnings = append(v.Warnings, Warning{string(w.Code), w.Text})
	}
	return v
}

// shownElements is how many sub-elements a person is shown; a program gets all.
const shownElements = 32

// Print writes it for a person.
func (v View) Print(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-14s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("image", "manufacturer %s, type %s, version %s", v.Manufacturer, v.ImageType, v.Version)
	if v.Text != "" {
		line("text", "%q", v.Text)
	}
	line("size", "%d bytes", v.Size)
	if v.HardwareMin != "" {
		line("hardware", "%s to %s", v.HardwareMin, v.HardwareMax)
	}
	if v.Destination != "" {
		line("destination", "%s", v.Destination)
	}
	if v.Credential != nil {
		line("credential", "version %d", *v.Credential)
	}
	if v.Wrapper != nil {
		line("wrapper", "%s", v.Wrapper)
	}
	line("layout", "%s", v.Layout)
	for i, e := range v.Elements {
		if i == shownElements {
			line("", "and %d more, see --json", len(v.Elements)-i)
			break
		}
		line("", "tag %s (%s), %d bytes at %d", e.Tag, e.Name, e.Size, e.Offset)
	}
	if v.Trailing > 0 {
		line("trailing", "%d bytes behind the last element", v.Trailing)
	}
	if v.Integrity != "" {
		line("integrity", "%s", v.Integrity)
	}
	if m := v.Manifest; m != nil {
		line("manifest", "%s, vendor %s, class %s, version %s, sequence %d, hardware %s to %s, payload %d bytes",
			foreign.Line(m.Model), m.Vendor, m.Class, m.Version, m.Sequence, m.HardwareMin, m.HardwareMax, m.PayloadSize)
	}
	line("file SHA-256", "%s", v.FileSHA256)
	line("image hash", "%s", v.ImageHash)
	for _, w := range v.Warnings {
		line("warning", "%s", w.Text)
	}
}
