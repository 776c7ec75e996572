package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/commshub/commshub/internal/loopback"
)

// TestMain lets the test binary be the command itself, for scripts and for tests
// that start and kill real processes.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"commshub": main})
}

// TestScripts runs the command lines in testdata/script. A script's folder is its
// state folder.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("COMMSHUB_STATE", env.WorkDir+"/state")
			for _, name := range []string{"BROKER", "HEALTH", "HUB", "OTHER"} { // addresses that nobody listens on
				env.Setenv(name, loopback.Free(t))
			}
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "patch": patch, "truncate": truncate, "listening": listening,
		},
	})
}
