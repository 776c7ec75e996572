package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/console"
	"github.com/commshub/commshub/internal/home/demo"
)

// apiFlag adds --api, the address of a running hub, and --token-file.
func apiFlag(cmd *cobra.Command, base *string) {
	cmd.Flags().StringVar(base, "api", client.DefaultBase, "address of the running hub")
	cmd.Flags().String("token-file", "", "file with the token for changes (default: "+tokenVariable+", or "+tokenFile+" in the state folder)")
}

// newClient returns a client for a command that has the flags of apiFlag. It finds
// the token by itself. That of the state folder is this machine's own: it is shown
// to nobody else.
func newClient(cmd *cobra.Command, base string) (*client.Client, error) {
	c, err := client.New(base, "")
	// What a command prints as JSON goes out as it came in.
	shown := cmd.Flag("json") == nil || cmd.Flag("json").Value.String() != "true"
	if err != nil {
		return nil, badInput("--api %w", err)
	}
	named := cmd.Flag("token-file").Value.String()
	if named == "" && os.Getenv(tokenVariable) == "" && !c.IsLocal() {
		c.Shown = shown
		return c, nil
	}
	token, err := findToken(cmd.Flag("state").Value.String(), named)
	if err != nil {
		return nil, err
	}
	if c, err = client.New(base, token); err == nil {
		c.Shown = shown
	}
	return c, err
}

// onDevice runs f with the device that the command's argument names, at the hub.
func onDevice(cmd *cobra.Command, base, argument string, f func(c *client.Client, eui han.EUI64) error) error {
	c, err := newClient(cmd, base)
	if err != nil {
		return err
	}
	devices, err := findDevices(cmd, c, argument)
	if err != nil {
		return err
	}
	return f(c, devices[0])
}

// findDevices returns the devices that arguments name.
func findDevices(cmd *cobra.Command, c *client.Client, names ...string) ([]han.EUI64, error) {
	devices, err := console.FindDevices(cmd.Context(), c, names...)
	return devices, noSuchIsBadInput(err)
}

func noSuchIsBadInput(err error) error {
	if errors.Is(err, console.ErrNoDevice) || errors.Is(err, console.ErrNoImage) {
		return inputError{err}
	}
	return err
}

// isBadInput reports whether an error says that what was given is at fault: to the
// command itself, or to the hub that it asked.
func isBadInput(err error) bool {
	var given inputError
	var unusable *demo.InputError
	var refused *client.Refusal
	return errors.As(err, &given) || errors.As(err, &unusable) || errors.As(err, &refused) && refused.BadInput()
}
