package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/console"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/scenario/told"
	"github.com/commshub/commshub/internal/table"
)

func newFirmware(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "firmware",
		Short: "Upload, distribute and activate firmware over a running hub",
		Long: `Upload, distribute and activate firmware over a running hub. A device is named by its EUI64, or by its
kind, gsme or esme, if the home has one such device.`,
		Example: `  commshub firmware upload meter.ota
  commshub firmware distribute IMAGE esme gsme
  commshub firmware status
  commshub firmware activate gsme`,
	}
	cmd.AddCommand(newFirmwareUpload(g), newFirmwareList(), newFirmwareRemove(), newFirmwareDistribute(),
		newFirmwareActivate(), newFirmwareCancel(), newFirmwareStatus(), newFirmwareOrders(), newFirmwareVersion(), newFirmwareWatch(g))
	return cmd
}

func newFirmwareUpload(g *global) *cobra.Command {
	var base, dir string
	var asJSON, sample, force bool
	cmd := &cobra.Command{
		Use:   "upload FILE | --sample",
		Short: "Put an image into the hub's cache",
		Long: `Put an image into the hub's cache: a GB image, or any Zigbee OTA file, bare or in a vendor's wrapper.
A GB image comes in if its supplier is the home's, or known to the hub (hub --known-supplier); what has no
GB trailer comes in as it is, and each meter decides whether it trusts it. A file whose image integrity
code does not fit is damaged, and refused without --force; what else looks wrong is a warning.
--sample makes and uploads a signed sample.`,
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
				err = uploadFile(cmd, c, args[0], force, &im)
			}
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), im)
			}
			foreign.Fprintf(cmd.OutOrStdout(), "%s cached: manufacturer %s, type %s, version %s, %d bytes\n",
				im.SHA256, im.Manufacturer, im.ImageType, im.Version, im.Size)
			for _, w := range im.Warnings {
				foreign.Fprintf(cmd.OutOrStdout(), "warning: %s\n", w.Text)
			}
			if !im.SupplierVerified {
				fmt.Fprintln(cmd.OutOrStdout(), "the home's supplier has not signed it: meters with trust signed will refuse it (8F1C), those with trust any take it")
			}
			return nil
		},
	}
	apiFlag(cmd, &base)
	pkiFlag(cmd, &dir)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&force, "force", false, "take a file whose image integrity code does not fit")
	cmd.Flags().BoolVar(&sample, "sample", false, "make a signed sample image and upload it")
	return cmd
}

func newFirmwareList() *cobra.Command {
	return listing[api.Image]{
		use: "list", short: "List the images in the hub's cache", example: "  commshub firmware list",
		path: "/v1/images", member: "images", header: "IMAGE\tMANUFACTURER\tTYPE\tVERSION\tSIZE\tLAYOUT\tTEXT",
		row: func(t table.Table, im api.Image) {
			if im.Damaged {
				im.Layout = "damaged: upload it again"
			}
			t.Row("%s\t%s\t%s\t%s\t%d\t%s\t%s", im.SHA256[:min(len(im.SHA256), 16)], im.Manufacturer, im.ImageType, im.Version, im.Size, im.Layout, im.Header())
		},
	}.command()
}

func newFirmwareRemove() *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:   "remove IMAGE",
		Short: "Remove an image from the hub's cache",
		Long: `Remove an image, named as for distribute, from the hub's cache. It is refused while an update to the image
has not ended. Devices that have the image keep it. One named by its whole SHA-256 may be removed already.`,
		Example: "  commshub firmware remove 02000000",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			im, err := console.RemoveImage(cmd.Context(), c, args[0])
			if err == nil {
				foreign.Fprintf(cmd.OutOrStdout(), "%s is not in the hub's cache any more\n", im)
			}
			return noSuchIsBadInput(err)
		},
	}
	apiFlag(cmd, &base)
	return cmd
}

