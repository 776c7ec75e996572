package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/bridge"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/served"
	"github.com/commshub/commshub/internal/home/storagekey"
	"github.com/commshub/commshub/internal/pki"
)

func newHub(g *global) *cobra.Command {
	var dir string
	var run hubRun
	var clock clockFlags
	var link linkFlags
	var b brokerFlags
	config := hub.DefaultConfig()
	policy := flagvalue.Policy{Policy: gasproxy.DefaultPolicy}
	set := newBatteryFlag()
	cmd := &cobra.Command{
		Use:   "hub",
		Short: "Run the Communications Hub with its Gas Proxy",
		Long: `Run the hub: device log, image cache, OTA server, gas proxy and the supplier's operations, with a REST
interface on --listen. Records and images are kept in the state folder; a restart goes on where it was.`,
		Example: "  commshub hub --broker mqtts://127.0.0.1:8883 --pacing radio=10s --speed 600",
		RunE: func(cmd *cobra.Command, _ []string) error {
			config.Policy, config.Battery = policy.Policy, set.model.Set
			if cmd.Flags().Changed("block-size") {
				config.PlanBlockSize = config.BlockSize
			}
			if err := run.bridge.read(cmd.Context()); err != nil {
				return err
			}
			if err := checkHub(config, clock.speed, run.listen); err != nil {
				return err
			}
			log, err := g.logger()
			if err != nil {
				return err
			}
			run.pkiDir = g.path(dir, "pki")
			own, err := run.identify(g, &config)
			if err != nil {
				return err
			}
			broker, err := input(b.With(own, run.pkiDir))
			if err != nil {
				return err
			}
			return g.runHub(cmd.Context(), run, live.HubOptions{
				Config: config, Dir: g.path("", "hub"), Broker: broker, Credential: own, Keys: live.Keys(run.pkiDir, config.Supplier), Messages: run.messages,
				Speed: clock.speed, Start: clock.start.Time, Paused: clock.paused, Standstill: clock.standstill,
				Seed: link.seed, Link: link.loss.Link(), Log: log,
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&run.listen, "listen", "127.0.0.1:8080", "address of the REST interface")
	f.BoolVar(&run.lab, "lab", false, "allow faults to be ordered over the REST interface")
	f.Var(&run.messages, "messages", "which GBCS messages of devices are taken, and which devices are sent orders: signed, or any (laboratories only)")
	run.token.register(cmd)
	run.bridge.register(cmd)
	run.images.register(f)
	captureFlag(f, &run.capture)
	pkiFlag(cmd, &dir)
	storageKeyFlag(f, &run.storage)
	b.register(cmd, defaultBrokerURL)
	hubIdentity(f, &config)
	homeFlags(f, &run.home)
	clock.register(f)
	link.register(f)
	f.Var(&policy, "pacing", fmt.Sprintf("how much a sleeping meter may fetch per window: %v", gasproxy.PolicyExamples()))
	f.Var(&run.devices, "device", "a device in the log of a new hub, KIND alone for the home's own; may be given several times, counts at the very first start only")
	set.register(f, "what the gas meters' windows are reckoned from")
	f.IntVar(&config.BlockSize, "block-size", config.BlockSize, "most bytes of an image in one block, 1 to 255; if it is not given, deadline= and life= choose their own")
	f.DurationVar(&config.MailboxTime, "mailbox-time", config.MailboxTime, "how long a message waits for a sleeping meter")
	f.Uint64Var(&config.Gas.PerHour, "gas-supply", config.Gas.PerHour, "most litres of gas in an hour: a register that rises faster is not believed")
	f.Uint64Var(&config.Electricity.PerHour, "electricity-supply", config.Electricity.PerHour, "the same in watt-hours")
	return cmd
}

// identify gives a hub and its devices the home's identities where none were given, and
// returns the hub's credential.
func (r *hubRun) identify(g *global, config *hub.Config) (*pki.Credential, error) {
	number, err := g.home(r.pkiDir, r.home)
	if err != nil {
		return nil, err
	}
	*config, r.devices = number.HubOr(*config), r.devices.Of(number)
	return input(pki.Device(r.pkiDir, config.EUI64))
}

func checkHub(config hub.Config, speed float64, listen string) error {
	err := flagvalue.CheckHub(config)
	if err == nil && speed != 0 { // 0 is the default
		err = flagvalue.CheckSpeed(speed)
	}
	return cmp.Or(unreadable(err), listenAddress("listen", listen))
}

// hubRun is what a hub process is started with, besides the hub itself.
type hubRun struct {
	pkiDir   string
	home     home.Asked
	listen   string
	devices  home.Devices // of a new hub's device log
	lab      bool
	token    apiToken
	messages seal.Policy // which are taken
	bridge   bridgeFlag
	images   authorityFlags // which are taken
	capture  string
	storage  string // file with the key of what it keeps
}

// runHub runs hub and REST interface until ctx is done or one of them fails.
func (g *global) runHub(ctx context.Context, r hubRun, h live.HubOptions) (err error) {
	token, fresh, err := r.token.resolve(g.folder(), r.listen)
	if err != nil {
		return err
	}
	recorder, err := g.record(ctx, r.capture, h.Config, func(err error) { h.Log.Error("the hub goes on without a capture", "err", err) })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, outcome(recorder.Close(g.err))) }()
	h.Observe = func(*live.Hub) han.Observer { return han.Observers(live.RecordLog(h.Log), recorder.Watch()) }
	o := served.Options{
		Hub: h, DeviceLog: r.devices, Version: version, Token: token, Hosts: r.token.hosts, Lab: r.lab,
	}
	if o.Hub.HeadEnd, err = input(live.Authority(ctx, r.pkiDir, r.images.known, r.images.any)); err != nil {
		return err
	}
	if o.Hub.StorageKey, err = input(storagekey.Read(r.storage)); err != nil {
		return err
	}
	if o.Listener, err = net.Listen("tcp", r.listen); err != nil {
		return badInput("--listen %s: %w", r.listen, err)
	}
	running, err := served.Start(ctx, o)
	if err != nil {
		return inputError{err}
	}
	url := running.URL()
	if fresh {
		tellToken(g.err, url, token)
	}
	h.Log.Info("hub ready", "api", url, "speed", running.Clock.Anchor().Speed, "pacing", h.Config.Policy.String(), "encrypted_at_rest", o.Hub.StorageKey != nil)
	bridge, err := g.bridgeBeside(ctx, r.bridge, url, token, h.Log)
	if err != nil {
		return errors.Join(err, running.Close())
	}
	running.Beside(bridge.Trouble)
	select {
	case <-ctx.Done():
	case err = <-running.Done():
	case err = <-running.Failed():
	case <-bridge.Done():
	}
	stopped := errors.Join(bridge.Close(), running.Close())
	h.Log.Info("hub stopped; records and images are kept", "state", h.Dir)
	if err := errors.Join(err, stopped); err != nil {
		return outcomeError{oneLine(err)}
	}
	return nil
}

// bridgeBeside starts the bridge that was asked for, if any, beside a hub.
func (g *global) bridgeBeside(ctx context.Context, f bridgeFlag, url, token string, log *slog.Logger) (*bridge.Bridge, error) {
	c, err := client.New(url, token)
	if err != nil {
		return nil, err
	}
	return input(f.config.Start(ctx, c, g.path("", "bridge"), log))
}
