package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/outputfile"
	"github.com/commshub/commshub/internal/report"
	"github.com/commshub/commshub/internal/report/live"
	"github.com/commshub/commshub/internal/scenario/play"
)

func newReport(g *global) *cobra.Command {
	var base, file string
	cmd := &cobra.Command{
		Use:   "report {EUI64 [IMAGE] | SCENARIO}",
		Short: "Write what happened to an update as one page",
		Long: `Write what happened to an update as one HTML page that needs no network and prints well: its windows,
the image byte by byte, what was expected and what came of it, charge, alerts, versions and
configuration.

EUI64 is a device of a running hub, or its kind if there is one such device; IMAGE the SHA-256 of an image that was distributed to it, or the
beginning of it (default: the update under way, or else the newest). SCENARIO is a scenario file: it is
played first, as by sim run --report.`,
		Example: `  commshub report gsme --html update.html
  commshub report docs/examples/lossy_link.yaml --html lossy.html`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return badInput("--html: want the name of the file to write")
			}
			if filepath.Ext(args[0]) != "" {
				return reportScenario(cmd.Context(), g.out, args, file)
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			devices, err := findDevices(cmd, c, args[0])
			if err != nil {
				return err
			}
			image := ""
			if len(args) > 1 {
				image = strings.ToLower(args[1])
			}
			page, err := live.Update(cmd.Context(), c, devices[0], image)
			if errors.Is(err, live.ErrNoUpdate) {
				return inputError{err}
			}
			if err != nil {
				return err
			}
			if err := writeReport(g.out, "--html", file, page); err != nil {
				return err
			}
			foreign.Fprintf(g.err, "wrote %s\n", file)
			return nil
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().StringVar(&file, "html", "", "file to write the page to; - for standard output")
	return cmd
}

// writeReport writes a page, whole or not at all.
func writeReport(out io.Writer, flag, file string, r *report.Report) error {
	var b bytes.Buffer
	if err := report.Write(&b, *r); err != nil {
		return outcomeError{fmt.Sprintf("write the report: %v", err)}
	}
	return written(flag, file, outputfile.Replace(out, file, b.Bytes()))
}

// reportScenario plays a scenario file and writes its page.
func reportScenario(ctx context.Context, out io.Writer, args []string, file string) error {
	if len(args) > 1 {
		return badInput("%s: a scenario file has no IMAGE, want nothing behind it", args[0])
	}
	stages, err := readStages(ctx, args)
	if err != nil {
		return err
	}
	r, err := stages[0].Play(uint64(stages[0].Home().Seed), play.Options{Hash: true, Report: true})
	if err != nil {
		return outcomeError{err.Error()}
	}
	return writeReport(out, "--html", file, r.Report())
}
