package main

import (
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/home/served"
	"github.com/commshub/commshub/internal/home/storagekey"
	"github.com/commshub/commshub/internal/messageview"
	"github.com/commshub/commshub/internal/table"
)

func newGBCS(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "gbcs",
		Short:   "Read GBCS messages aloud, sign them, and check their signatures",
		Example: "  commshub gbcs decode message.hex",
	}
	cmd.AddCommand(newGBCSDecode(g), newGBCSVerify(g), newGBCSSign(g), newGBCSCounters(g), newGBCSUTRN(g))
	return cmd
}

func newGBCSDecode(g *global) *cobra.Command {
	var asJSON bool
	var keys string
	cmd := &cobra.Command{
		Use:   "decode [MESSAGE|FILE|FOLDER|-]...",
		Short: "Show a GBCS message field by field",
		Long: `Show a GBCS message field by field: for each field the offset of its first byte, its length in bytes,
its name and its value. A message is hex or base64 on the command line, a file with its bytes, hex or base64,
or comes from standard input (-, or no argument). Of a folder, the messages in its .hex, .b64 and .bin files
are counted, and what could not be read is listed.

What cannot be read is shown as "not read" with its bytes, and the exit code is 1. An encrypted value is opened
if --keys names a folder with the private key of one side and the certificate of the other. Signatures and MACs
are shown, not checked.`,
		Example: `  commshub gbcs decode message.hex
  commshub gbcs decode DF0901…
  commshub gbcs decode --json < message.b64
  commshub gbcs decode --keys pki/ messages/`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			certs, messages, single, err := messageview.ReadWith(cmd.Context(), keys, g.in, args)
			if err != nil {
				return unreadable(err)
			}
			return outcomeOf(messageview.Show(cmd.OutOrStdout(), messageview.All(messages, certs), single, asJSON))
		},
	}
	cmd.Flags().StringVar(&keys, "keys", "", "folder with private keys and certificates, to open encrypted values with")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// outcomeOf returns what is wrong with messages that were shown.
func outcomeOf(wrong string, err error) error {
	if err == nil && wrong != "" {
		return outcomeError{wrong}
	}
	return err
}

func newGBCSCounters(g *global) *cobra.Command {
	var named string
	l := listing[api.Counter]{
		use: "counters", short: "Show which originator counter the last order to each device had, and which the next would have",
		long: `Show which originator counter the last order to each device had, and which the next would have: as the running
hub has it, or, with --state and without --api, as the records of a hub have it that does not run. Those are
only read; next is then the least that an order would have.`,
		example: "  commshub gbcs counters\n  commshub gbcs counters --state ~/homes/first",
		path:    "/v1/counters", member: "counters", header: "DEVICE\tORIGINATOR\tLAST\tUSED\tNEXT",
		row: func(t table.Table, c api.Counter) {
			t.Row("%s\t%s\t%d\t%s\t%d", c.Device, c.Supplier, c.LastCounter, when(c.LastUsedAt), c.NextCounter)
		},
		kept: func(cmd *cobra.Command) ([]api.Counter, bool, error) {
			if !g.stateNamed || cmd.Flags().Changed("api") {
				return nil, false, nil
			}
			key, err := input(storagekey.Read(named))
			if err != nil {
				return nil, true, err
			}
			all, err := input(served.Counters(g.path("", "hub"), key))
			return all, true, err
		},
	}
	cmd := l.command()
	storageKeyFlag(cmd.Flags(), &named)
	return cmd
}
