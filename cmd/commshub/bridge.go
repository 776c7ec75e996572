package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/home/bridge"
	"github.com/commshub/commshub/internal/home/live"
)

func newBridge(g *global) *cobra.Command {
	var base, health string
	var check bool
	cmd := &cobra.Command{
		Use:   "bridge FILE",
		Short: "Connect a running hub to devices and home automation on another MQTT broker",
		Long: `Connect a running hub to what lives on another MQTT broker: devices there take firmware from the hub's
image cache, and the hub's meters show up where people look. FILE says which broker, and which of its
devices are which of the hub's; nothing else gets through. See docs/bridge.md.

Of several bridges of one home with the same group on one broker, one works and the others stand by. What is
another home's on the broker is left alone: a bridge that would write there says so and waits.`,
		Example: `  commshub bridge bridge.yaml
  commshub bridge bridge.yaml --check`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := input(bridge.Read(cmd.Context(), args[0]))
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
			if health != "" {
				if err := listenAddress("health", health); err != nil {
					return err
				}
			}
			b, err := config.Start(cmd.Context(), c, g.path("", "bridge"), log)
			if err != nil {
				return inputError{err}
			}
			stopHealth, err := live.ServeHealth(health, version, false, b.Trouble)
			if err != nil {
				return errors.Join(badInput("--health %w", err), b.Close())
			}
			<-b.Done() // it ends with the context as well
			if err := errors.Join(stopHealth(), b.Close()); err != nil {
				return outcomeError{oneLine(err)}
			}
			return nil
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().StringVar(&health, "health", "", "address that answers commshub health, such as 127.0.0.1:8082 (default: none)")
	cmd.Flags().BoolVar(&check, "check", false, "read FILE and tell what is wrong with it, and nothing more")
	return cmd
}

// bridgeFlag is --bridge of commands that run a hub.
type bridgeFlag struct {
	file   string
	config *bridge.Config // nil if no file was named
}

func (f *bridgeFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "bridge", "", "configuration of a bridge to run with the hub, see commshub bridge --help")
}

// read reads the configuration, if one was named.
func (f *bridgeFlag) read(ctx context.Context) (err error) {
	if f.file != "" {
		f.config, err = input(bridge.Read(ctx, f.file))
	}
	return err
}
