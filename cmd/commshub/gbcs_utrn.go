package main

import (
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/messageview"
)

func newGBCSUTRN(g *global) *cobra.Command {
	var a messageview.AskedUTRN
	cmd := &cobra.Command{
		Use:   "utrn [DIGITS]...",
		Short: "Show what the 20 digits of a top-up (UTRN) say, or issue them",
		Long: `Show what the 20 digits of a top-up (UTRN) say, grouped or not. With --keys and --meter their MAC is checked: the
exit code is 1 if it does not hold. With --pence they are issued, in place of a supplier.`,
		Example: `  commshub gbcs utrn 7395 0067 8871 0517 8605
  commshub gbcs utrn --keys ~/.local/state/commshub/pki --meter 00DB1234567890A2 --top-up 6 --pence 1250`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong, err := a.Show(cmd.Context(), g.out, args)
			if err != nil {
				return unreadable(err)
			}
			return outcomeOf(wrong, nil)
		},
	}
	f := cmd.Flags()
	f.StringVar(&a.Keys, "keys", "", "folder with private keys and certificates")
	f.StringVar(&a.Meter, "meter", "", "EUI64 of the meter that it is for")
	f.Uint32Var(&a.TopUp, "top-up", 0, "number of the top-up, which is the upper half of its originator counter; of one that is read, the highest that the meter knows")
	f.Uint32Var(&a.Pence, "pence", 0, "issue a top-up by so much: up to 8191, above whole pounds")
	jsonFlag(cmd, &a.JSON)
	return cmd
}
