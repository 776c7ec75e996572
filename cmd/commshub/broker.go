package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/broker"
)

func newBroker(g *global) *cobra.Command {
	var listen, dir string
	identity := hub.DefaultConfig()
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run the MQTT broker of a home",
		Long: `Run an MQTT 3.1.1 broker for one home, with TLS and client certificates. A device reaches its own two
topics and the clock, and nothing else. Any other broker works as well.`,
		Example: "  commshub broker --listen 127.0.0.1:8883",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := listenAddress("listen", listen); err != nil {
				return err
			}
			log, err := g.logger()
			if err != nil {
				return err
			}
			server, err := input(pki.Server(g.path(dir, "pki"), brokerHosts()...))
			if err != nil {
				return err
			}
			number, err := g.home(g.path(dir, "pki"), home.Asked{})
			if err != nil {
				return err
			}
			identity = number.HubOr(identity)
			cert := server.TLS()
			b, err := broker.Start(broker.Options{
				Listen: listen, StoreDir: g.path("", "broker"), TLS: &cert, ClientRoots: server.Roots(), Log: log,
				Certificate: func(id han.EUI64) (broker.Grant, error) {
					if id == identity.EUI64 {
						return broker.HubGrant(id), nil
					}
					return broker.DeviceGrant(identity.EUI64, id), nil
				},
			})
			if err != nil {
				return inputError{err}
			}
			log.Info("broker ready", "url", b.URL(), "hub", identity.EUI64)
			<-cmd.Context().Done()
			if err := b.Close(); err != nil {
				return outcomeError{fmt.Sprintf("stop broker: %v", err)}
			}
			log.Info("broker stopped")
			return nil
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8883", "address to listen on")
	pkiFlag(cmd, &dir)
	hubAddress(cmd.Flags(), &identity)
	return cmd
}
