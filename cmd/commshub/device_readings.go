package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/console"
	"github.com/commshub/commshub/internal/foreign"
)

func newDeviceReadings() *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "readings EUI64",
		Short:   "Show the last readings of a meter, and those that are not believed",
		Args:    cobra.ExactArgs(1),
		Example: "  commshub device readings gsme",
		RunE: func(cmd *cobra.Command, args []string) error {
			return onDevice(cmd, base, args[0], func(c *client.Client, eui han.EUI64) error {
				var m api.Mirror
				if err := c.Call(cmd.Context(), http.MethodGet, "/v1/mirror/"+eui.String(), nil, &m); err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), m)
				}
				return console.WriteReadings(cmd.OutOrStdout(), m)
			})
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newDeviceAccept() *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:     "accept EUI64 ATTRIBUTE",
		Short:   "Have a reading believed that was not, as after an exchange of the meter",
		Args:    cobra.ExactArgs(2),
		Example: "  commshub device accept gsme 0000",
		RunE: func(cmd *cobra.Command, args []string) error {
			return onDevice(cmd, base, args[0], func(c *client.Client, eui han.EUI64) error {
				body := map[string]string{"attribute": args[1]}
				if err := c.Call(cmd.Context(), http.MethodPost, "/v1/mirror/"+eui.String()+"/accept", body, nil); err != nil {
					return err
				}
				foreign.Fprintf(cmd.OutOrStdout(), "attribute %s of %s is believed, and what comes next judged by it\n", args[1], eui)
				return nil
			})
		},
	}
	apiFlag(cmd, &base)
	return cmd
}
