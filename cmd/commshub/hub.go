package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/scenario"
)

func newHub(g *global) *cobra.Command {
	var listen, dir string
	var start timeFlag
	var speed float64
	var b brokerFlags
	var devices devicesFlag
	config := hub.DefaultConfig()
	policy := policyFlag{gasproxy.DefaultPolicy}
	cmd := &cobra.Command{
		Use:   "hub",
		Short: "Run the Communications Hub with its Gas Proxy",
		Long: `Run the hub: device log, image cache, OTA server, gas proxy and the supplier's operations, with a REST
interface on --listen. Records and images are kept in the state folder; a restart goes on where it was.`,
		Example: "  commshub hub --broker mqtts://127.0.0.1:8883 --pacing radio=10s --speed 600",
		RunE: func(cmd *cobra.Command, _ []string) error {
			config.Policy = policy.Policy
			if err := checkHub(config, speed, listen); err != nil {
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
			return runHub(cmd.Context(), pkiDir, listen, devices, scenario.LiveHubOptions{
				Config: config, Dir: g.path("", "hub"), Broker: broker, Credential: own,
				Speed: speed, Start: start.Time, Records: recordLogger(log), Log: log,
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:8080", "address of the REST interface")
	pkiFlag(cmd, &dir)
	b.register(cmd, defaultBrokerURL)
	hubIdentity(f, &config)
	f.Float64Var(&speed, "speed", 0, "emulated seconds per second (default: as before, or 1)")
	f.Var(&start, "start", "emulated time of the very first start (default: now)")
	f.Var(&policy, "pacing", fmt.Sprintf("how much a sleeping meter may fetch per window: %v", gasproxy.PolicyExamples()))
	f.Var(&devices, "device", "a device in the log of a new hub; may be given several times, counts at the very first start only")
	f.IntVar(&config.BlockSize, "block-size", config.BlockSize, "most bytes of an image in one block, 1 to 255")
	f.DurationVar(&config.MailboxTime, "mailbox-time", config.MailboxTime, "how long a message waits for a sleeping meter")
	return cmd
}

func checkHub(config hub.Config, speed float64, listen string) error {
	switch {
	case config.BlockSize < 1 || config.BlockSize > 255:
		return badInput("--block-size %d: want 1 to 255", config.BlockSize)
	case speed < 0 || speed > maxSpeed:
		return badInput("--speed %g: want more than 0, up to %d", speed, maxSpeed)
	case config.MailboxTime <= 0:
		return badInput("--mailbox-time %v: want more than 0", config.MailboxTime)
	default:
		return listenAddress("listen", listen)
	}
}

// maxSpeed is the fastest clock: a heartbeat every 18 ms.
const maxSpeed = 100_000

// runHub runs hub and REST interface until ctx is done or one of them fails.
func runHub(ctx context.Context, pkiDir, listen string, devices devicesFlag, o scenario.LiveHubOptions) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return badInput("--listen %s: %w", listen, err)
	}
	h, err := scenario.StartHub(ctx, o)
	if err != nil {
		return inputError{errors.Join(err, listener.Close())}
	}
	if h.New {
		if err := logDevices(h, devices); err != nil {
			return errors.Join(err, listener.Close(), h.Close())
		}
	}
	server, err := serveAPI(listener, h, pkiDir, true)
	if err != nil {
		return errors.Join(err, listener.Close(), h.Close())
	}
	o.Log.Info("hub ready", "api", "http://"+listener.Addr().String(), "speed", h.Clock.Anchor().Speed, "pacing", o.Config.Policy.String())
	select {
	case <-ctx.Done():
	case err = <-h.Done():
	case err = <-server.failed:
	}
	stopped := errors.Join(server.stop(), h.Close())
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

// apiServer is the REST interface on its listener.
type apiServer struct {
	http   *http.Server
	failed chan error
}

// serveAPI serves the REST interface. checkSupplier tells whether uploads with an
// authorising signature are checked with the supplier's key in pkiDir.
func serveAPI(listener net.Listener, h *scenario.LiveHub, pkiDir string, checkSupplier bool) (*apiServer, error) {
	backend := api.Backend{
		Operate: h.Operate, Store: h.Store, Cache: h.Cache, Version: version,
		Clock: func() api.Clock {
			a := h.Clock.Anchor()
			return api.Clock{Now: h.Clock.Now(), Speed: a.Speed, Wall: a.Wall, Emulated: a.Emulated}
		},
	}
	if checkSupplier {
		key, err := signerKey(pkiDir, pki.RoleSupplier)
		if err != nil {
			return nil, err
		}
		backend.SupplierKey = key
	}
	s := &apiServer{
		http: &http.Server{
			Handler: api.New(backend), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
			MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		},
		failed: make(chan error, 1),
	}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return s, nil
}

// stop lets requests in hand finish for a moment.
func (s *apiServer) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close()
	}
	return nil
}
