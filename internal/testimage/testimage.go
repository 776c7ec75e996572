// Package testimage makes keys and signed firmware images for tests. The keys
// are fixed, so that images are the same in every run. Only tests import it.
package testimage

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"math/rand/v2"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han/manifest"
	"github.com/commshub/commshub/han/ota"
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
	Version         uint32
	Sequence        uint32
	PayloadSize     int
	Program         bootloader.Program
	Vendor, Class   uint16
	HardwareMin     uint16
	HardwareMax     uint16
	ManifestVersion uint32 // if it shall differ from Version
	Manufacturer    *ecdsa.PrivateKey
	Supplier        *ecdsa.PrivateKey
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
	if o.ManifestVersion == 0 {
		o.ManifestVersion = o.Version
	}
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
	m := manifest.Manifest{
		Sequence: o.Sequence, Vendor: o.Vendor, Class: o.Class, Model: "test",
		HardwareMin: o.HardwareMin, HardwareMax: o.HardwareMax, Version: o.ManifestVersion,
	}
	image, err := manifest.Build(m, Payload(o), o.Manufacturer)
	if err != nil {
		panic(err)
	}
	h := ota.ImageHeader{
		ImageID:      ota.ImageID{Manufacturer: o.Vendor, ImageType: o.Class, FileVersion: o.Version},
		StackVersion: ota.StackVersionPRO, Text: "test image",
		HasHardware: true, HardwareMin: o.HardwareMin, HardwareMax: o.HardwareMax,
	}
	file, err := ota.BuildGB(h, image, false, o.Supplier)
	if err != nil {
		panic(err)
	}
	return file
}

// Payload returns the payload of an image: the program marker and bytes that
// depend on the version.
func Payload(o Options) []byte {
	b := o.Program.Append(nil)
	rng := rand.New(rand.NewPCG(uint64(o.Version), 1))
	for len(b) < o.PayloadSize {
		b = append(b, byte(rng.Uint32()))
	}
	return b
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

// Policy returns what a meter that takes these images has burnt in.
func Policy(trust bootloader.Trust) bootloader.Policy {
	return bootloader.Policy{
		Trust: trust, Manufacturer: &manufacturer.PublicKey,
		Vendor: Vendor, Class: Class, Hardware: Hardware,
	}
}
