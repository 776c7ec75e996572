package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/imageview"
	"github.com/commshub/commshub/internal/scenario/told"
)

func newImageInspect() *cobra.Command {
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what is in an OTA file, bare or wrapped",
		Long: `Show what is in an OTA file, bare or in a vendor's wrapper, and a warning for each thing that looks wrong
with it. With --strict the exit code is 3 if there is a warning.`,
		Example: `  commshub image inspect meter.ota
  commshub image inspect meter.ota --strict --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			im, err := readImageFile(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			v := imageview.Of(im)
			if !asJSON {
				v.Print(cmd.OutOrStdout())
			} else if err := printJSON(cmd.OutOrStdout(), v); err != nil {
				return err
			}
			if n := len(v.Warnings); strict && n > 0 {
				return warningError{fmt.Sprintf("%s: %s", args[0], told.Count(n, "warning"))}
			}
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&strict, "strict", false, "exit code 3 if there is a warning")
	return cmd
}
