package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/storagekey"
)

// storageKeyFlag adds the flag for the key that what is kept is encrypted with.
func storageKeyFlag(f *pflag.FlagSet, key *string) {
	f.StringVar(key, "storage-key", "", "file with the key that what is kept is encrypted with, or env:NAME for one in the environment (default: not encrypted)")
}

func newStorage(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "storage",
		Short:   "Make the key of what is kept, encrypt what is kept with it, decrypt it",
		Example: "  commshub storage encrypt --storage-key ~/.config/commshub/storage.key",
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "key FILE",
		Short:   "Make a key; whoever loses it loses what it encrypts",
		Example: "  commshub storage key ~/.config/commshub/storage.key",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return unreadable(storagekey.Make(args[0])) },
	}, newStorageConversion(g, "encrypt", live.Encrypt), newStorageConversion(g, "decrypt", live.Decrypt))
	return cmd
}

func newStorageConversion(g *global, verb string, convert live.Conversion) *cobra.Command {
	var named string
	name := strings.ToUpper(verb[:1]) + verb[1:]
	cmd := &cobra.Command{
		Use:     verb,
		Short:   name + " records, images and meters' flash in the state folder, of a home that does not run",
		Example: "  commshub storage " + verb + " --storage-key ~/.config/commshub/storage.key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := input(storagekey.Read(named))
			if err != nil {
				return err
			}
			done, err := input(convert(g.path("", "hub"), g.path("", "meters"), key))
			if err != nil {
				return err
			}
			foreign.Fprintf(cmd.OutOrStdout(), "%sed: %s\n", verb, done)
			return nil
		},
	}
	storageKeyFlag(cmd.Flags(), &named)
	return cmd
}
