package filestreams

import (
	"cmp"
	"encoding"
	"fmt"

	"github.com/commshub/commshub/transport/bridge"
)

// Name is the adapter's section in the configuration.
const Name = "file-streams"

// Kind makes adapters from their section of the configuration.
func Kind() bridge.Kind {
	return bridge.Kind{Name: Name, New: func(s *bridge.Section) (bridge.Adapter, error) { return New(s) }}
}

// early is what becomes of a request outside a window.
type early uint8

const (
	earlyReject early = iota // answered with TryLater
	earlySilent              // not answered: the device repeats by its own timer
)

var _ encoding.TextUnmarshaler = (*early)(nil)

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *early) UnmarshalText(text []byte) error {
	switch string(text) {
	case "reject":
		*e = earlyReject
	case "silent":
		*e = earlySilent
	default:
		return fmt.Errorf("%q: want reject or silent", text)
	}
	return nil
}

type config struct {
	Devices []deviceConfig `yaml:"devices"`
}

// deviceConfig is a device as the configuration describes it.
type deviceConfig struct {
	bridge.Mapping `yaml:",inline"`
	// Thing is the device's name in topics.
	Thing string `yaml:"thing"`
	// File is the identifier that the image has in its stream.
	File    int64          `yaml:"file"`
	Content bridge.Content `yaml:"content"`
	Pacing  bridge.Pacing  `yaml:"pacing"`
	Early   early          `yaml:"early"`
	// FilePath and CertFile stand in the job: where the device puts the image, and
	// the name it knows the signer's certificate by.
	FilePath string `yaml:"filepath"`
	CertFile string `yaml:"certfile"`
}

func (c *config) check(s *bridge.Section) error {
	things := map[string]bool{}
	for i, d := range c.Devices {
		switch {
		case d.Thing == "" || len(d.Thing) > maxThing || !isName(d.Thing):
			return s.Errorf("devices", "thing %q: want 1 to %d letters, digits, colons, hyphens or underscores", d.Thing, maxThing)
		case things[d.Thing]:
			return s.Errorf("devices", "thing %q stands there twice", d.Thing)
		case d.File < 0 || d.File > 255:
			return s.Errorf("devices", "file %d of thing %s: want 0 to 255", d.File, d.Thing)
		case d.Pacing.Every < 0 || d.Pacing.Blocks < 0:
			return s.Errorf("devices", "pacing of thing %s: want nothing below 0", d.Thing)
		}
		things[d.Thing] = true
		if d.EUI64 == 0 {
			c.Devices[i].EUI64 = bridge.OutsideID(Name, d.Thing)
		}
		// Readers of jobs do not take empty names.
		c.Devices[i].FilePath = cmp.Or(d.FilePath, "firmware")
		c.Devices[i].CertFile = cmp.Or(d.CertFile, "signer")
	}
	if len(c.Devices) == 0 {
		return s.Errorf("devices", "%s: no device is named", Name)
	}
	return nil
}
