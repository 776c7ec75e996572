package devicetest

import (
	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/ihd"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/devices/metrology"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/testimage"
)

// Who is who in the recording: identities of the published GBCS test set.
const (
	ESMEAddress han.EUI64 = 0x00DB1234567890A0
	GSMEAddress han.EUI64 = 0x00DB1234567890A1
	IHDAddress  han.EUI64 = 0x00DB1234567890A4
	HubAddress  han.EUI64 = 0x00DB1234567890A3
	Supplier    han.EUI64 = 0x90B3D51F30010000
)

// SlotCapacity is the room for an image in the recording's meters, in bytes.
const SlotCapacity = 4096

var (
	// Factory is the file that they leave the factory with.
	Factory = testimage.GB(testimage.Options{Version: 1, Sequence: 1, PayloadSize: 64})
	// Image is the file that they are updated to, ImageHash what an order names.
	Image     = testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 1200})
	ImageHash = must(ota.ParseImage(Image)).Hash()
)

// Chip returns a blank part for a meter of the recording.
func Chip() *flash.Chip { return flash.New(meter.Geometry(SlotCapacity)) }

func meterConfig(eui han.EUI64, m metrology.Config) meter.Config {
	return meter.Config{
		EUI64: eui, Hub: HubAddress, Supplier: Supplier, SupplierKey: &testimage.Supplier().PublicKey, Security: Security(eui),
		Endpoint: 1, HubEndpoint: 1, Policy: testimage.Policy(bootloader.TrustSigned), Factory: Factory,
		SlotCapacity: SlotCapacity, Metrology: m, Battery: battery.Default(), OTA: otaclient.DefaultConfig(),
	}
}

// GSMEConfig returns the gas meter's configuration.
func GSMEConfig() gsme.Config {
	c := gsme.Config{
		Config: meterConfig(GSMEAddress, metrology.Config{FirmwareVersion: 0x09030000, Initial: 1_234_567, PerHour: 250}),
		Period: gsme.DefaultPeriod,
	}
	c.LowBattery = c.Battery.Capacity() / 100 * 10
	return c
}

// ESMEConfig returns the electricity meter's configuration.
func ESMEConfig() esme.Config {
	return esme.Config{Config: meterConfig(ESMEAddress, metrology.Config{FirmwareVersion: 0x09010000, Initial: 7_654_321, PerHour: 350})}
}

// IHDConfig returns the display's configuration.
func IHDConfig() ihd.Config {
	return ihd.Config{EUI64: IHDAddress, Hub: HubAddress, Endpoint: 1, MirrorEndpoint: 2}
}

// GSME returns a new gas meter as it is in the recording, on a blank part.
func GSME() *gsme.Meter { return gsme.New(GSMEConfig(), Chip(), Start) }

// ESME returns a new electricity meter as it is in the recording, on a blank part.
func ESME() *esme.Meter { return esme.New(ESMEConfig(), Chip(), Start) }

// IHD returns a new display as it is in the recording.
func IHD() *ihd.Display { return ihd.New(IHDConfig(), Start) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
