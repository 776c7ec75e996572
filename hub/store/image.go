package store

import (
	"crypto/sha256"
	"slices"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
)

// Image is one firmware image that the hub knows. Its bytes are in the image
// cache under FileHash.
type Image struct {
	FileHash         [sha256.Size]byte `cbor:"1,keyasint"` // of the OTA file
	ImageHash        ota.ImageHash     `cbor:"2,keyasint"` // of the Manufacturer Image
	Manufacturer     uint16            `cbor:"3,keyasint,omitempty"`
	ImageType        uint16            `cbor:"4,keyasint,omitempty"`
	FileVersion      uint32            `cbor:"5,keyasint,omitempty"`
	Size             uint32            `cbor:"6,keyasint,omitempty"` // of the OTA file, in bytes
	HasHardware      bool              `cbor:"7,keyasint,omitempty"`
	HardwareMin      uint16            `cbor:"8,keyasint,omitempty"` // only with HasHardware
	HardwareMax      uint16            `cbor:"9,keyasint,omitempty"` // only with HasHardware
	Text             string            `cbor:"10,keyasint,omitempty"`
	Layout           ota.Layout        `cbor:"11,keyasint,omitempty"`
	SupplierVerified bool              `cbor:"12,keyasint,omitempty"` // the authorising signature was checked
	AddedAt          int64             `cbor:"13,keyasint,omitempty"`
	HasDestination   bool              `cbor:"14,keyasint,omitempty"` // the image is for one device alone
	Destination      han.EUI64         `cbor:"15,keyasint,omitempty"` // only with HasDestination
	Damaged          bool              `cbor:"16,keyasint,omitempty"` // its bytes were lost; it can be put in again
	Removed          bool              `cbor:"17,keyasint,omitempty"` // its bytes are gone, or about to go; it can be put in again
	ForceReplace     bool              `cbor:"18,keyasint,omitempty"` // LayoutGB: it takes the place of one that an order to activate is out for
}

func (Image) table() Table                 { return TableImages }
func (im Image) appendKey(b []byte) []byte { return append(b, im.FileHash[:]...) }
func (im Image) check() error              { return checkLength("image", "text", len(im.Text), MaxText) }
func (im Image) detached() Record          { return im }

// ID returns the triple that the OTA cluster names the image by.
func (im Image) ID() ota.ImageID {
	return ota.ImageID{Manufacturer: im.Manufacturer, ImageType: im.ImageType, FileVersion: im.FileVersion}
}

// Images returns the images that the hub has, sorted by file hash.
func (s *Store) Images() []Image {
	return slices.DeleteFunc(whole[Image](s, TableImages), func(im Image) bool { return im.Removed })
}

// RemovedImages returns those that it has not any more, and that updates still speak of or
// that a removal left half done, sorted by file hash.
func (s *Store) RemovedImages() []Image {
	return slices.DeleteFunc(whole[Image](s, TableImages), func(im Image) bool { return !im.Removed })
}

// ImageByFileHash returns the image whose OTA file has the given SHA-256, also a removed one.
func (s *Store) ImageByFileHash(hash [sha256.Size]byte) (Image, bool) {
	return first[Image](s, TableImages, hash[:])
}
