package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/imagebuild"
)

// makeFlags say what a meter leaves the factory as.
type makeFlags struct {
	vendor, class, hardware flagvalue.AutoHex16
	version                 flagvalue.AutoHex32
	like                    string
}

func (m *makeFlags) register(f *pflag.FlagSet) {
	def := imagebuild.DefaultMake()
	f.StringVar(&m.like, "like", "", "image, or folder of images, that meters are to take: what is auto is as it says")
	f.Var(&m.vendor, "manufacturer-code", fmt.Sprintf("Zigbee manufacturer code, or auto: as --like says, else %04X", def.Vendor))
	f.Var(&m.class, "image-type", fmt.Sprintf("Zigbee image type, or auto: as --like says, else %04X", def.Class))
	f.Var(&m.hardware, "hardware", fmt.Sprintf("hardware version, or auto: the lowest that --like allows, else %04X", def.Hardware))
	f.Var(&m.version, "factory-version", fmt.Sprintf("version of the firmware a new meter is made with, or auto: one before that of --like, else %08X", def.Version))
}

// read returns what the flags say. Images are looked at only if it takes them to know.
func (m *makeFlags) read(ctx context.Context) (imagebuild.Make, error) {
	made := imagebuild.DefaultMake()
	if m.like != "" && (!m.vendor.Given || !m.class.Given || !m.hardware.Given) {
		images, err := imagebuild.ReadPublished(ctx, m.like)
		if err == nil {
			made, err = m.makeFor(images)
		}
		if err != nil {
			return imagebuild.Make{}, badInput("--like %s: %w", m.like, err)
		}
	}
	return m.given(made), nil
}

// madeWith returns what a meter is made as whose factory firmware has a header. What the
// flags say goes before it, for the meter to refuse.
func (m *makeFlags) madeWith(h ota.ImageHeader) (imagebuild.Make, error) {
	if m.like != "" {
		return imagebuild.Make{}, badInput("--like and --factory-image: name one of them")
	}
	made, err := imagebuild.MakeFor(imagebuild.Published{Header: h})
	return m.given(made), err
}

// given puts what the flags say in place of what was found.
func (m *makeFlags) given(made imagebuild.Make) imagebuild.Make {
	made.Vendor, made.Class, made.Hardware = m.vendor.Or(made.Vendor), m.class.Or(made.Class), m.hardware.Or(made.Hardware)
	if m.version.Given {
		made.Version = uint32(m.version.Value)
	}
	return made
}

// makeFor returns the make that those images are for which do not contradict the flags.
func (m *makeFlags) makeFor(images []imagebuild.Published) (imagebuild.Make, error) {
	fit := slices.DeleteFunc(slices.Clone(images), func(p imagebuild.Published) bool {
		h := p.Header
		return m.vendor.Or(h.Manufacturer) != h.Manufacturer || m.class.Or(h.ImageType) != h.ImageType ||
			m.hardware.Given && !h.FitsHardware(uint16(m.hardware.Value))
	})
	if len(fit) == 0 {
		return imagebuild.Make{}, fmt.Errorf("%s, not for --manufacturer-code %s, --image-type %s, --hardware %s: say auto for what the image is to tell",
			images[0], &m.vendor, &m.class, &m.hardware)
	}
	made, err := imagebuild.MakeFor(fit...)
	if err != nil {
		err = fmt.Errorf("%w: name one image, or say which with --manufacturer-code, --image-type and --hardware", err)
	}
	return made, err
}
