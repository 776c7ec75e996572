package main

import (
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/internal/flagvalue"
)

// linkFlags are how well a node's radio link carries what it sends.
type linkFlags struct {
	loss flagvalue.Loss
	seed uint64
}

func (l *linkFlags) register(f *pflag.FlagSet) {
	f.Var(&l.loss, "loss", "how many of the radio frames that it sends are lost")
	f.Uint64Var(&l.seed, "seed", 1, "of the dice of its radio link")
}
