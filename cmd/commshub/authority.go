package main

import "github.com/spf13/pflag"

// authorityFlags say whose GB images a hub takes besides its own supplier's.
type authorityFlags struct {
	known []string
	any   bool
}

func (a *authorityFlags) register(f *pflag.FlagSet) {
	f.StringSliceVar(&a.known, "known-supplier", nil,
		"certificate (PEM) of another supplier whose images are taken, or a folder of such; may be given several times")
	f.BoolVar(&a.any, "allow-foreign-signature", false,
		"take GB images whoever signed them, also altered ones (laboratories only); meters still decide for themselves")
}
