package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
)

func newDevice(*global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "device",
		Short: "Steer the device log of a running hub",
		Example: `  commshub device add 00DB1234567890A1 --kind GSME
  commshub device list`,
	}
	cmd.AddCommand(newDeviceAdd(), newDeviceList(), newDeviceRemove())
	return cmd
}

func newDeviceAdd() *cobra.Command {
	var base, kind string
	cmd := &cobra.Command{
		Use:     "add EUI64 --kind KIND",
		Short:   "Add a device (CCS01)",
		Args:    cobra.ExactArgs(1),
		Example: "  commshub device add 00DB1234567890A1 --kind GSME",
		RunE: func(cmd *cobra.Command, args []string) error {
			eui, err := han.ParseEUI64(args[0])
			if err != nil {
				return inputError{err}
			}
			k, err := hub.ParseKind(kind)
			if err != nil {
				return inputError{err}
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			if err := c.call(cmd.Context(), http.MethodPost, "/v1/devices", map[string]string{"eui64": eui.String(), "kind": k.String()}, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s is in the device log\n", k, eui)
			return nil
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().StringVar(&kind, "kind", "", "ESME, GSME, IHD, PPMID, CAD or HCALCS")
	return cmd
}

func newDeviceRemove() *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:     "remove EUI64",
		Short:   "Remove a device (CCS02)",
		Args:    cobra.ExactArgs(1),
		Example: "  commshub device remove 00DB1234567890A1",
		RunE: func(cmd *cobra.Command, args []string) error {
			return onDevice(cmd, base, args[0], func(c *client, eui han.EUI64) error {
				if err := c.call(cmd.Context(), http.MethodDelete, "/v1/devices/"+eui.String(), nil, nil); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s is not in the device log any more\n", eui)
				return nil
			})
		},
	}
	apiFlag(cmd, &base)
	return cmd
}

func newDeviceList() *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the device log",
		Example: "  commshub device list --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			devices, err := pages[api.Device](cmd.Context(), c, "/v1/devices", "devices")
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), devices)
			}
			t := newTable(cmd.OutOrStdout(), "EUI64\tKIND\tFIRMWARE\tLAST HEARD")
			for _, d := range devices {
				t.row("%s\t%s\t%s\t%s", d.EUI64, d.Kind, dash(d.FirmwareVersion), when(d.LastHeard))
			}
			return t.flush()
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
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
	return t.Format(viewTime)
}
