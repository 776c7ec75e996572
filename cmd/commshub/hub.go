package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/scenario"
)

func newHub(g *global) *cobra.Command {
	var dir string
	var run hubRun
	var start timeFlag
	var speed float64
	var b brokerFlags
	var devices devicesFlag
	config := hub.DefaultConfig()
	policy := policyFlag{gasproxy.DefaultPolicy}
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
			if err := run.bridge.read(); err != nil {
				return err
			}
			if err := checkHub(config, speed, run.listen); err != nil {
				return err
			}
			log, err := g.logger()
			if err != nil {
				return err
			}
			pkiDir := g.path(dir, "pki")
			own, err := credential(pkiDir, config.EUI64)
			if err != nil {
				return err
			}
			broker, err := b.broker(own)
			if err != nil {
				return err
			}
			run.pkiDir, run.devices = pkiDir, devices
			return g.runHub(cmd.Context(), run, scenario.LiveHubOptions{
				Config: config, Dir: g.path("", "hub"), Broker: broker, Credential: own,
				Speed: speed, Start: start.Time, Records: recordLogger(log), Log: log,
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&run.listen, "listen", "127.0.0.1:8080", "address of the REST interface")
	f.BoolVar(&run.lab, "lab", false, "allow faults to be ordered over the REST interface")
	run.token.register(cmd)
	run.bridge.register(cmd)
	pkiFlag(cmd, &dir)
	b.register(cmd, defaultBrokerURL)
	hubIdentity(f, &config)
	f.Float64Var(&speed, "speed", 0, "emulated seconds per second (default: as before, or 1)")
	f.Var(&start, "start", "emulated time of the very first start (default: now)")
	f.Var(&policy, "pacing", fmt.Sprintf("how much a sleeping meter may fetch per window: %v", gasproxy.PolicyExamples()))
	f.Var(&devices, "device", "a device in the log of a new hub; may be given several times, counts at the very first start only")
	set.register(f, "what the gas meters' windows are reckoned from")
	f.IntVar(&config.BlockSize, "block-size", config.BlockSize, "most bytes of an image in one block, 1 to 255; if it is not given, deadline= and life= choose their own")
	f.DurationVar(&config.MailboxTime, "mailbox-time", config.MailboxTime, "how long a message waits for a sleeping meter")
	return cmd
}

func checkHub(config hub.Config, speed float64, listen string) error {
	switch {
	case config.BlockSize < 1 || config.BlockSize > 255:
		return badInput("--block-size %d: want 1 to 255", config.BlockSize)
	case config.MailboxTime <= 0:
		return badInput("--mailbox-time %v: want more than 0", config.MailboxTime)
	case config.MirrorEndpoint < 1 || config.MirrorEndpoint > maxEndpoint-hub.DeviceLogSize:
		return badInput("--mirror-endpoint %d: want 1 to %d", config.MirrorEndpoint, maxEndpoint-hub.DeviceLogSize)
	case config.Endpoint < 1 || config.Endpoint > maxEndpoint || mirrors(config, config.Endpoint):
		return badInput("--hub-endpoint %d: want 1 to %d, and none of the %d from --mirror-endpoint %d on",
			config.Endpoint, maxEndpoint, hub.DeviceLogSize, config.MirrorEndpoint)
	}
	if speed != 0 { // 0 is the default
		if err := checkSpeed(speed); err != nil {
			return err
		}
	}
	return listenAddress("listen", listen)
}

// maxEndpoint is the highest endpoint that an application may use (Zigbee §2.2.4.1.3).
const maxEndpoint = 240

// mirrors reports whether an endpoint may become that of a mirror.
func mirrors(c hub.Config, endpoint uint8) bool {
	return endpoint >= c.MirrorEndpoint && endpoint < c.MirrorEndpoint+hub.DeviceLogSize
}

// The slowest clock is what the hub's records can tell from one that stands still, the
// fastest has a heartbeat every 18 ms.
const (
	minSpeed = 0.001
	maxSpeed = 100_000
)

func checkSpeed(speed float64) error {
	if speed >= minSpeed && speed <= maxSpeed { // NaN is neither
		return nil
	}
	return badInput("--speed %g: want %g to %d", speed, minSpeed, maxSpeed)
}

// hubRun is what a hub process is started with, besides the hub itself.
type hubRun struct {
	pkiDir  string
	listen  string
	devices devicesFlag // of a new hub's device log
	lab     bool
	token   apiToken
	bridge  bridgeFlag
}

// runHub runs hub and REST interface until ctx is done or one of them fails.
func (g *global) runHub(ctx context.Context, r hubRun, o scenario.LiveHubOptions) error {
	token, fresh, err := r.token.resolve(g.state, r.listen)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", r.listen)
	if err != nil {
		return badInput("--listen %s: %w", r.listen, err)
	}
	server := &apiServer{token: token, hosts: r.token.hosts, supplierIn: r.pkiDir, log: o.Log}
	server.observe(&o, r.lab)
	h, err := scenario.StartHub(ctx, o)
	if err != nil {
		return inputError{errors.Join(err, listener.Close())}
	}
	if h.New {
		if err := logDevices(h, r.devices); err != nil {
			return errors.Join(err, listener.Close(), h.Close())
		}
	}
	if err := server.serve(listener, h); err != nil {
		return errors.Join(err, listener.Close(), h.Close())
	}
	url := apiURL(listener)
	if fresh {
		tellToken(g.err, url, token)
	}
	o.Log.Info("hub ready", "api", url, "speed", h.Clock.Anchor().Speed, "pacing", o.Config.Policy.String())
	bridge, err := r.bridge.startBeside(ctx, url, token, g.path("", "bridge"), o.Log)
	if err != nil {
		return errors.Join(err, server.stop(), h.Close())
	}
	select {
	case <-ctx.Done():
	case err = <-h.Done():
	case err = <-server.failed:
	case <-bridge.ended():
	}
	stopped := errors.Join(bridge.stop(), server.stop(), h.Close())
	o.Log.Info("hub stopped; records and images are kept", "state", o.Dir)
	if err := errors.Join(err, stopped); err != nil {
		return outcomeError{oneLine(err)}
	}
	return nil
}

// logDevices fills a new hub's device log.
func logDevices(h *scenario.LiveHub, devices devicesFlag) error {
	return h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		for _, d := range devices {
			if err := hb.AddDevice(now, out, d.eui64, d.kind); err != nil {
				return inputError{fmt.Errorf("--device %s=%s: %w", d.kind, d.eui64, err)}
			}
		}
		return nil
	})
}
