// Package bridge connects a hub to what lives on another MQTT broker: transport/bridge
// with all its adapters on one side, the hub's REST interface on the other. The hub
// may be in this process or in another; there is one way, and it is the one that is
// tested.
package bridge

import (
	"context"
	"log/slog"

	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/transport/bridge"
	"github.com/commshub/commshub/transport/bridge/filestreams"
	"github.com/commshub/commshub/transport/bridge/glow"
	"github.com/commshub/commshub/transport/bridge/homeassistant"
	"github.com/commshub/commshub/transport/bridge/tasmota"
	"github.com/commshub/commshub/transport/bridge/zigbee2mqtt"
)

// Config is a bridge's configuration, read and checked.
type Config struct {
	file bridge.Config
	gone []string
}

// maxFile is how many bytes a configuration file may have.
const maxFile = 1 << 20

// Read reads a configuration file until the context ends; docs/bridge.md describes it.
func Read(ctx context.Context, path string) (*Config, error) {
	text, err := inputfile.Read(ctx, path, maxFile)
	if err != nil {
		return nil, err
	}
	adapters := []bridge.Kind{zigbee2mqtt.Kind(), filestreams.Kind(), tasmota.Kind(), homeassistant.Kind(), glow.Kind()}
	c, err := bridge.ParseConfig(path, text, adapters)
	if err != nil {
		return nil, err
	}
	return &Config{file: c}, nil
}

// TakeBack has the bridge take back what bridges left in folders whose homes do not come
// again. A nil configuration does nothing.
func (c *Config) TakeBack(folders []string) {
	if c != nil {
		c.gone = folders
	}
}

// Bridge is a bridge that runs. A nil one does nothing, and never ends.
type Bridge struct{ running *bridge.Bridge }

// Start starts a bridge to a hub. What must last is kept in the folder dir. It ends
// with ctx; a nil configuration starts none.
func (c *Config) Start(ctx context.Context, hub *client.Client, dir string, log *slog.Logger) (*Bridge, error) {
	if c == nil {
		return nil, nil
	}
	b, err := bridge.Start(ctx, bridge.Options{Config: c.file, Hub: bridgedHub{hub}, Dir: dir, Gone: c.gone, Log: log})
	if err != nil {
		return nil, err
	}
	if a := b.FilesAddress(); a != nil {
		log.Info("images for devices that fetch them", "listen", a.String(), "url", c.file.HTTP.URL)
	}
	return &Bridge{b}, nil
}

// Done returns a channel that is closed when the bridge has ended.
func (b *Bridge) Done() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.running.Done()
}

// Trouble returns why the bridge cannot do its work until somebody does something about
// it; "" if nothing is known.
func (b *Bridge) Trouble() string {
	if b == nil {
		return ""
	}
	return b.running.Trouble()
}

// Close lets the bridge take back what it left on the broker.
func (b *Bridge) Close() error {
	if b == nil {
		return nil
	}
	return b.running.Close()
}
