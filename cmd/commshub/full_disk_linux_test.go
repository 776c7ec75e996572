package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/commshub/commshub/internal/disktest"
	"github.com/commshub/commshub/internal/scenario"
)

// TestAFullDiskTakesNothing uploads an image that does not fit the hub's disk. The
// command says so in one line with exit code 2, nothing is stored, and the hub
// goes on.
func TestAFullDiskTakesNothing(t *testing.T) {
	p := newProcesses(t)
	state := filepath.Join(p.dir, "small")
	disktest.Mount(t, state, "2m")
	t.Cleanup(func() { // before the disk is unmounted
		p.stop()
		clear(p.running)
	})
	p.embeddedBroker()
	p.env = append(p.env, "COMMSHUB_PKI="+filepath.Join(p.dir, "state", "pki"))
	large := filepath.Join(p.dir, "large.ota")
	p.command("image", "build", "--out", large, "--size", "4MB")
	p.env = append(p.env, "COMMSHUB_STATE="+state)
	p.hub()

	cmd := exec.Command(p.binary, "firmware", "upload", large)
	cmd.Env = p.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitInput {
		t.Errorf("ended with %v, want exit code %d", err, exitInput)
	}
	if want := []byte("no space left on device"); !bytes.Contains(stderr.Bytes(), want) || bytes.Count(stderr.Bytes(), []byte("\n")) != 1 {
		t.Errorf("standard error %q, want one line with %q", stderr.String(), want)
	}
	err := filepath.WalkDir(filepath.Join(state, "hub", "images"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	p.command("device", "add", scenario.DefaultGSME.String(), "--kind", "GSME")
	p.command("firmware", "upload", p.sample())
}
