package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
)

// demoFlags are the choices of a demo.
type demoFlags struct {
	speed     float64
	imageFile string
	trust     trustFlag
	policy    policyFlag
	battery   batteryFlag
	blocks    blockFlags
	blocksSet bool // a block size was given
	listen    string
	broker    brokerFlags
	lab       bool
	token     apiToken
	bridge    bridgeFlag
	seed      uint64
	until     string
	asJSON    bool
	timeout   time.Duration
	keep      bool // the state folder was named
	listenSet bool
}

func newDemo(g *global) *cobra.Command {
	d := demoFlags{policy: policyFlag{gasproxy.DefaultPolicy}, battery: newBatteryFlag()}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole home in one process and watch an update",
		Long: `Run broker, hub, electricity meter, gas meter and in-home display in one process, over real MQTT and
DTLS, with an accelerated clock. The hub caches a firmware image; the electricity meter takes it at
once, the gas meter heartbeat by heartbeat; both verify it, wait, and switch when the supplier says so.

Without --image a signed sample of 256 KiB is made. With --image the meters take manufacturer code,
image type and hardware version from it. Without --state everything is gone afterwards; with it, a
demo that was stopped goes on where it was.

--until updated ends the demo when both meters run the new firmware (exit code 0), or when that will
not happen (exit code 1, with the reason).`,
		Example: `  commshub demo
  commshub demo --until updated --json --speed 3600
  commshub demo --image vendor.zigbee --trust any --pacing blocks=200`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.keep = cmd.Flags().Changed("state")
			d.blocksSet = cmd.Flags().Changed("block-size")
			d.listenSet = cmd.Flags().Changed("listen")
			return d.run(cmd.Context(), g)
		},
	}
	f := cmd.Flags()
	f.Float64Var(&d.speed, "speed", 600, "emulated seconds per second")
	f.StringVar(&d.imageFile, "image", "", "firmware image (default: a signed sample)")
	f.Var(&d.trust, "trust", "what the meters demand of an image: signed, or any (laboratories only)")
	f.Var(&d.policy, "pacing", fmt.Sprintf("how much the gas meter may fetch per window: %v", gasproxy.PolicyExamples()))
	d.battery.register(f, "what charge and windows are reckoned from")
	d.blocks.register(f, "most bytes of an image in one block, 1 to 255 (default 48, or what deadline= and life= choose)")
	f.StringVar(&d.listen, "listen", "127.0.0.1:8080", "address of the hub's REST interface")
	f.BoolVar(&d.lab, "lab", false, "allow faults to be ordered over the REST interface")
	d.token.register(cmd)
	d.bridge.register(cmd)
	d.broker.register(cmd, "")
	f.Uint64Var(&d.seed, "seed", 1, "seed of the sample image and of the gas meter's phase")
	f.StringVar(&d.until, "until", "", "updated: end when both meters run the new firmware")
	f.BoolVar(&d.asJSON, "json", false, "print the outcome as one JSON object")
	f.DurationVar(&d.timeout, "timeout", 15*time.Minute, "with --until, the longest time to wait")
	return cmd
}

func (d *demoFlags) check() error {
	switch {
	case d.until != "" && d.until != "updated":
		return badInput("--until %q: want updated", d.until)
	case d.timeout <= 0:
		return badInput("--timeout %v: want more than 0", d.timeout)
	}
	return errors.Join(checkSpeed(d.speed), d.blocks.check(), listenAddress("listen", d.listen))
}

// run runs the demo to its end and reports.
func (d *demoFlags) run(ctx context.Context, g *global) (err error) {
	if err := d.check(); err != nil {
		return err
	}
	if err := d.bridge.read(); err != nil {
		return err
	}
	dir := g.state
	if !d.keep {
		if dir, err = os.MkdirTemp("", "commshub-demo-"); err != nil {
			return badInput("make a folder for the demo: %w", reason(err))
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	image, err := d.image(dir)
	if err != nil {
		return err
	}
	// An interrupt ends the start; later it ends the watching alone, because a home
	// that has stopped has nothing to report.
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	started := context.AfterFunc(ctx, stop)
	home, err := startDemo(running, d, dir, image, g.err)
	started()
	switch {
	case err != nil && ctx.Err() != nil:
		return outcomeError{"interrupted while the home started"}
	case err != nil:
		return err
	}
	report := home.watch(ctx)
	if stopErr := home.close(); stopErr != nil {
		return outcomeError{oneLine(stopErr)}
	}
	return d.conclude(g, dir, report)
}

// image reads the image named, or makes the sample.
func (d *demoFlags) image(dir string) (*ota.Image, error) {
	if d.imageFile != "" {
		im, _, err := readImageFile(d.imageFile)
		return im, err
	}
	file, err := buildSample(demoPKI(dir), sampleVersion, d.seed)
	if err != nil {
		return nil, err
	}
	return ota.ParseImage(file)
}

// conclude prints the report and turns it into an exit code.
func (d *demoFlags) conclude(g *global, dir string, r demoReport) error {
	if d.keep {
		fmt.Fprintf(g.err, "stopped; everything is kept in %s, and the same command goes on from there\n", dir)
	}
	var err error
	if d.asJSON {
		err = printJSON(g.out, r)
	} else {
		err = r.print(g.out)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the report: %v", err)}
	}
	if d.until != "" && r.Outcome != outcomeUpdated {
		return outcomeError{r.Reason}
	}
	return nil
}

// meterPolicy returns what the demo's meters have burnt in: what the image asks for.
func (d *demoFlags) meterPolicy(h ota.ImageHeader) bootloader.Policy {
	return bootloader.Policy{
		Trust: bootloader.Trust(d.trust), Vendor: h.Manufacturer, Class: h.ImageType, Hardware: h.HardwareMin,
	}
}

// factoryVersionFor returns a version that an image of version v is an update of:
// one release before, as far as v looks like a release.
func factoryVersionFor(v uint32) uint32 {
	const release = 1 << 24
	switch {
	case v == 0:
		return 1
	case v%release == 0:
		return v - release
	default:
		return v - 1
	}
}

// hubConfig returns the hub's configuration.
func (d *demoFlags) hubConfig() hub.Config {
	c := hub.DefaultConfig()
	c.Policy, c.Battery = d.policy.Policy, d.battery.model.Set
	if d.blocksSet {
		c.BlockSize, c.PlanBlockSize = d.blocks.block, d.blocks.block
	}
	return c
}
