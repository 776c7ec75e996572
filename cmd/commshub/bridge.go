package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/transport/bridge"
	"github.com/commshub/commshub/transport/bridge/filestreams"
	"github.com/commshub/commshub/transport/bridge/glow"
	"github.com/commshub/commshub/transport/bridge/homeassistant"
	"github.com/commshub/commshub/transport/bridge/tasmota"
	"github.com/commshub/commshub/transport/bridge/zigbee2mqtt"
)

// bridgeAdapters are the adapters there are.
func bridgeAdapters() []bridge.Kind {
	return []bridge.Kind{zigbee2mqtt.Kind(), filestreams.Kind(), tasmota.Kind(), homeassistant.Kind(), glow.Kind()}
}

func newBridge(g *global) *cobra.Command {
	var base string
	var check bool
	cmd := &cobra.Command{
		Use:   "bridge FILE",
		Short: "Connect a running hub to devices and home automation on another MQTT broker",
		Long: `Connect a running hub to what lives on another MQTT broker: devices there take firmware from the hub's
image cache, and the hub's meters show up where people look. FILE says which broker, and which of its
devices are which of the hub's; nothing else gets through. See docs/bridge.md.

Of several bridges with the same group on one broker, one works and the others stand by.`,
		Example: `  commshub bridge bridge.yaml
  commshub bridge bridge.yaml --check`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := readBridge(args[0])
			if err != nil || check {
				return err
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			log, err := g.logger()
			if err != nil {
				return err
			}
			b, err := startBridge(cmd.Context(), config, c, g.path("", "bridge"), log)
			if err != nil {
				return err
			}
			<-b.Done() // it ends with the context as well
			return b.stop()
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().BoolVar(&check, "check", false, "read FILE and tell what is wrong with it, and nothing more")
	return cmd
}

// bridgeFlag is --bridge of commands that run a hub.
type bridgeFlag struct {
	file   string
	config bridge.Config
}

func (f *bridgeFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "bridge", "", "configuration of a bridge to run with the hub, see commshub bridge --help")
}

// read reads the configuration, if one was named.
func (f *bridgeFlag) read() (err error) {
	if f.file != "" {
		f.config, err = readBridge(f.file)
	}
	return err
}

// readBridge reads a bridge's configuration.
func readBridge(path string) (bridge.Config, error) {
	config, err := bridge.ReadConfig(path, bridgeAdapters())
	if errors.As(err, new(*fs.PathError)) {
		err = fmt.Errorf("%s: %w", path, reason(err))
	}
	if err != nil {
		return config, inputError{err}
	}
	return config, nil
}

// runningBridge is a bridge in this process.
type runningBridge struct{ *bridge.Bridge }

func startBridge(ctx context.Context, config bridge.Config, c *client, dir string, log *slog.Logger) (*runningBridge, error) {
	b, err := bridge.Start(ctx, bridge.Options{Config: config, Hub: bridgeHub{c}, Dir: dir, Log: log})
	if err != nil {
		return nil, inputError{err}
	}
	if a := b.FilesAddress(); a != nil {
		log.Info("images for devices that fetch them", "listen", a.String(), "url", config.HTTP.URL)
	}
	return &runningBridge{b}, nil
}

// startBeside starts the bridge that was asked for, if any, beside a hub of this
// process. It uses the hub's interface like one in another process, so there is
// one way, and it is the one that is tested.
func (f *bridgeFlag) startBeside(ctx context.Context, url, token, dir string, log *slog.Logger) (*runningBridge, error) {
	if f.file == "" {
		return nil, nil
	}
	c, err := clientOf(url, token)
	if err != nil {
		return nil, err
	}
	return startBridge(ctx, f.config, c, dir, log)
}

// ended returns a channel that is closed when the bridge has ended; never if there
// is none.
func (b *runningBridge) ended() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.Done()
}

// stop lets the bridge take back what it left on the broker. There may be none.
func (b *runningBridge) stop() error {
	if b == nil {
		return nil
	}
	if err := b.Close(); err != nil {
		return outcomeError{oneLine(err)}
	}
	return nil
}
