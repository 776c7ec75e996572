package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// A service that is scaled has one description for all its containers, so that it is
// the program that makes homes differ.
func TestEveryHomeOfTheFleetHasANumberOfItsOwn(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "compose", "fleet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var fleet struct {
		Services struct {
			Home struct {
				Command, Volumes []string
			}
		}
	}
	if err := yaml.Unmarshal(text, &fleet); err != nil {
		t.Fatal(err)
	}
	args := fleet.Services.Home.Command
	for i, arg := range args {
		args[i] = regexp.MustCompile(`\$\{\w+:-(.*)\}`).ReplaceAllString(arg, "$1")
	}
	root := newRoot(streams{})
	cmd, flags, err := root.Find(args)
	if err == nil {
		err = cmd.ParseFlags(flags)
	}
	if err != nil || cmd.Name() != "demo" {
		t.Fatalf("command %v: %v", args, err)
	}
	if cmd.Flags().Changed("home") || cmd.Flags().Changed("published-ids") {
		t.Errorf("all homes of the fleet are told to have the same identities: %v", args)
	}
	if state := cmd.Flag("state").Value.String(); !slices.Contains(fleet.Services.Home.Volumes, state) {
		t.Errorf("the number is kept in %s, which is no volume: %v", state, fleet.Services.Home.Volumes)
	}
}
