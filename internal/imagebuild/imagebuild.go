// Package imagebuild makes firmware images: a payload with the manufacturer's
// manifest in front, in a GB OTA file authorised by the supplier. The command
// line, the demo and the tests build theirs here.
package imagebuild

import (
	"crypto"
	"fmt"
	"math/rand/v2"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/manifest"
	"github.com/commshub/commshub/han/ota"
)

// Identity of images and meters where nobody says otherwise. The codes are not
// assigned to anybody.
const (
	DefaultVendor   uint16 = 0xFFF1
	DefaultClass    uint16 = 0x0000
	DefaultHardware uint16 = 0x0100
)

// Spec describes an image.
type Spec struct {
	ID          ota.ImageID
	HardwareMin uint16
	HardwareMax uint16
	// Sequence is the rollback counter.
	Sequence     uint32
	Model        string
	Text         string // header string of the OTA file
	Payload      []byte
	ForceReplace bool
}

// DefaultSpec returns the description of an image for meters with the default
// identity.
func DefaultSpec(version uint32) Spec {
	return Spec{
		ID:          ota.ImageID{Manufacturer: DefaultVendor, ImageType: DefaultClass, FileVersion: version},
		HardwareMin: DefaultHardware, HardwareMax: DefaultHardware,
		Model: "commshub sample meter", Text: "commshub sample image",
	}
}

// Build returns the OTA file.
func Build(s Spec, manufacturer, supplier crypto.Signer) ([]byte, error) {
	image, err := manifest.Build(manifest.Manifest{
		Sequence: s.Sequence, Vendor: s.ID.Manufacturer, Class: s.ID.ImageType, Model: s.Model,
		HardwareMin: s.HardwareMin, HardwareMax: s.HardwareMax, Version: s.ID.FileVersion,
	}, s.Payload, manufacturer)
	if err != nil {
		return nil, err
	}
	return ota.BuildGB(s.header(), image, s.ForceReplace, supplier)
}

func (s Spec) header() ota.ImageHeader {
	return ota.ImageHeader{
		ImageID: s.ID, StackVersion: ota.StackVersionPRO, Text: s.Text,
		HasHardware: true, HardwareMin: s.HardwareMin, HardwareMax: s.HardwareMax,
	}
}

// SamplePayload returns a payload that makes the emulated meter behave as program
// says, filled up with bytes that depend on version and seed alone.
func SamplePayload(program bootloader.Program, version uint32, seed uint64, size int) []byte {
	b := program.Append(make([]byte, 0, size))
	dice := rand.New(rand.NewPCG(seed, uint64(version)))
	for len(b) < size {
		b = append(b, byte(dice.Uint32()))
	}
	return b
}

// Factory returns the small image that a meter is made with.
func Factory(m Make, manufacturer, supplier crypto.Signer) ([]byte, error) {
	s := DefaultSpec(m.Version)
	s.ID.Manufacturer, s.ID.ImageType = m.Vendor, m.Class
	s.HardwareMin, s.HardwareMax = m.Hardware, m.Hardware
	s.Text = "commshub factory image"
	s.Payload = SamplePayload(bootloader.ProgramWorks, m.Version, 0, 2048)
	return Build(s, manufacturer, supplier)
}

// overhead is more than what surrounds a payload: OTA header, manifest, trailer.
const overhead = 1024

// SampleFile returns the default image of a version, signed, whose file has
// exactly size bytes.
func SampleFile(version uint32, seed uint64, size int, manufacturer, supplier crypto.Signer) ([]byte, error) {
	s := DefaultSpec(version)
	s.Sequence = version >> 24
	return ExactFile(s, bootloader.ProgramWorks, seed, size, manufacturer, supplier)
}

// ExactFile builds s with a sample payload of the size that makes the whole file
// exactly size bytes.
func ExactFile(s Spec, program bootloader.Program, seed uint64, size int, manufacturer, supplier crypto.Signer) ([]byte, error) {
	if size < 2*overhead || size > ota.MaxFileSize {
		return nil, fmt.Errorf("build image: size %d, want %d to %d bytes", size, 2*overhead, ota.MaxFileSize)
	}
	// The manifest's length depends on the payload's only through the length of a
	// number, so that one correction is enough.
	payload := size - overhead
	for range 2 {
		s.Payload = SamplePayload(program, s.ID.FileVersion, seed, payload)
		file, err := Build(s, manufacturer, supplier)
		if err != nil || len(file) == size {
			return file, err
		}
		payload += size - len(file)
	}
	s.Payload = SamplePayload(program, s.ID.FileVersion, seed, payload)
	return Build(s, manufacturer, supplier)
}
