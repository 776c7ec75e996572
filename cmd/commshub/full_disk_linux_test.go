package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/internal/disktest"
	"github.com/commshub/commshub/internal/home"
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
	p.command("device", "add", home.DefaultGSME.String(), "--kind", "GSME")
	p.command("firmware", "upload", p.sample())
}

// TestADemoWithoutRoomForItsBrokerSaysSo, and does not wait for it: the broker's own
// words are in the line.
func TestADemoWithoutRoomForItsBrokerSaysSo(t *testing.T) {
	p := newProcesses(t)
	dir := filepath.Join(p.dir, "small")
	disktest.Mount(t, dir, "150k")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // the home's own patience is longer
	defer cancel()
	cmd := exec.CommandContext(ctx, p.binary, "demo", "--state", dir, "--listen", "127.0.0.1:0")
	cmd.Env = p.env
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitOutcome {
		t.Errorf("ended with %v, want exit code %d", err, exitOutcome)
	}
	said := stderr.String()
	if !strings.Contains(said, "commshub: the broker does not serve the hub: ") || !strings.Contains(said, "no space left on device") {
		t.Errorf("said %q", said)
	}
}
