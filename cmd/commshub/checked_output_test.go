package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/home"
)

// fullDisk takes nothing.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// everyCommand returns all commands, by their path.
func everyCommand(cmd *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{cmd.CommandPath(): cmd}
	for _, c := range cmd.Commands() {
		for path, c := range everyCommand(c) {
			all[path] = c
		}
	}
	return all
}

// TestWhatNobodyGotIsNoSuccess: help of every command, and whatever a command prints
// about itself, the state folder or a hub, ends with exit code 1 and one line if standard
// output takes nothing.
func TestWhatNobodyGotIsNoSuccess(t *testing.T) {
	p := newProcesses(t)
	p.run("hub", "demo", "--speed", "3600", "--listen", strings.TrimPrefix(p.apiURL, "http://"), "--state", filepath.Join(p.dir, "state"))
	p.until("the demo has begun", func() bool { return p.update(home.DefaultGSME.String()).State != "" })
	image := filepath.Join(p.dir, "other.ota")
	p.command("image", "build", "--out", image, "--size", "4KiB", "--version", "03000000")

	commands := [][]string{
		{"--version"}, {"token"}, {"token", "--link"}, {"pki", "show"}, {"battery", "list"}, {"battery", "explain"},
		{"image", "inspect", image}, {"sim", "schema"}, {"sim", "run", "../../docs/examples/heartbeats_alone.yaml"}, {"completion", "bash"},
	}
	all := everyCommand(newRoot(streams{}))
	for path := range all {
		commands = append(commands, append(strings.Fields(path)[1:], "--help"))
	}
	for path := range clientCommands(newRoot(streams{})) {
		args := strings.Fields(path)[1:]
		for _, a := range hubArguments[path] {
			args = append(args, strings.NewReplacer("IMAGE", image, "REPORT", filepath.Join(p.dir, "report.html"), "2030-01-01T00:00:00Z", "1s").Replace(a))
		}
		commands = append(commands, append(args, "--api", p.apiURL))
	}
	printed := 0
	for _, args := range commands {
		args = append(args, "--state", filepath.Join(p.dir, "state"))
		code, out, _ := within(t, args, nil)
		if code != exitOK || out == "" {
			continue // it has nothing to say here
		}
		printed++
		code, _, said := within(t, args, fullDisk{})
		if code == exitOK || !strings.HasPrefix(said, "commshub: ") || strings.Count(said, "commshub: ") != 1 {
			t.Errorf("%s: exit %d, said %q", strings.Join(args, " "), code, said)
		}
	}
	if printed < len(all)+10 {
		t.Errorf("%d command lines printed something, of %d commands", printed, len(all))
	}
}

// within runs a command line for a while, its output into a writer or, if that is nil, returned.
func within(t *testing.T, args []string, w io.Writer) (code int, out, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var printed, errs bytes.Buffer
	if w == nil {
		w = &printed
	}
	code = run(ctx, args, streams{strings.NewReader(""), w, &errs})
	return code, printed.String(), errs.String()
}
