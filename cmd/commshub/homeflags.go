package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/link"
)

// eui64Flag is a flag for an EUI64.
type eui64Flag han.EUI64

func (e *eui64Flag) String() string { return han.EUI64(*e).String() }
func (e *eui64Flag) Type() string   { return "eui64" }
func (e *eui64Flag) Set(s string) error {
	v, err := han.ParseEUI64(s)
	*e = eui64Flag(v)
	return err
}

// policyFlag is a flag for a pacing policy.
type policyFlag struct{ gasproxy.Policy }

func (p *policyFlag) Type() string { return "policy" }
func (p *policyFlag) Set(s string) error {
	v, err := gasproxy.ParsePolicy(s)
	if err == nil {
		p.Policy = v
	}
	return err
}

// trustFlag is a flag for what a meter demands of an image.
type trustFlag bootloader.Trust

func (t *trustFlag) String() string { return bootloader.Trust(*t).String() }
func (t *trustFlag) Type() string   { return "policy" }
func (t *trustFlag) Set(s string) error {
	v, err := bootloader.ParseTrust(s)
	*t = trustFlag(v)
	return err
}

// timeFlag is a flag for an instant that the devices of a HAN can tell: their clocks
// count 32 bits of seconds from 2000 on.
type timeFlag struct{ time.Time }

func (t *timeFlag) String() string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}
func (t *timeFlag) Type() string { return "time" }
func (t *timeFlag) Set(s string) error {
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return fmt.Errorf("want a time such as 2026-12-01T03:00:00Z")
	}
	if year := v.UTC().Year(); year < 2000 || year > 2135 {
		return fmt.Errorf("want a time from 2000 to 2135")
	}
	t.Time = v.UTC()
	return nil
}

// hubIdentity adds the flags that hub and devices must agree on.
func hubIdentity(f *pflag.FlagSet, c *hub.Config) {
	f.Var((*eui64Flag)(&c.EUI64), "hub-eui64", "HAN address of the hub, the GPF's identifier")
	f.Var((*eui64Flag)(&c.Supplier), "supplier-id", "identifier of the supplier")
	f.Uint8Var(&c.Endpoint, "hub-endpoint", c.Endpoint, "endpoint of the hub's Energy Services Interface")
	f.Uint8Var(&c.MirrorEndpoint, "mirror-endpoint", c.MirrorEndpoint, "endpoint of the hub's first mirror")
}

// brokerFlags say how to reach an MQTT broker.
type brokerFlags struct {
	url, user, passwordFile string
}

const defaultBrokerURL = "mqtts://127.0.0.1:8883"

func (b *brokerFlags) register(cmd *cobra.Command, def string) {
	f := cmd.Flags()
	f.StringVar(&b.url, "broker", def, "MQTT broker: mqtts://host:port with certificates, mqtt://host:port without TLS")
	f.StringVar(&b.user, "broker-user", "", "user name at the broker, if it asks for a password")
	f.StringVar(&b.passwordFile, "broker-password-file", "", "file with the password at the broker")
}

// broker returns how the holder of a certificate reaches the broker. Without a
// user name it proves itself with its certificate.
func (b *brokerFlags) broker(c *pki.Credential) (link.Broker, error) {
	u, err := url.Parse(b.url)
	if err != nil || u.Host == "" || u.User != nil {
		return link.Broker{}, badInput("--broker %q: want mqtt://host:port or mqtts://host:port", b.url)
	}
	out := link.Broker{URL: b.url, Username: b.user}
	switch u.Scheme {
	case "mqtts", "ssl":
		out.TLS = &tls.Config{RootCAs: c.Roots(), Certificates: []tls.Certificate{c.TLS()}, MinVersion: tls.VersionTLS12}
	case "mqtt", "tcp":
	default:
		return link.Broker{}, badInput("--broker %q: scheme %s, want mqtt or mqtts", b.url, u.Scheme)
	}
	if b.passwordFile != "" {
		text, err := os.ReadFile(b.passwordFile)
		if err != nil {
			return link.Broker{}, badInput("--broker-password-file %s: %w", b.passwordFile, reason(err))
		}
		out.Password = strings.TrimRight(string(text), "\r\n")
	}
	return out, nil
}

// listenAddress checks an address to listen on. Others than loopback have to be
// asked for by name.
func listenAddress(flag, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return badInput("--%s %q: want host:port, such as 127.0.0.1:8080", flag, address)
	}
	return nil
}
