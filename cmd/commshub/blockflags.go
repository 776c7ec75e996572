package main

import (
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/han/ota"
)

// blockFlags say how a meter asks for an image.
type blockFlags struct{ block, page int }

// maxPage is the most bytes that an Image Page Request can ask for.
const maxPage = 65_535

func (b *blockFlags) register(f *pflag.FlagSet, blockUsage string) {
	f.IntVar(&b.block, "block-size", int(otaclient.DefaultConfig().MaxDataSize), blockUsage)
	f.IntVar(&b.page, "page-size", 0, "bytes that the meter asks for with one Image Page Request; 0 asks for each block")
}

func (b *blockFlags) check() error {
	switch {
	case b.block < 1 || b.block > ota.MaxBlock:
		return badInput("--block-size %d: want 1 to %d", b.block, ota.MaxBlock)
	case b.page < 0 || b.page > maxPage:
		return badInput("--page-size %d: want 0 to %d", b.page, maxPage)
	default:
		return nil
	}
}
