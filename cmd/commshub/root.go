package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/settings"
)

// version is set by the linker of a release build.
var version = "devel"

const envPrefix = "COMMSHUB_"

// global are the flags that every command has.
type global struct {
	streams
	state     string
	config    string
	logLevel  string
	logFormat string
	// stateNamed tells that the state folder was named on the command line.
	stateNamed bool
	strayed    sync.Once // the state folder fell to the working folder, and that was said
}

func newRoot(s streams) *cobra.Command {
	g := &global{streams: s}
	root := &cobra.Command{
		Use:   "commshub",
		Short: "Emulate a smart-meter Communications Hub, its Gas Proxy and its meters",
		Long: `commshub emulates a smart-meter Communications Hub with its Gas Proxy: a daemon that caches
firmware images and trickles them to battery gas meters in 30-minute heartbeat windows, with
electricity and gas meters on an MQTT-simulated Zigbee HAN secured by DTLS.

Every flag can also be an environment variable (` + envPrefix + `STATE for --state) or a key of the
YAML file that --config names. The command line wins over the environment, that over the file. A
variable or key that is empty counts as not set.`,
		Example: `  commshub demo
  commshub demo --until updated --json --speed 3600`,
		Version:           version,
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return g.fillIn(cmd) },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return badInput("%w (see %s --help)", err, cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&g.state, "state", defaultState(), "folder for everything that is kept")
	f.StringVar(&g.config, "config", "", "YAML file with flags")
	f.StringVar(&g.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&g.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal")
	root.AddCommand(
		newDemo(g), newHub(g), newMeter(g), newBroker(g), newBridge(g), newHealth(g),
		newPKI(g), newProvision(g), newImage(g), newDevice(g), newFirmware(g), newToken(g), newStorage(g), newBattery(g), newGBCS(g), newSim(g), newReport(g), newTop(g), newCapture(g), newClock(g), newDocs(),
	)
	refuseArguments(root)
	return root
}

// refuseArguments makes an argument that a command does not take bad input, and so a
// command that does not exist: what only has commands shows its help.
func refuseArguments(cmd *cobra.Command) {
	if !cmd.Runnable() {
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return badInput("%w (see %s --help)", err, cmd.CommandPath())
		}
		return nil
	}
	for _, c := range cmd.Commands() {
		refuseArguments(c)
	}
}

// strayState is the state folder of somebody without a home, in the working folder.
const strayState = "commshub-state"

// defaultState follows the XDG convention.
func defaultState() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "commshub")
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return strayState
	}
	return filepath.Join(home, ".local", "state", "commshub")
}

// fillIn sets flags that are not on the command line from the environment and the
// configuration file.
func (g *global) fillIn(cmd *cobra.Command) error {
	g.stateNamed = cmd.Flags().Changed("state")
	if g.config == "" {
		g.config = os.Getenv(envPrefix + "CONFIG")
	}
	if err := settings.Fill(cmd.Context(), cmd.Flags(), envPrefix, g.config, func(key string) bool { return flagExists(cmd.Root(), key) }); err != nil {
		return unreadable(err)
	}
	if g.state == "" {
		return badInput("--state is empty: want a folder")
	}
	_, err := g.logger() // a wrong log level is bad input, also where nothing is logged
	return err
}

func flagExists(cmd *cobra.Command, name string) bool {
	if cmd.Flags().Lookup(name) != nil || cmd.PersistentFlags().Lookup(name) != nil {
		return true
	}
	for _, c := range cmd.Commands() {
		if flagExists(c, name) {
			return true
		}
	}
	return false
}

// logger returns the logger of a daemon, which writes to standard error.
func (g *global) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(g.logLevel)); err != nil {
		return nil, badInput("log level %q: want debug, info, warn or error", g.logLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	switch {
	case g.logFormat == "json", g.logFormat == "auto" && !isTerminal(g.err):
		return slog.New(slog.NewJSONHandler(foreign.Writer(g.err), options)), nil
	case g.logFormat == "text", g.logFormat == "auto":
		return slog.New(slog.NewTextHandler(g.err, options)), nil
	default:
		return nil, badInput("log format %q: want text, json or auto", g.logFormat)
	}
}

// path returns a folder or file in the state folder, unless it was named.
func (g *global) path(named, name string) string {
	if named != "" {
		return named
	}
	return filepath.Join(g.folder(), name)
}

// folder returns the state folder, and says once where it is if it is the working
// folder's because there is no home.
func (g *global) folder() string {
	if g.state == strayState {
		g.strayed.Do(func() {
			where, err := filepath.Abs(g.state)
			if err != nil {
				where = g.state
			}
			fmt.Fprintf(g.err, "commshub: neither HOME nor XDG_STATE_HOME is set: the state folder is %s; name another with --state or %sSTATE\n", where, envPrefix)
		})
	}
	return g.state
}

// oneLine returns an error as one line for a person.
func oneLine(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && fmt.Sprint(err) == fmt.Sprint(joined) {
		var parts []string
		for _, e := range joined.Unwrap() {
			parts = append(parts, oneLine(e))
		}
		return strings.Join(parts, "; ")
	}
	return foreign.Line(strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " "))
}
