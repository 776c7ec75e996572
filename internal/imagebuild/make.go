package imagebuild

import (
	"fmt"
	"strings"

	"github.com/commshub/commshub/han/ota"
)

// Make is what a meter leaves the factory as: what images have to be for, and the version
// that it runs.
type Make struct {
	Vendor, Class, Hardware uint16
	Version                 uint32
}

// DefaultMake returns that of a meter of which nobody says otherwise.
func DefaultMake() Make {
	return Make{Vendor: DefaultVendor, Class: DefaultClass, Hardware: DefaultHardware, Version: 0x01000000}
}

// Published is an image as its publisher named it.
type Published struct {
	Name   string // of the file
	Header ota.ImageHeader
}

// String says which meters an image is for.
func (p Published) String() string {
	s := fmt.Sprintf("%s for manufacturer code %04X, image type %04X", p.Name, p.Header.Manufacturer, p.Header.ImageType)
	if p.Header.HasHardware {
		s += fmt.Sprintf(", hardware %04X to %04X", p.Header.HardwareMin, p.Header.HardwareMax)
	}
	return s
}

// MakeFor returns the make of meters that can take each of the images, at least one, and
// that run a version before them all. There is none if the images are for different
// meters; the error names two that are. An image that says nothing of hardware is for
// the default.
func MakeFor(images ...Published) (Make, error) {
	first := images[0].Header
	m := Make{Vendor: first.Manufacturer, Class: first.ImageType, Hardware: DefaultHardware, Version: first.FileVersion}
	var low, high *Published // that limit the hardware versions
	for i, p := range images {
		h := p.Header
		if h.Manufacturer != m.Vendor || h.ImageType != m.Class {
			return Make{}, differ(images[0], p)
		}
		m.Version = min(m.Version, h.FileVersion)
		if !h.HasHardware {
			continue
		}
		if low == nil || h.HardwareMin > low.Header.HardwareMin {
			low = &images[i]
		}
		if high == nil || h.HardwareMax < high.Header.HardwareMax {
			high = &images[i]
		}
		m.Hardware = low.Header.HardwareMin
		if m.Hardware > high.Header.HardwareMax {
			return Make{}, differ(*low, *high)
		}
	}
	m.Version = versionBefore(m.Version)
	return m, nil
}

func differ(images ...Published) error {
	var all []string
	for _, p := range images {
		all = append(all, p.String())
	}
	return fmt.Errorf("the images are for different meters: %s", strings.Join(all, "; "))
}

// versionBefore returns a version that an image of version v is an update of: one release
// before, as far as v looks like a release.
func versionBefore(v uint32) uint32 {
	const release = 1 << 24
	switch {
	case v == 0:
		return 1
	case v%release == 0:
		return v - release
	default:
		return v - 1
	}
}
