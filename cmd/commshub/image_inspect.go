package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han/manifest"
	"github.com/commshub/commshub/han/ota"
)

// imageView is what inspect shows of an OTA file.
type imageView struct {
	Manufacturer string        `json:"manufacturer"`
	ImageType    string        `json:"image_type"`
	Version      string        `json:"version"`
	StackVersion uint16        `json:"stack_version"`
	Text         string        `json:"text"`
	Size         uint32        `json:"size"`
	HardwareMin  string        `json:"hardware_min,omitempty"`
	HardwareMax  string        `json:"hardware_max,omitempty"`
	Destination  string        `json:"destination,omitempty"`
	Credential   *uint8        `json:"security_credential_version,omitempty"`
	Layout       string        `json:"layout"`
	Wrapper      *wrapperView  `json:"wrapper,omitempty"`
	Elements     []elementView `json:"elements,omitempty"`
	Trailing     int           `json:"trailing_bytes,omitempty"`
	Integrity    string        `json:"integrity_code,omitempty"`
	ForceReplace *bool         `json:"force_replace,omitempty"`
	FileSHA256   string        `json:"file_sha256"`
	ImageHash    string        `json:"image_hash"`
	Manifest     *manifestView `json:"manifest,omitempty"`
}

type wrapperView struct {
	Name   string `json:"name"`
	Prefix int    `json:"prefix_bytes"`
	Suffix int    `json:"suffix_bytes"`
}

type elementView struct {
	Tag    string `json:"tag"`
	Name   string `json:"name"`
	Offset int    `json:"offset"`
	Size   int    `json:"size"`
}

type manifestView struct {
	Vendor      string `json:"vendor"`
	Class       string `json:"class"`
	Model       string `json:"model"`
	Version     string `json:"version"`
	Sequence    uint32 `json:"sequence"`
	HardwareMin string `json:"hardware_min"`
	HardwareMax string `json:"hardware_max"`
	PayloadSize uint32 `json:"payload_size"`
}

func newImageInspect() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "inspect FILE",
		Short:   "Show what is in an OTA file, bare or wrapped",
		Example: "  commshub image inspect meter.ota",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			im, wrapper, err := readImageFile(args[0])
			if err != nil {
				return err
			}
			v := viewImage(im, wrapper)
			if asJSON {
				return printJSON(cmd.OutOrStdout(), v)
			}
			v.print(cmd.OutOrStdout())
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func hex4(v uint16) string { return fmt.Sprintf("%04X", v) }

func viewImage(im *ota.Image, wrapper ota.Wrapper) imageView {
	h := im.Header
	v := imageView{
		Manufacturer: hex4(h.Manufacturer), ImageType: hex4(h.ImageType), Version: fmt.Sprintf("%08X", h.FileVersion),
		StackVersion: h.StackVersion, Text: h.Text, Size: h.TotalSize, Layout: im.Layout.String(),
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
		v.Wrapper = &wrapperView{wrapper.Name, wrapper.Prefix, wrapper.Suffix}
	}
	for _, e := range im.Elements {
		v.Elements = append(v.Elements, elementView{hex4(uint16(e.Tag)), e.Tag.String(), e.Offset, len(e.Data)})
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
		v.Manifest = &manifestView{
			Vendor: hex4(m.Vendor), Class: hex4(m.Class), Model: m.Model, Version: fmt.Sprintf("%08X", m.Version),
			Sequence: m.Sequence, HardwareMin: hex4(m.HardwareMin), HardwareMax: hex4(m.HardwareMax), PayloadSize: m.PayloadSize,
		}
	}
	return v
}

func (v imageView) print(w io.Writer) {
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
		line("wrapper", "%s, %d bytes before and %d after the OTA file", v.Wrapper.Name, v.Wrapper.Prefix, v.Wrapper.Suffix)
	}
	line("layout", "%s", v.Layout)
	for _, e := range v.Elements {
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
			m.Model, m.Vendor, m.Class, m.Version, m.Sequence, m.HardwareMin, m.HardwareMax, m.PayloadSize)
	}
	line("file SHA-256", "%s", v.FileSHA256)
	line("image hash", "%s", v.ImageHash)
}
