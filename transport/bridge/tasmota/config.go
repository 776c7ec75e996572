package tasmota

import (
	"encoding"
	"fmt"
	"strings"

	"github.com/commshub/commshub/internal/secretfile"
	"github.com/commshub/commshub/transport/bridge"
)

// Name is the adapter's section in the configuration.
const Name = "tasmota"

// Kind makes adapters from their section of the configuration.
func Kind() bridge.Kind {
	return bridge.Kind{Name: Name, New: func(s *bridge.Section) (bridge.Adapter, error) { return New(s) }}
}

// way is how an image reaches a device.
type way uint8

const (
	byHTTP way = iota // the device fetches it: OtaUrl and Upgrade
	byMQTT            // the bridge sends it: FileUpload
)

var _ encoding.TextUnmarshaler = (*way)(nil)

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *way) UnmarshalText(text []byte) error {
	switch string(text) {
	case "http":
		*w = byHTTP
	case "mqtt":
		*w = byMQTT
	default:
		return fmt.Errorf("%q: want http or mqtt", text)
	}
	return nil
}

type config struct {
	// FullTopic is the setting of that name that the devices share.
	FullTopic string `yaml:"full-topic"`
	// Concurrency is how many devices may be busy with an image at the same time.
	Concurrency int            `yaml:"concurrency"`
	Devices     []deviceConfig `yaml:"devices"`
}

// deviceConfig is a device as the configuration describes it.
type deviceConfig struct {
	bridge.Mapping `yaml:",inline"`
	Topic          string `yaml:"topic"`
	By             way    `yaml:"by"`
	// PasswordFile holds the device's own MQTT password, which FileUpload asks for.
	PasswordFile string `yaml:"password-file"`
	// Pacing is how many pieces FileUpload sends at a time.
	Pacing bridge.Pacing `yaml:"pacing"`

	password string
}

// defaultConfig has Tasmota's own default topic.
func defaultConfig() config { return config{FullTopic: "%prefix%/%topic%/", Concurrency: 1} }

const (
	prefixMark = "%prefix%"
	topicMark  = "%topic%"
)

func (c *config) check(s *bridge.Section) error {
	if strings.Count(c.FullTopic, prefixMark) != 1 || strings.Count(c.FullTopic, topicMark) != 1 || !strings.HasSuffix(c.FullTopic, "/") {
		return s.Errorf("full-topic", "full-topic %q: want %s and %s once each, and / at the end", c.FullTopic, prefixMark, topicMark)
	}
	if c.Concurrency < 1 {
		return s.Errorf("concurrency", "concurrency %d: want 1 or more", c.Concurrency)
	}
	if len(c.Devices) == 0 {
		return s.Errorf("devices", "%s: no device is named", Name)
	}
	seen := map[string]bool{}
	for i := range c.Devices {
		d := &c.Devices[i]
		if err := bridge.CheckTopic(c.topic(d.Topic, "cmnd")); err != nil || d.Topic == "" || strings.Contains(d.Topic, "/") {
			return s.Errorf("devices", "topic %q: want the device's topic, without slashes", d.Topic)
		}
		if seen[d.Topic] {
			return s.Errorf("devices", "topic %q stands there twice", d.Topic)
		}
		seen[d.Topic] = true
		if d.EUI64 == 0 {
			d.EUI64 = bridge.OutsideID(Name, d.Topic)
		}
		if d.Pacing.Every < 0 || d.Pacing.Blocks < 0 {
			return s.Errorf("devices", "pacing of %s: want nothing below 0", d.Topic)
		}
		if d.PasswordFile == "" {
			continue
		}
		text, err := secretfile.Read(d.PasswordFile, 4096)
		if err != nil {
			return s.Errorf("devices", "password-file of %s: %w", d.Topic, err)
		}
		d.password = strings.TrimRight(string(text), "\r\n")
	}
	return nil
}

// topic returns where a device listens (prefix cmnd) or speaks (stat, tele).
func (c *config) topic(device, prefix string) string {
	return strings.NewReplacer(prefixMark, prefix, topicMark, device).Replace(c.FullTopic)
}
