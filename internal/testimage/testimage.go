// Package testimage makes keys and signed firmware images for tests. The keys
// are fixed, so that images are the same in every run. Only tests import it.
package testimage

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/aesmmo"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/imagebuild"
)

// What images made here are for, unless an Option says otherwise.
const (
	Vendor   uint16 = 0x109A
	Class    uint16 = 0x0001
	Hardware uint16 = 0x0100
)

var (
	manufacturer = key("manufacturer")
	supplier     = key("supplier")
)

// Manufacturer returns the key that signs manifests.
func Manufacturer() *ecdsa.PrivateKey { return manufacturer }

// Supplier returns the key that authorises images.
func Supplier() *ecdsa.PrivateKey { return supplier }

// Key returns the P-256 key that belongs to a name.
func Key(name string) *ecdsa.PrivateKey { return key(name) }

func key(name string) *ecdsa.PrivateKey {
	seed := sha256.Sum256([]byte("commshub test key " + name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		panic(err)
	}
	return k
}

// Options describe an image; zero fields take the defaults above.
type Options struct {
	Version       uint32
	Sequence      uint32
	PayloadSize   int
	Program       bootloader.Program
	Vendor, Class uint16
	HardwareMin   uint16
	HardwareMax   uint16
	ForceReplace  bool
	Manufacturer  *ecdsa.PrivateKey
	Supplier      *ecdsa.PrivateKey
}

func (o Options) withDefaults() Options {
	set := func(v *uint16, def uint16) {
		if *v == 0 {
			*v = def
		}
	}
	set(&o.Vendor, Vendor)
	set(&o.Class, Class)
	set(&o.HardwareMin, Hardware)
	set(&o.HardwareMax, Hardware)
	if o.PayloadSize == 0 {
		o.PayloadSize = 300
	}
	if o.Manufacturer == nil {
		o.Manufacturer = manufacturer
	}
	if o.Supplier == nil {
		o.Supplier = supplier
	}
	return o
}

// GB returns a GB OTA file.
func GB(o Options) []byte {
	o = o.withDefaults()
	spec := imagebuild.Spec{
		ID:          ota.ImageID{Manufacturer: o.Vendor, ImageType: o.Class, FileVersion: o.Version},
		HardwareMin: o.HardwareMin, HardwareMax: o.HardwareMax,
		Sequence: o.Sequence, Model: "test", Text: "test image", ForceReplace: o.ForceReplace,
		Payload: imagebuild.SamplePayload(o.Program, o.Version, 1, o.PayloadSize),
	}
	file, err := imagebuild.Build(spec, o.Manufacturer, o.Supplier)
	if err != nil {
		panic(err)
	}
	return file
}

// Mislabelled returns a GB OTA file whose manifest is as o says, and whose header names
// a version and is right for this meter otherwise.
func Mislabelled(header uint32, o Options) []byte {
	inner, outer := must(ota.ParseImage(GB(o))), Options{}.withDefaults()
	h := inner.Header
	h.ImageID = ota.ImageID{Manufacturer: outer.Vendor, ImageType: outer.Class, FileVersion: header}
	h.HardwareMin, h.HardwareMax = outer.HardwareMin, outer.HardwareMax
	return must(ota.BuildGB(h, inner.ManufacturerImage, false, outer.Supplier))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// VendorFile returns a file as Zigbee manufacturers publish it: one sub-element, no signature.
func VendorFile(version uint32, size int) []byte {
	h := ota.ImageHeader{
		ImageID:      ota.ImageID{Manufacturer: Vendor, ImageType: Class, FileVersion: version},
		StackVersion: ota.StackVersionPRO, Text: "vendor image",
	}
	e := ota.SubElement{Tag: ota.TagUpgradeImage, Data: bytes.Repeat([]byte{byte(version)}, size)}
	body := e.Append(nil)
	h.TotalSize = uint32(h.Size() + len(body))
	return append(h.Append(nil), body...)
}

// CodedFile returns a file as VendorFile does, with an image integrity code (ZCL §11.4.6)
// behind the image.
func CodedFile(version uint32, size int) []byte {
	file := VendorFile(version, size)
	le := binary.LittleEndian
	le.PutUint32(file[52:], uint32(len(file)+6+aesmmo.Size)) // total image size
	code := aesmmo.Sum(file)
	return ota.SubElement{Tag: ota.TagIntegrityCode, Data: code[:]}.Append(file)
}

// Policy returns what a meter that takes these images has burnt in.
func Policy(trust bootloader.Trust) bootloader.Policy {
	return bootloader.Policy{
		Trust: trust, Manufacturer: &manufacturer.PublicKey,
		Vendor: Vendor, Class: Class, Hardware: Hardware,
	}
}
