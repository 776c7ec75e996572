package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/console"
)

func newFirmwareWatch(g *global) *cobra.Command {
	var base, until string
	var asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "watch [EUI64…]",
		Short: "Watch the staged transfers of a running hub",
		Long: `Watch the staged transfers of some devices, or of all: how far each is, window by window, what it waits
for, and when it will be complete, in emulated time and on your own clock.

On a terminal this fills the screen; q ends it. In a pipe it writes a line for each window and each change
of state; with --json a JSON object instead. When the hub goes away it says so and goes on when it is back.

--until transferred or --until activated ends it with exit code 0 when all of them are there, or with exit
code 1 and the reason when one of them ended otherwise or --timeout is over.`,
		Example: `  commshub firmware watch
  commshub firmware watch gsme --until transferred
  commshub firmware watch --json --until transferred | jq -c 'select(.event == "window") | .window.blocks'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var reached console.Until
			if until != "" {
				var err error
				if reached, err = console.Reached(until); err != nil {
					return badInput("--until %w", err)
				}
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			only, err := findDevices(cmd, c, args...)
			if err != nil {
				return err
			}
			ctx, cancel := limit(cmd.Context(), timeout)
			defer cancel()
			if movesCursor(g.out) && !asJSON {
				err = console.Watch(ctx, g.in, g.out, c, only, reached)
			} else {
				err = console.WatchLines(ctx, g.out, c, only, reached, asJSON)
			}
			if err == nil && until != "" && errors.Is(ctx.Err(), context.DeadlineExceeded) {
				err = fmt.Errorf("not %s after %v", until, timeout)
			}
			return outcome(err)
		},
		Args: cobra.ArbitraryArgs,
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&until, "until", "", "end when all are there: transferred or activated")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "end after so long on the wall clock (default: never)")
	return cmd
}

func newTop(g *global) *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the home of a running hub: devices, updates, alerts",
		Long: `Show the home of a running hub: its devices and how they are reachable, its updates, the newest alerts.

On a terminal this fills the screen and follows what happens; q ends it. In a pipe, on a dumb terminal, or
with --json, it shows the home as it is now, once.`,
		Example: `  commshub top
  commshub top --json | jq '.devices[] | select(.overdue)'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			if movesCursor(g.out) && !asJSON {
				return outcome(console.Top(cmd.Context(), g.in, g.out, c))
			}
			return outcome(console.TopOnce(cmd.Context(), g.out, c, asJSON))
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

// outcome turns an error that says not yet what it means for the exit code into an
// outcome that is not the one wanted.
func outcome(err error) error {
	var known outcomeError
	if err == nil || isBadInput(err) || errors.As(err, &known) {
		return err
	}
	return outcomeError{oneLine(err)}
}
