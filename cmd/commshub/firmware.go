package main

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
)

func newFirmware(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "firmware",
		Short: "Upload, distribute and activate firmware over a running hub",
		Example: `  commshub firmware upload meter.ota
  commshub firmware distribute IMAGE 00DB1234567890A1
  commshub firmware status
  commshub firmware activate 00DB1234567890A1`,
	}
	cmd.AddCommand(newFirmwareUpload(g), newFirmwareList(), newFirmwareDistribute(),
		newFirmwareActivate(), newFirmwareCancel(), newFirmwareStatus(), newFirmwareWatch(g))
	return cmd
}

func newFirmwareUpload(g *global) *cobra.Command {
	var base, dir string
	var asJSON, sample bool
	cmd := &cobra.Command{
		Use:   "upload FILE | --sample",
		Short: "Put an image into the hub's cache",
		Long: `Put an image into the hub's cache: a GB image, or any Zigbee OTA file, bare or in a vendor's wrapper.
The hub checks the supplier's signature of a GB image. --sample makes and uploads a signed sample.`,
		Example: "  commshub firmware upload meter.ota",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			if (len(args) == 0) == !sample {
				return badInput("name a file, or say --sample")
			}
			var im api.Image
			if sample {
				err = uploadSample(cmd, c, g.path(dir, "pki"), &im)
			} else {
				err = uploadFile(cmd, c, args[0], &im)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), im)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s cached: manufacturer %s, type %s, version %s, %d bytes\n",
				im.SHA256, im.Manufacturer, im.ImageType, im.Version, im.Size)
			return nil
		},
	}
	apiFlag(cmd, &base)
	pkiFlag(cmd, &dir)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&sample, "sample", false, "make a signed sample image and upload it")
	return cmd
}

func newFirmwareList() *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the images in the hub's cache",
		Example: "  commshub firmware list",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			images, err := c.images(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), images)
			}
			t := newTable(cmd.OutOrStdout(), "IMAGE\tMANUFACTURER\tTYPE\tVERSION\tSIZE\tLAYOUT\tTEXT")
			for _, im := range images {
				t.row("%s\t%s\t%s\t%s\t%d\t%s\t%s", im.SHA256[:16], im.Manufacturer, im.ImageType, im.Version, im.Size, im.Layout, im.Text)
			}
			return t.flush()
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newFirmwareDistribute() *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:     "distribute IMAGE EUI64…",
		Short:   "Offer an image to devices (SRV 11.1)",
		Long:    "Offer an image to devices. IMAGE is the beginning of its SHA-256 as list shows it, or its version.",
		Example: "  commshub firmware distribute 02000000 00DB1234567890A0 00DB1234567890A1",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			devices, err := parseDevices(args[1:])
			if err != nil {
				return err
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			im, err := c.findImage(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			body := map[string]any{"image": im.SHA256, "devices": devices}
			if err := c.call(cmd.Context(), http.MethodPost, "/v1/updates", body, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "version %s is offered to %d devices\n", im.Version, len(devices))
			return nil
		},
	}
	apiFlag(cmd, &base)
	return cmd
}

func newFirmwareActivate() *cobra.Command {
	var base, hash, at string
	cmd := &cobra.Command{
		Use:   "activate EUI64",
		Short: "Order a device to switch to the image it holds (CS06)",
		Long: `Order a device to switch to the image it holds, at once or at a time. A gas meter fetches the order at
its next heartbeat. The outcome comes as a response or an alert; see commshub firmware status.`,
		Example: `  commshub firmware activate 00DB1234567890A1
  commshub firmware activate 00DB1234567890A1 --at 2026-12-01T03:00:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			eui, err := han.ParseEUI64(args[0])
			if err != nil {
				return inputError{err}
			}
			body := map[string]any{}
			if hash != "" {
				body["hash"] = hash
			}
			if at != "" {
				t, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return badInput("--at %q: want a time such as 2026-12-01T03:00:00Z", at)
				}
				body["at"] = t
			}
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			if err := c.call(cmd.Context(), http.MethodPost, "/v1/devices/"+eui.String()+"/activation", body, nil); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "the order to activate waits for %s\n", eui)
			return nil
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().StringVar(&hash, "hash", "", "Manufacturer Image Hash to name (default: that of the device's update)")
	cmd.Flags().StringVar(&at, "at", "", "emulated time at which to switch (default: at once)")
	return cmd
}

func newFirmwareCancel() *cobra.Command {
	var base string
	var activation bool
	cmd := &cobra.Command{
		Use:     "cancel EUI64",
		Short:   "Cancel the update of a device, or only its dated activation",
		Example: "  commshub firmware cancel 00DB1234567890A1 --activation",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return onDevice(cmd, base, args[0], func(c *client, eui han.EUI64) error {
				path, done := "/v1/updates/"+eui.String(), "the update of %s is cancelled\n"
				if activation {
					path, done = "/v1/devices/"+eui.String()+"/activation", "the order to drop the dated activation waits for %s\n"
				}
				if err := c.call(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), done, eui)
				return nil
			})
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().BoolVar(&activation, "activation", false, "drop the dated activation and keep the image")
	return cmd
}

func newFirmwareStatus() *cobra.Command {
	var base string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the updates of a running hub",
		Example: "  commshub firmware status",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			updates, err := pages[api.Update](cmd.Context(), c, "/v1/updates", "updates")
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), updates)
			}
			t := newTable(cmd.OutOrStdout(), "DEVICE\tKIND\tVERSION\tSTATE\tSERVED\tWINDOWS\tBLOCKS\tREPEATS\tEXPECTED\tNOTE")
			for _, u := range updates {
				t.row("%s\t%s\t%s\t%s\t%s/%d\t%d\t%d\t%d\t%s\t%s", u.Device, u.Kind, u.Version, u.State, served(u.Offset), u.Size, u.Windows, u.Blocks, u.Repeats, expected(u), note(u))
			}
			return t.flush()
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// expected shows when all bytes will be there, and what they will have cost.
func expected(u api.Update) string {
	e := u.Expected
	switch {
	case e != nil && e.Never:
		return "never: the pacing leaves nothing for it"
	case u.ExpectedAt == nil:
		return "–"
	case e == nil:
		return u.ExpectedAt.Format(time.RFC3339)
	}
	text := fmt.Sprintf("%s, %.0f windows, %.0f µAh", u.ExpectedAt.Format(time.RFC3339), math.Ceil(e.Windows), e.Charge)
	if e.Late {
		text += ", after the deadline"
	}
	return text
}

// note says why an update is as it is, or what it waits for.
func note(u api.Update) string {
	if u.Outcome == "" && u.Waiting != nil {
		return u.Waiting.Text
	}
	return u.Outcome
}

// served shows how far a transfer is, if that is known.
func served(offset *uint32) string {
	if offset == nil {
		return "?"
	}
	return strconv.FormatUint(uint64(*offset), 10)
}