func newFirmwareDistribute() *cobra.Command {
	var base string
	var force bool
	cmd := &cobra.Command{
		Use:   "distribute IMAGE EUI64…",
		Short: "Offer an image to devices (SRV 11.1)",
		Long: `Offer an image to devices. IMAGE is the beginning of its SHA-256 as list shows it, or its version.

A device that runs a newer version is not offered the image: a meter refuses a downgrade, but only when it
has the whole image, after all of its windows and their charge. --force offers it all the same, and says
what that is expected to take.`,
		Example: "  commshub firmware distribute 02000000 esme gsme",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			devices, err := findDevices(cmd, c, args[1:]...)
			if err != nil {
				return err
			}
			im, err := console.FindImage(cmd.Context(), c, args[0])
			if err != nil {
				return noSuchIsBadInput(err)
			}
			body := map[string]any{"image": im.SHA256, "devices": devices, "force": force}
			var given struct{ Updates []api.Update }
			if err := c.Call(cmd.Context(), http.MethodPost, "/v1/updates", body, &given); err != nil {
				return err
			}
			foreign.Fprintf(cmd.OutOrStdout(), "version %s is offered to %s\n", im.Version, told.Count(len(devices), "device"))
			for _, line := range console.OrderText(given.Updates, force) {
				foreign.Fprintf(cmd.OutOrStdout(), "%s\n", line)
			}
			return nil
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().BoolVar(&force, "force", false, "also to a device that runs a newer version")
	return cmd
}

func newFirmwareActivate() *cobra.Command {
	var base, hash, at string
	cmd := &cobra.Command{
		Use:   "activate EUI64",
		Short: "Order a device to switch to the image it holds (CS06)",
		Long: `Order a device to switch to the image it holds, at once or at a time. A gas meter fetches the order at
its next heartbeat. The outcome comes as a response or an alert; see commshub firmware status.`,
		Example: `  commshub firmware activate gsme
  commshub firmware activate gsme --at 2026-12-01T03:00:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{}
			if hash != "" {
				body["image_hash"] = hash
			}
			if at != "" {
				t, err := time.Parse(time.RFC3339, at)
				if err != nil {
					return badInput("--at %q: want a time such as 2026-12-01T03:00:00Z", at)
				}
				body["at"] = t
			}
			return onDevice(cmd, base, args[0], func(c *client.Client, eui han.EUI64) error {
				if err := c.Call(cmd.Context(), http.MethodPost, "/v1/devices/"+eui.String()+"/activation", body, nil); err != nil {
					return err
				}
				foreign.Fprintf(cmd.OutOrStdout(), "the order to activate waits for %s\n", eui)
				return nil
			})
		},
	}
	apiFlag(cmd, &base)
	cmd.Flags().StringVar(&hash, "hash", "", "Manufacturer Image Hash to name (default: that of the device's update)")
	cmd.Flags().StringVar(&at, "at", "", "emulated time at which to switch (default: at once)")
	return cmd
}

func newFirmwareCancel() *cobra.Command {
	var activation bool
	cmd := &cobra.Command{Use: "cancel EUI64", Short: "Cancel the update of a device, or only its dated activation",
		Example: "  commshub firmware cancel gsme --activation", Args: cobra.ExactArgs(1)}
	cmd.Flags().BoolVar(&activation, "activation", false, "drop the dated activation and keep the image")
	return onOne(cmd, func(cmd *cobra.Command, c *client.Client, eui han.EUI64, _ []string) error {
		path, done := "/v1/updates/"+eui.String(), "the update of %s is cancelled\n"
		if activation {
			path, done = "/v1/devices/"+eui.String()+"/activation", "the order to drop the dated activation waits for %s\n"
		}
		if err := c.Call(cmd.Context(), http.MethodDelete, path, nil, nil); err != nil {
			return err
		}
		foreign.Fprintf(cmd.OutOrStdout(), done, eui)
		return nil
	})
}

func newFirmwareStatus() *cobra.Command {
	left := map[han.EUI64]string{} // of meters that tell
	return listing[api.Update]{
		use: "status", short: "Show the updates of a running hub", example: "  commshub firmware status",
		path: "/v1/updates", member: "updates", header: "DEVICE\tKIND\tVERSION\tSTATE\tSERVED\tWINDOWS\tBLOCKS\tREPEATS\tCHARGE\tLEFT\tEXPECTED\tNOTE",
		row: func(t table.Table, u api.Update) {
			t.Row("%s\t%s\t%s\t%s\t%s/%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s", u.Device, u.Kind, u.Version, console.StateText(u), console.ServedText(u.Offset), u.Size, u.Windows, u.Blocks, u.Repeats,
				console.ChargeText(u.Charge), dash(left[u.Device]), console.ExpectedText(u), console.NoteText(u))
		},
		look: func(ctx context.Context, c *client.Client, all []api.Update) error {
			for _, u := range all {
				if _, asked := left[u.Device]; asked { // it may have had several updates
					continue
				}
				left[u.Device] = ""
				var b api.Battery
				if there, err := c.Get(ctx, "/v1/devices/"+u.Device.String()+"/battery", &b); err != nil {
					return err
				} else if there {
					left[u.Device] = strings.Trim(b.PercentText+", "+b.DaysText, ", ")
				}
			}
			return nil
		},
	}.command()
}

func newFirmwareOrders() *cobra.Command {
	return listing[api.Order]{
		use: "orders", short: "Show the supplier's orders to meters and what became of them", example: "  commshub firmware orders",
		path: "/v1/orders", member: "orders", header: "DEVICE\tGIVEN\tORDER\tFOR\tSTATE\tOUTCOME",
		row: func(t table.Table, o api.Order) {
			due := "at once"
			switch {
			case o.Cancels:
				due = "cancels"
			case o.ExecuteAt != nil:
				due = when(o.ExecuteAt)
			}
			t.Row("%s\t%s\t%s\t%s\t%s\t%s", o.Device, when(o.GivenAt), o.Name, due, o.State, dash(o.Outcome))
		},
	}.command()
}

func newFirmwareVersion() *cobra.Command {
	var base string
	var asJSON bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "version [EUI64]",
		Short: "Ask the hub itself, or a meter, which firmware it runs (ECS52, GCS38)",
		Long: `Ask the hub itself, or a meter, which firmware it runs, and wait for the answer. Besides an EUI64 or a kind
the device can be hub, as without one, or gpf: what the gas proxy was told last of the gas meter's. A gas
meter answers at its next heartbeat; what is not answered within --timeout, commshub firmware orders shows.`,
		Example: `  commshub firmware version
  commshub firmware version gsme --timeout 1h`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(cmd, base)
			if err != nil {
				return err
			}
			eui, err := console.Versioned(cmd.Context(), c, append(args, "hub")[0])
			if err != nil {
				return noSuchIsBadInput(err)
			}
			o, err := console.ReadVersion(cmd.Context(), c, eui, timeout)
			if o.Counter == 0 {
				return err
			}
			if asJSON {
				err = errors.Join(printJSON(cmd.OutOrStdout(), o), err)
			} else if err == nil {
				foreign.Fprintf(cmd.OutOrStdout(), "%s %s\n", o.Device, o.Outcome)
			}
			return err
		},
	}
	apiFlag(cmd, &base)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long to wait for the answer, on the wall clock")
	return cmd
}
