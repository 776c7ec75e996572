package main

import (
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/batteryset"
	"github.com/commshub/commshub/internal/flagvalue"
)

func newBatteryExplain(g *global) *cobra.Command {
	var asJSON, asYAML bool
	block := hub.DefaultConfig().BlockSize
	image := flagvalue.Bytes(256 << 10)
	cmd := &cobra.Command{
		Use:   "explain SET",
		Short: "Print a battery set with the source of each figure, and what follows from it",
		Example: `  commshub battery explain 2.4ghz-new
  commshub battery explain 868-gb --block-size 64 --image-size 768000`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if block < 1 || block > ota.MaxBlock {
				return badInput("--block-size %d: want 1 to %d", block, ota.MaxBlock)
			}
			if image < 1 || int(image) > ota.MaxFileSize {
				return badInput("--image-size %d: want 1 to %d", image, ota.MaxFileSize)
			}
			model, err := batteryset.Find(args[0], "")
			if err != nil {
				return inputError{err}
			}
			if asYAML {
				_, err := g.out.Write(model.YAML())
				return err
			}
			e := model.Explain(block, int64(image))
			if asJSON {
				return printJSON(g.out, e)
			}
			return batteryset.Print(g.out, e)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print JSON")
	f.BoolVar(&asYAML, "yaml", false, "print the set as a file")
	f.IntVar(&block, "block-size", block, "bytes of an image in one block")
	f.Var(&image, "image-size", "bytes of an image")
	return cmd
}
