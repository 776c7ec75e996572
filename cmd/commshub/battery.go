package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/internal/batteryset"
	"github.com/commshub/commshub/internal/table"
)

// batteryFlag is a flag for a battery set: the name of one that comes with the
// program, or a file.
type batteryFlag struct{ model battery.Model }

func newBatteryFlag() batteryFlag {
	model, err := battery.NamedModel(battery.DefaultSet)
	if err != nil {
		panic(err)
	}
	return batteryFlag{model}
}

func (b *batteryFlag) String() string { return b.model.Set.Name }
func (b *batteryFlag) Type() string   { return "set" }
func (b *batteryFlag) Set(s string) error {
	model, err := batteryset.Find(s, "")
	if err == nil {
		b.model = model
	}
	return err
}

func (b *batteryFlag) register(f *pflag.FlagSet, usage string) {
	f.Var(b, "battery", usage+": "+strings.Join(battery.Names(), ", ")+", or a file (see commshub battery)")
}

func newBattery(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "battery",
		Short: "Show what a gas meter's charge is reckoned from",
		Long: `A battery set holds the figures of one kind of meter: its cell, its radio, its processor and its flash.
explain prints each figure with its source and what follows from them. A set in a file of your own has
the same form as those that come with the program: explain --yaml prints one to start from.`,
		Example: `  commshub battery list
  commshub battery explain 868-gb
  commshub battery explain 868-gb --block-size 64 --json`,
	}
	cmd.AddCommand(newBatteryList(g), newBatteryExplain(g))
	return cmd
}

func newBatteryList(g *global) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the battery sets",
		RunE: func(*cobra.Command, []string) error {
			var sets []batterySummary
			for _, name := range battery.Names() {
				model, err := battery.NamedModel(name)
				if err != nil {
					return err
				}
				sets = append(sets, batterySummary{name, model.About, name == battery.DefaultSet})
			}
			if asJSON {
				return printJSON(g.out, sets)
			}
			t := table.New(g.out, "SET\tWHAT IT IS")
			for _, s := range sets {
				about := s.About
				if s.Default {
					about += " (default)"
				}
				t.Row("%s\t%s", s.Name, about)
			}
			return t.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

type batterySummary struct {
	Name    string `json:"name"`
	About   string `json:"about"`
	Default bool   `json:"default"`
}
