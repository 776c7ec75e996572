package bootloader

import (
	"fmt"

	"github.com/commshub/commshub/han/manifest"
	"github.com/commshub/commshub/han/ota"
)

// Info is what a verification learned about an image.
type Info struct {
	ID       ota.ImageID
	Hash     ota.ImageHash // of the Manufacturer Image
	FileHash [32]byte
	Sequence uint32 // rollback counter, 0 without a manifest
	Program  Program
	Work     Work
}

// Work counts the costly steps of a verification, for the battery's ledger.
type Work struct {
	HashedBytes int
	Signatures  int
}

// Add returns the sum of two.
func (w Work) Add(v Work) Work {
	return Work{w.HashedBytes + v.HashedBytes, w.Signatures + v.Signatures}
}

// Verify checks that file is an OTA file for this meter and, with TrustSigned,
// genuine and not older than the rollback counter allows. The error says what is
// wrong in words for a person. Info.Work counts what was spent either way.
func Verify(policy Policy, file []byte, minSequence uint32) (Info, error) {
	image, err := ota.ParseImage(file)
	if err != nil {
		return Info{}, err
	}
	info := Info{ID: image.Header.ImageID, Hash: image.Hash(), FileHash: image.FileHash()}
	info.Work.HashedBytes = len(file)
	h := image.Header
	switch {
	case h.Manufacturer != policy.Vendor:
		return info, fmt.Errorf("manufacturer code %04X, want %04X", h.Manufacturer, policy.Vendor)
	case h.ImageType != policy.Class:
		return info, fmt.Errorf("image type %04X, want %04X", h.ImageType, policy.Class)
	case !h.FitsHardware(policy.Hardware):
		return info, fmt.Errorf("hardware versions %04X to %04X, this is %04X", h.HardwareMin, h.HardwareMax, policy.Hardware)
	}
	if policy.Trust == TrustAny {
		if _, payload, err := manifest.Split(image.ManufacturerImage); err == nil {
			info.Program = ParseProgram(payload)
		}
		return info, nil
	}
	return info, verifyManifest(policy, image, minSequence, &info)
}

func verifyManifest(policy Policy, image *ota.Image, minSequence uint32, info *Info) error {
	info.Work.Signatures++
	m, err := manifest.Verify(image.ManufacturerImage, policy.Manufacturer)
	if err != nil {
		return err
	}
	switch {
	case m.Vendor != policy.Vendor:
		return fmt.Errorf("manifest for vendor %04X, want %04X", m.Vendor, policy.Vendor)
	case m.Class != policy.Class:
		return fmt.Errorf("manifest for class %04X, want %04X", m.Class, policy.Class)
	case policy.Hardware < m.HardwareMin || policy.Hardware > m.HardwareMax:
		return fmt.Errorf("manifest for hardware %04X to %04X, this is %04X", m.HardwareMin, m.HardwareMax, policy.Hardware)
	case m.Version != image.Header.FileVersion:
		return fmt.Errorf("manifest for version %08X, the header says %08X", m.Version, image.Header.FileVersion)
	case m.Sequence < minSequence:
		return fmt.Errorf("sequence number %d is below the rollback counter %d", m.Sequence, minSequence)
	}
	_, payload, err := manifest.Split(image.ManufacturerImage)
	if err != nil {
		return err
	}
	info.Sequence, info.Program = m.Sequence, ParseProgram(payload)
	return nil
}
