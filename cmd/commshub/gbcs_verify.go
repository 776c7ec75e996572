package main

import (
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/messageview"
)

func newGBCSVerify(g *global) *cobra.Command {
	var folder string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify --certs FOLDER [MESSAGE|FILE|FOLDER|-]...",
		Short: "Check who signed and MACed a GBCS message",
		Long: `Check who signed a GBCS message, and whether signature and MAC hold, with the certificates in the .pem, .crt,
.cer and .der files of a folder: devices', and organisations' as the SMKI has them. A certificate whose issuer
is in the folder as well must be signed by it; without its issuer, it rests on the folder alone.

The exit code is 1 if a signature does not match, is missing, or is of an originator whose certificate is not
there. A message that is only MACed, as its use case has it, is right, and so is a pre-command, which is signed
later. A MAC is checked if the private key of one of its two sides lies in the folder as well, in a .key file;
of a command that is the access control broker's, or the device's. How long a certificate is valid is not
checked.`,
		Example: `  commshub gbcs verify --certs keys message.hex
  commshub gbcs verify --certs keys messages/`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if folder == "" {
				return badInput("--certs: want a folder with certificates")
			}
			certs, messages, single, err := messageview.ReadWith(cmd.Context(), folder, g.in, args)
			if err != nil {
				return unreadable(err)
			}
			return outcomeOf(messageview.ShowVerdicts(cmd.OutOrStdout(), certs.VerifyAll(messages), single, asJSON))
		},
	}
	cmd.Flags().StringVar(&folder, "certs", "", "folder with certificates")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newGBCSSign(g *global) *cobra.Command {
	var folder string
	var counter uint64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sign --keys FOLDER [MESSAGE|FILE|-]",
		Short: "Sign and MAC a GBCS message as its use case has it",
		Long: `Sign and MAC a GBCS message as its use case has it, with the private keys in the .key files of a folder and the
certificates beside them, such as a home's. It may be signed already, or a pre-command; all but signature and
MAC stays as it is, and a new counter is set wherever the old one stands. It is written in hex.`,
		Example: `  commshub gbcs sign --keys ~/.local/state/commshub/pki order.hex
  commshub gbcs sign --keys pki/ --counter 1001 < order.hex | commshub gbcs verify --certs pki/`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := messageview.ReadAndSign(cmd.Context(), folder, g.in, args, counter)
			if err != nil {
				return unreadable(err)
			}
			return s.Show(g.out, asJSON)
		},
	}
	cmd.Flags().StringVar(&folder, "keys", "", "folder with private keys and certificates")
	cmd.Flags().Uint64Var(&counter, "counter", 0, "originator counter to set (default: as it is)")
	jsonFlag(cmd, &asJSON)
	return cmd
}
