package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/console/story"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/demo"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/storagekey"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/sniffer"
)

// demoFlags are the choices of a demo.
type demoFlags struct {
	speed     float64
	imageFile string
	trust     flagvalue.Trust
	policy    flagvalue.Policy
	battery   batteryFlag
	blocks    blockFlags
	blocksSet bool // a block size was given
	listen    string
	broker    brokerFlags
	lab       bool
	token     apiToken
	bridge    bridgeFlag
	images    authorityFlags // which the hub takes
	seed      uint64
	loss      flagvalue.Loss
	capture   string
	recorder  *sniffer.Recorder // nil without
	heartbeat time.Duration
	until     string
	asJSON    bool
	timeout   time.Duration
	home      home.Asked
	storage   string // file with the key of what is kept
	keep      bool   // the state folder was named
	listenSet bool
}

func newDemo(g *global) *cobra.Command {
	d := demoFlags{policy: flagvalue.Policy{Policy: gasproxy.DefaultPolicy}, battery: newBatteryFlag()}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole home in one process and watch an update",
		Long: `Run broker, hub, electricity meter, gas meter and in-home display in one process, over real MQTT and
DTLS, with an accelerated clock. The hub caches a firmware image; the electricity meter takes it at
once, the gas meter heartbeat by heartbeat; both verify it, wait, and switch when the supplier says so.

Without --image a signed sample of 256 KiB is made. With --image the meters take manufacturer code,
image type and hardware version from it. Without --state everything is gone afterwards; with it, a
demo that was stopped goes on where it was.

An image for one device alone finds it in the home: the gas meter has its EUI64.

--until updated ends the demo when the meters that the image is for run it (exit code 0), or when that will
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
	f.Lookup("block-size").DefValue = "0" // the text says it
	f.StringVar(&d.listen, "listen", "127.0.0.1:8080", "address of the hub's REST interface")
	f.BoolVar(&d.lab, "lab", false, "allow faults to be ordered over the REST interface")
	d.token.register(cmd)
	d.bridge.register(cmd)
	d.images.register(f)
	d.broker.register(cmd, "")
	storageKeyFlag(f, &d.storage)
	homeFlags(f, &d.home)
	f.Uint64Var(&d.seed, "seed", 1, "seed of the sample image and of the gas meter's phase")
	captureFlag(f, &d.capture)
	f.Var(&d.loss, "loss", "how many of the radio frames are lost")
	f.DurationVar(&d.heartbeat, "heartbeat", gasproxy.DefaultPeriod, "heartbeat period of the gas meter, emulated time")
	f.StringVar(&d.until, "until", "", "updated: end when the meters that the image is for run it")
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
	return errors.Join(unreadable(flagvalue.CheckSpeed(d.speed)), checkHeartbeat(d.heartbeat), d.blocks.check(), listenAddress("listen", d.listen))
}

// run runs the demo to its end and reports.
func (d *demoFlags) run(ctx context.Context, g *global) (err error) {
	if err := d.check(); err != nil {
		return err
	}
	beside, err := g.oneStandardOutput(d.capture)
	if err != nil {
		return err
	}
	if err := d.bridge.read(ctx); err != nil {
		return err
	}
	dir := g.state
	if !d.keep {
		if dir, err = os.MkdirTemp("", demo.FolderPrefix); err != nil {
			return badInput("make a folder for the demo: %w", inputfile.Reason(err))
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	number, err := input(home.NumberOf(demo.PKI(dir), dir, d.home))
	if err != nil {
		return err
	}
	image, err := d.image(ctx, dir)
	if err != nil {
		return err
	}
	// An interrupt ends the start; later it ends the watching alone, because a home
	// that has stopped has nothing to report.
	starting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	started := context.AfterFunc(ctx, stop)
	names := map[han.EUI64]string{number.Hub(hub.DefaultConfig()).EUI64: "hub"}
	for _, m := range demo.Members(number, image.Header) {
		names[m.EUI64] = m.Kind.String()
	}
	view := story.New(g.err, movesCursor(g.err), names)
	defer view.Close()
	d.recorder, err = g.record(ctx, d.capture, number.Hub(d.hubConfig()), func(err error) { view.Say("%v; the home goes on without", err) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outcome(d.recorder.Close(g.err))) }()
	running, err := d.start(starting, dir, number, image, view)
	started()
	switch {
	case err != nil && ctx.Err() != nil:
		return outcomeError{"interrupted while the home started"}
	case err != nil:
		return err
	}
	report := d.watch(ctx, running, view)
	view.Close()
	if stopErr := running.Close(); stopErr != nil {
		return outcomeError{oneLine(stopErr)}
	}
	return d.conclude(g, beside, dir, report)
}

// start starts the home.
func (d *demoFlags) start(ctx context.Context, dir string, number home.Number, image *ota.Image, view *story.View) (*demo.Home, error) {
	o := demo.Options{
		Config: d.hubConfig(), Number: number, Dir: dir, Image: image, Trust: bootloader.Trust(d.trust), Speed: d.speed, Seed: d.seed, Lab: d.lab,
		Link: d.loss.Link(), Heartbeat: d.heartbeat,
		MaxDataSize: uint8(d.blocks.block), PageSize: uint16(d.blocks.page),
		Version: version, Hosts: d.token.hosts, Bridge: d.bridge.config, BridgeLog: view.Logger("bridge", slog.LevelInfo), Log: view.Logger("hub", slog.LevelWarn),
		Observer: han.Observers(han.Observer{Record: view.Take}, d.recorder.Watch()), Say: view.Say,
	}
	if d.broker.URL != "" {
		o.Broker = func(c *pki.Credential) (live.Broker, error) { return input(d.broker.With(c, "")) }
	}
	var err error
	if o.HeadEnd, err = input(live.Authority(ctx, demo.PKI(dir), d.images.known, d.images.any)); err != nil {
		return nil, err
	}
	if o.StorageKey, err = input(storagekey.Read(d.storage)); err != nil {
		return nil, err
	}
	if o.Token, o.Fresh, err = d.token.resolve(dir, d.listen); err != nil {
		return nil, err
	}
	if o.Listener, err = d.listener(); err != nil {
		return nil, err
	}
	running, err := demo.Start(ctx, o)
	if d.imageFile != "" && errors.As(err, new(*client.Refusal)) {
		err = prefixed(d.imageFile, err)
	}
	return running, err
}

// listener takes the address asked for. If nobody asked, a free one will do.
func (d *demoFlags) listener() (net.Listener, error) {
	listener, err := net.Listen("tcp", d.listen)
	if err != nil && !d.listenSet {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, badInput("--listen %s: %w", d.listen, err)
	}
	return listener, nil
}

// watch watches until all updates have ended, or with --until for as long as it may
// take; without it the home goes on until ctx is done.
func (d *demoFlags) watch(ctx context.Context, running *demo.Home, view *story.View) demo.Report {
	timeout := d.timeout
	if d.until == "" {
		timeout = 0
	}
	report, err := running.Finish(ctx, timeout)
	if d.until != "" || err != nil {
		return report
	}
	outcome := "the new firmware runs"
	if report.Outcome != demo.OutcomeUpdated {
		outcome = report.Reason
	}
	view.Say("%s. The home goes on; Ctrl-C ends it.", outcome)
	<-ctx.Done()
	return running.Report()
}

// image reads the image named, or makes the sample.
func (d *demoFlags) image(ctx context.Context, dir string) (*ota.Image, error) {
	if d.imageFile != "" {
		p, err := readImageFile(ctx, d.imageFile)
		if err != nil {
			return nil, err
		}
		return p.Image, nil
	}
	file, err := buildSample(demo.PKI(dir), sampleVersion, d.seed)
	if err != nil {
		return nil, err
	}
	return ota.ParseImage(file)
}

// conclude prints the report and turns it into an exit code.
func (d *demoFlags) conclude(g *global, out io.Writer, dir string, r demo.Report) error {
	if d.keep {
		foreign.Fprintf(g.err, "stopped; everything is kept in %s, and the same command goes on from there\n", dir)
	}
	var err error
	if d.asJSON {
		err = printJSON(out, r)
	} else {
		err = r.Print(out)
	}
	if err != nil {
		return outcomeError{fmt.Sprintf("print the report: %v", err)}
	}
	if d.until != "" && r.Outcome != demo.OutcomeUpdated {
		return outcomeError{r.Reason}
	}
	return nil
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
