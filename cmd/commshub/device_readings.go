package main

import (
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/console"
	"github.com/commshub/commshub/internal/foreign"
)

func newDeviceReadings() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "readings EUI64", Short: "Show the last readings of a meter, and those that are not believed",
		Args: cobra.ExactArgs(1), Example: "  commshub device readings gsme"}
	jsonFlag(cmd, &asJSON)
	return onOne(cmd, func(cmd *cobra.Command, c *client.Client, eui han.EUI64, _ []string) error {
		var m api.Mirror
		if err := c.Call(cmd.Context(), http.MethodGet, "/v1/mirror/"+eui.String(), nil, &m); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), m)
		}
		return console.WriteReadings(cmd.OutOrStdout(), m)
	})
}

func newDeviceAccept() *cobra.Command {
	cmd := &cobra.Command{Use: "accept EUI64 ATTRIBUTE", Short: "Have a reading believed that was not, as after an exchange of the meter",
		Args: cobra.ExactArgs(2), Example: "  commshub device accept gsme 0000"}
	return onOne(cmd, func(cmd *cobra.Command, c *client.Client, eui han.EUI64, args []string) error {
		body := map[string]string{"attribute": args[0]}
		if err := c.Call(cmd.Context(), http.MethodPost, "/v1/mirror/"+eui.String()+"/accept", body, nil); err != nil {
			return err
		}
		foreign.Fprintf(cmd.OutOrStdout(), "attribute %s of %s is believed, and what comes next judged by it\n", args[0], eui)
		return nil
	})
}

func newDeviceLog() *cobra.Command {
	var security, last, asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{Use: "log EUI64", Short: "Ask a meter for its event log (CS10a, ECS35a), or its security log (CS10b, ECS35b)",
		Long: `Ask a meter for its event log, or its security log, and wait for the answer. A gas meter answers at its next
heartbeat; what is not answered within --timeout, --last shows later.`,
		Args: cobra.ExactArgs(1), Example: "  commshub device log esme\n  commshub device log gsme --security --timeout 1h"}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&security, "security", false, "the security log")
	cmd.Flags().BoolVar(&last, "last", false, "show what the meter said last, and do not ask")
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long to wait for the answer, on the wall clock")
	return onOne(cmd, func(cmd *cobra.Command, c *client.Client, eui han.EUI64, _ []string) error {
		l, err := console.ReadLog(cmd.Context(), c, eui, security, last, timeout)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(cmd.OutOrStdout(), l)
		default:
			return console.WriteLog(cmd.OutOrStdout(), l)
		}
	})
}
