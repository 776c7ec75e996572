package main

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/console"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/home/live"
)

// clockFlags are what a hub's clock is started with.
type clockFlags struct {
	speed      float64
	start      flagvalue.Time
	paused     bool
	standstill live.Standstill
}

func (c *clockFlags) register(f *pflag.FlagSet) {
	f.Float64Var(&c.speed, "speed", 0, "emulated seconds per second (default: as before, or 1)")
	f.Var(&c.start, "start", "emulated time of the very first start (default: now)")
	f.BoolVar(&c.paused, "paused", false, "start with the clock standing; let it run with commshub clock")
	f.Var(&c.standstill, "clock", "what the clock does while the hub is stopped: stand, or wall to run on at its speed")
}

func newClock(g *global) *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "clock",
		Short: "Show, pause, step and run the emulated clock of a running hub",
		Long: `Show the emulated clock of a running hub, or move it. It never passes an instant at which something is still
to be done, so that a paused home stands still as a whole, and a test can wait for a state instead of sleeping.`,
		Example: `  commshub clock
  commshub clock pause
  commshub clock step
  commshub clock run --until "gsme window 3"
  commshub clock resume`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			var clock api.Clock
			if err := c.Call(cmd.Context(), http.MethodGet, "/v1/clock", nil, &clock); err != nil {
				return err
			}
			return g.showClock(cmd, clock, asJSON)
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	for _, action := range []struct{ name, short string }{
		{"pause", "Stop the clock where it is"},
		{"resume", "Let the clock run"},
		{"step", "Let a paused clock go to the next instant at which something is to be done"},
	} {
		cmd.AddCommand(newClockAction(g, action.name, action.short))
	}
	cmd.AddCommand(newClockRun(g), newClockSpeed(g))
	return cmd
}

// showClock writes where the clock is.
func (g *global) showClock(cmd *cobra.Command, c api.Clock, asJSON bool) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return printJSON(w, c)
	}
	console.PrintClock(w, c)
	return nil
}

// orderClock gives an order to the clock and shows where it is then.
func (g *global) orderClock(cmd *cobra.Command, base string, o api.ClockOrder, asJSON bool) error {
	c, err := newClient(cmd, base)
	if err != nil {
		return err
	}
	var clock api.Clock
	if err := c.Call(cmd.Context(), http.MethodPost, "/v1/clock", o, &clock); err != nil {
		return err
	}
	return g.showClock(cmd, clock, asJSON)
}

func newClockAction(g *global, name, short string) *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use: name, Short: short, Example: "  commshub clock " + name,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.orderClock(cmd, base, api.ClockOrder{Action: name}, asJSON)
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newClockSpeed(g *global) *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "speed FACTOR", Short: "Change how many emulated seconds pass per second", Example: "  commshub clock speed 3600",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			speed, err := strconv.ParseFloat(args[0], 64)
			if err == nil {
				err = flagvalue.CheckSpeed(speed)
			}
			if err != nil {
				return badInput("speed %q: want a number from %g to %d", args[0], flagvalue.MinSpeed, flagvalue.MaxSpeed)
			}
			return g.orderClock(cmd, base, api.ClockOrder{Action: "speed", Speed: &speed}, asJSON)
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newClockRun(g *global) *cobra.Command {
	var base, until string
	var asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "run --until WHAT",
		Short: "Let the clock run until an instant or a state, and pause it there",
		Long: `Let the clock run until something, and pause it there; the command ends when it is there. WHAT is one of

  2026-12-01T03:00:00Z             an emulated instant
  90m                              so long from now, in emulated time
  "gsme transferred"               the device's latest update is in this state, or has ended
  "gsme window 3"                  so many windows of the device's latest update have ended

A device is named by its EUI64, or by its kind if the home has one such device.`,
		Example: `  commshub clock run --until 90m
  commshub clock run --until "gsme window 3"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, device, err := console.ParseClockRun(until)
			if err != nil {
				return badInput("--until %w", err)
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			if device != "" {
				found, err := findDevices(cmd, c, device)
				if err != nil {
					return prefixed("--until", err)
				}
				o.Device = &found[0]
			}
			ctx, cancel := limit(cmd.Context(), timeout)
			defer cancel()
			var clock api.Clock
			if err := c.Call(ctx, http.MethodPost, "/v1/clock", o, &clock); err != nil {
				return err
			}
			if clock, err = console.WaitPaused(ctx, c); err != nil {
				return outcomeError{fmt.Sprintf("not there yet, and the clock runs on: %v", err)}
			}
			return g.showClock(cmd, clock, asJSON)
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&until, "until", "", "an instant, a time from now, or a device with the state or window of its update")
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "end after so long on the wall clock (default: never)")
	return cmd
}
