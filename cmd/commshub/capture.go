package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/outputfile"
	"github.com/commshub/commshub/internal/sniffer"
)

func newCapture(g *global) *cobra.Command {
	var base, file string
	var recent bool
	cmd := &cobra.Command{
		Use:   "capture [EUI64]",
		Short: "Capture the HAN of a running hub, as pcapng for Wireshark",
		Long: `Capture what the hub sends and takes, from now on, as pcapng: IEEE 802.15.4 frames with emulated time,
whose MAC, NWK and APS headers are synthetic and whose ZCL is bit-exact. Stock Wireshark dissects them.
Ctrl-C ends the capture, and says what is in it. What comes faster than it is taken is left out; the
capture says where, and how much.

EUI64 is a device, or its kind if there is one such device: then only its frames are captured.`,
		Example: `  commshub capture | wireshark -k -i -
  commshub capture gsme --out gas.pcapng
  commshub capture --recent | tshark -r - -Y 'zbee_aps.cluster == 0x0702'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == outputfile.Standard && isTerminal(g.out) {
				return badInput("standard output is a terminal: want --out FILE, or | wireshark -k -i -")
			}
			if _, err := g.oneStandardOutput(file); err != nil {
				return err
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			device := ""
			if len(args) > 0 {
				found, err := findDevices(cmd, c, args...)
				if err != nil {
					return err
				}
				device = found[0].String()
			}
			kept, err := sniffer.Follow(cmd.Context(), c, device, recent, func() (io.WriteCloser, error) {
				out, err := outputfile.Create(cmd.Context(), g.out, file)
				return out, written("--out", file, err)
			})
			if err == nil || kept.Packets > 0 {
				foreign.Fprintf(g.err, "%s: %s\n", file, kept)
			}
			return outcome(err)
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().StringVar(&file, "out", outputfile.Standard, "file or named pipe to write to; - for standard output")
	cmd.Flags().BoolVar(&recent, "recent", false, "begin with the frames that the hub still keeps, 2,000 at most")
	return cmd
}

// captureFlag adds --capture, the file that a hub in this process is captured in.
func captureFlag(f *pflag.FlagSet, file *string) {
	f.StringVar(file, "capture", "", "capture the HAN in this file or named pipe, as pcapng for Wireshark; - for standard output")
}

// record begins the capture that was asked for, if any.
func (g *global) record(ctx context.Context, file string, config hub.Config, failed func(err error)) (*sniffer.Recorder, error) {
	if _, err := g.oneStandardOutput(file); err != nil {
		return nil, err
	}
	r, err := sniffer.Record(ctx, g.out, file, config, failed)
	return r, written("--capture", file, err)
}
