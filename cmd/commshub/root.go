package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
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
YAML file that --config names. The command line wins over the environment, that over the file.`,
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
		newPKI(g), newProvision(g), newImage(g), newDevice(g), newFirmware(g), newToken(g), newBattery(g), newSim(g), newTop(g), newDocs(),
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

// defaultState follows the XDG convention.
func defaultState() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "commshub")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "commshub-state"
	}
	return filepath.Join(home, ".local", "state", "commshub")
}

// fillIn sets flags that are not on the command line from the environment and the
// configuration file.
func (g *global) fillIn(cmd *cobra.Command) error {
	if v, ok := os.LookupEnv(envPrefix + "CONFIG"); ok && g.config == "" {
		g.config = v
	}
	file, err := readConfig(g.config)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		known[f.Name] = true
		if f.Changed || failed != nil {
			return
		}
		source, value, ok := lookUp(f.Name, file)
		if !ok {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			failed = badInput("%s: %w", source, err)
		}
	})
	if failed != nil {
		return failed
	}
	// A key of another command is fine, so that one file serves them all.
	for key := range file {
		if !known[key] && !flagExists(cmd.Root(), key) {
			return badInput("%s: unknown key %q", g.config, key)
		}
	}
	_, err = g.logger() // a wrong log level is bad input, also where nothing is logged
	return err
}

func lookUp(name string, file map[string]string) (source, value string, ok bool) {
	env := envPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
	if v, ok := os.LookupEnv(env); ok {
		return env, v, true
	}
	v, ok := file[name]
	return name, v, ok
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

func readConfig(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, badInput("read configuration: %w", err)
	}
	var file map[string]string
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, badInput("read configuration %s: %w", path, err)
	}
	return file, nil
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
		return slog.New(slog.NewJSONHandler(g.err, options)), nil
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
	return filepath.Join(g.state, name)
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
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}
