package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/console"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/table"
)

func newDevice(*global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "device",
		Short: "Steer the device log of a running hub",
		Long: `Steer the device log of a running hub. A device that is there is named by its EUI64, or by its kind, such
as gsme, if there is one such device.`,
		Example: `  commshub device add gsme
  commshub device list
  commshub device readings gsme`,
	}
	cmd.AddCommand(newDeviceAdd(), newDeviceList(), newDeviceReadings(), newDeviceAccept(), newDeviceLog(), newDeviceRemove(), newDeviceTopUp(), newDeviceType())
	return cmd
}

func newDeviceAdd() *cobra.Command {
	var base, kind, installCode string
	cmd := &cobra.Command{
		Use:   "add KIND | EUI64 --kind KIND",
		Short: "Add a device (CCS01)",
		Long: `Add a device (CCS01): esme, gsme or ihd, which is the home's own device of that kind, or any other by its
EUI64.`,
		Args: cobra.ExactArgs(1),
		Example: `  commshub device add gsme
  commshub device add gsme --install-code "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5"
  commshub device add 00DB1234567890B1 --kind GSME`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			k, err := store.ParseKind(cmp.Or(kind, args[0]))
			if err != nil && kind == "" {
				err = fmt.Errorf("%q: want esme, gsme or ihd, or an EUI64 and its --kind", args[0])
			}
			if err != nil {
				return inputError{err}
			}
			eui, err := newDevice64(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			body := map[string]string{"eui64": eui.String(), "kind": k.String()}
			if cmd.Flags().Changed("install-code") {
				body["install_code"] = installCode
			}
			if err := c.Call(cmd.Context(), http.MethodPost, "/v1/devices", body, nil); err != nil {
				return err
			}
			foreign.Fprintf(cmd.OutOrStdout(), "%s %s is in the device log\n", k, eui)
			return nil
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().StringVar(&kind, "kind", "", "ESME, GSME, IHD, PPMID, CAD or HCALCS")
	cmd.Flags().StringVar(&installCode, "install-code", "", "as printed on the device, by which it may join without a certificate: 36 hex digits, grouped or not")
	return cmd
}

// newDevice64 returns the EUI64 of a device that is to be added: what is given, or that of
// the own device of a kind of the home whose hub it is.
func newDevice64(ctx context.Context, c *client.Client, name string) (han.EUI64, error) {
	kind, err := store.ParseKind(name)
	if err != nil {
		return input(han.ParseEUI64(name))
	}
	var about api.Hub
	if err := c.Call(ctx, http.MethodGet, "/v1/hub", nil, &about); err != nil {
		return 0, err
	}
	number, ok := home.NumberOfHub(about.EUI64)
	if !ok {
		return 0, badInput("%s: the hub has the EUI64 %s, which was given to it: say the device's", name, about.EUI64)
	}
	return input(number.Device(kind))
}

// onOne returns a command that does something with the device which its first argument names.
func onOne(cmd *cobra.Command, run func(cmd *cobra.Command, c *client.Client, eui han.EUI64, args []string) error) *cobra.Command {
	var base string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return onDevice(cmd, base, args[0], func(c *client.Client, eui han.EUI64) error { return run(cmd, c, eui, args[1:]) })
	}
	apiFlag(cmd, &base)
	return cmd
}

func newDeviceRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove EUI64", Short: "Remove a device (CCS02)", Args: cobra.ExactArgs(1), Example: "  commshub device remove gsme"}
	return onOne(cmd, func(cmd *cobra.Command, c *client.Client, eui han.EUI64, _ []string) error {
		if err := c.Call(cmd.Context(), http.MethodDelete, "/v1/devices/"+eui.String(), nil, nil); err != nil {
			return err
		}
		foreign.Fprintf(cmd.OutOrStdout(), "%s is not in the device log any more\n", eui)
		return nil
	})
}

func newDeviceTopUp() *cobra.Command {
	cmd := &cobra.Command{Use: "topup EUI64 POUNDS", Short: "Top up a gas meter (CS01b), which credits it at its next heartbeat",
		Args: cobra.ExactArgs(2), Example: "  commshub device topup gsme 12.50"}
	return onOne(cmd, func(cmd *cobra.Command, c *client.Client, eui han.EUI64, args []string) error {
		pence, err := input(console.ParsePounds(args[0]))
		if err != nil {
			return err
		}
		return console.TopUp(cmd.Context(), c, cmd.OutOrStdout(), eui, pence)
	})
}

func newDeviceType() *cobra.Command {
	cmd := &cobra.Command{Use: "type EUI64 DIGITS...", Short: "Type a top-up at a gas meter in the hub's process, if that has --lab",
		Args: cobra.MinimumNArgs(2), Example: "  commshub device type gsme 7395 0067 8871 0517 8605"}
	return onOne(cmd, func(cmd *cobra.Command, c *client.Client, eui han.EUI64, args []string) error {
		return console.Type(cmd.Context(), c, cmd.OutOrStdout(), eui, strings.Join(args, ""))
	})
}

func newDeviceList() *cobra.Command {
	return listing[api.Device]{
		use: "list", short: "List the device log", example: "  commshub device list --json",
		path: "/v1/devices", member: "devices", header: "EUI64\tKIND\tFIRMWARE\tLAST HEARD\tMESSAGES",
		row: func(t table.Table, d api.Device) {
			messages := "signed"
			if d.Unsigned {
				messages = "unsigned"
			}
			t.Row("%s\t%s\t%s\t%s\t%s", d.EUI64, d.Kind, dash(d.FirmwareVersion), when(d.LastHeard), messages)
		},
	}.command()
}

// dash stands for an empty cell.
func dash(s string) string {
	if strings.TrimSpace(s) == "" {
		return "-"
	}
	return s
}

// when shows an emulated time.
func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(tableTime)
}
