package imagebuild_test

import (
	"strings"
	"testing"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/imagebuild"
)

func published(name string, vendor, class uint16, version uint32, hardware ...uint16) imagebuild.Published {
	h := ota.ImageHeader{ImageID: ota.ImageID{Manufacturer: vendor, ImageType: class, FileVersion: version}}
	if len(hardware) == 2 {
		h.HasHardware, h.HardwareMin, h.HardwareMax = true, hardware[0], hardware[1]
	}
	return imagebuild.Published{Name: name, Header: h}
}

// TestAMeterIsMadeForItsImages: for each of them, and for none that come to it as a
// downgrade.
func TestAMeterIsMadeForItsImages(t *testing.T) {
	for name, tt := range map[string]struct {
		images []imagebuild.Published
		want   imagebuild.Make
		err    string
	}{
		"one without hardware versions":  {[]imagebuild.Published{published("a", 0x100B, 0x0119, 0x02002100)}, imagebuild.Make{0x100B, 0x0119, imagebuild.DefaultHardware, 0x020020FF}, ""},
		"one with":                       {[]imagebuild.Published{published("a", 0x1209, 0x3007, 7, 0x0000, 0x0101)}, imagebuild.Make{0x1209, 0x3007, 0x0000, 6}, ""},
		"a release":                      {[]imagebuild.Published{published("a", 1, 2, 0x03000000, 5, 5)}, imagebuild.Make{1, 2, 5, 0x02000000}, ""},
		"the very first version":         {[]imagebuild.Published{published("a", 1, 2, 0)}, imagebuild.Make{1, 2, imagebuild.DefaultHardware, 1}, ""},
		"two versions":                   {[]imagebuild.Published{published("b", 1, 2, 9, 3, 8), published("a", 1, 2, 7), published("c", 1, 2, 8, 5, 9)}, imagebuild.Make{1, 2, 5, 6}, ""},
		"two makers":                     {[]imagebuild.Published{published("a", 1, 2, 7), published("b", 3, 2, 7)}, imagebuild.Make{}, "a for manufacturer code 0001, image type 0002; b for manufacturer code 0003"},
		"two types":                      {[]imagebuild.Published{published("a", 1, 2, 7), published("b", 1, 4, 7)}, imagebuild.Make{}, "b for manufacturer code 0001, image type 0004"},
		"hardware without a common make": {[]imagebuild.Published{published("a", 1, 2, 7, 1, 3), published("b", 1, 2, 7, 4, 5)}, imagebuild.Make{}, "b for manufacturer code 0001, image type 0002, hardware 0004 to 0005; a for"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := imagebuild.MakeFor(tt.images...)
			switch {
			case tt.err != "":
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%v, want %q", err, tt.err)
				}
			case err != nil || got != tt.want:
				t.Errorf("%+v, want %+v; %v", got, tt.want, err)
			}
		})
	}
}
