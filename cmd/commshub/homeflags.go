package main

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/live"
)

// homeFlags adds --home and --published-ids: whose identities a new home has.
func homeFlags(f *pflag.FlagSet, asked *home.Asked) {
	f.Var(asked, "home", fmt.Sprintf("whose identities a new home has: a number from 0 to %d, or own: drawn once", home.MaxNumber))
	f.Var(home.Published{Asked: asked}, "published-ids", "a new home has the identities of the published GBCS test set, as --home 0")
	f.Lookup("published-ids").NoOptDefVal = "true"
}

// home returns the number of the home whose certificates are in a folder.
func (g *global) home(certificates string, asked home.Asked) (home.Number, error) {
	return input(home.NumberOf(certificates, g.folder(), asked))
}

// hubAddress adds --hub-eui64.
func hubAddress(f *pflag.FlagSet, c *hub.Config) {
	c.EUI64 = 0 // the home's
	f.Var((*flagvalue.EUI64)(&c.EUI64), "hub-eui64", "HAN address of the hub, the GPF's identifier (default: the home's)")
}

// hubIdentity adds the flags that hub and devices must agree on.
func hubIdentity(f *pflag.FlagSet, c *hub.Config) {
	hubAddress(f, c)
	f.Var((*flagvalue.EUI64)(&c.Supplier), "supplier-id", "identifier of the supplier")
	f.Uint8Var(&c.Endpoint, "hub-endpoint", c.Endpoint, "endpoint of the hub's Energy Services Interface")
	f.Uint8Var(&c.MirrorEndpoint, "mirror-endpoint", c.MirrorEndpoint, "endpoint of the hub's first mirror")
}

// brokerFlags say how to reach an MQTT broker.
type brokerFlags struct{ live.BrokerAccess }

const defaultBrokerURL = "mqtts://127.0.0.1:8883"

func (b *brokerFlags) register(cmd *cobra.Command, def string) {
	f := cmd.Flags()
	f.StringVar(&b.URL, "broker", def, "MQTT broker: mqtts://host:port with certificates, mqtt://host:port without TLS")
	f.StringVar(&b.User, "broker-user", "", "user name at the broker, if it asks for a password")
	f.StringVar(&b.PasswordFile, "broker-password-file", "", "file with the password at the broker")
}

// listenAddress checks an address to listen on. Others than loopback have to be
// asked for by name.
func listenAddress(flag, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return badInput("--%s %q: want host:port, such as 127.0.0.1:8080", flag, address)
	}
	return nil
}
