// Package broker is the MQTT broker inside the product: a nats-server of which
// only the MQTT 3.1.1 listener is open.
//
// Every client proves who it is, with a password or with a device certificate,
// and gets a [Grant]: the topics it may publish and subscribe. A device reaches
// nothing but its own two topics and the clock, so that one device can neither
// read nor imitate another. DTLS would refuse it too; this keeps it from trying.
//
//	                    hub <hub>     device <dev>
//	han/<hub>/<dev>/up    reads          writes
//	han/<hub>/<dev>/down  writes         reads
//	han/<hub>/clock       writes         reads    (retained)
//
// Payloads, connections and log lines are bounded. Sessions and retained
// messages live in a JetStream store in the folder that [Options] names.
package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/commshub/commshub/han"
)

const (
	// maxPayload bounds a message. The largest datagram is a fourth of it.
	maxPayload = 16 << 10
	// maxStore bounds the folder; the product itself retains one small message.
	maxStore  = 256 << 20
	maxMemory = 16 << 20

	defaultConnections = 4096
	startTimeout       = 10 * time.Second
	// authTimeout bounds how long a connection may stay silent before it says who it is.
	authTimeout = 5 * time.Second
	// keepPending is how much a slow reader may lag before it is cut off.
	keepPending = 8 << 20
)

// Options says how to run a broker. At least one of Accounts, Password and
// Certificate is needed; without them nobody could connect.
type Options struct {
	Listen   string // host:port, default 127.0.0.1:0
	StoreDir string // folder for sessions and retained messages, required

	// Accounts maps user names to passwords and grants.
	Accounts map[string]Account
	// Password is asked about user names that are not in Accounts.
	Password func(username, password string) (Grant, error)

	// TLS is the server certificate. With it the listener speaks TLS only.
	TLS *tls.Certificate
	// ClientRoots lets clients prove their identity with a certificate that
	// chains to one of these roots; the identity is the EUI64 in it. Needs TLS.
	ClientRoots *x509.CertPool
	// Certificate returns what the holder of a certificate may do. Required with
	// ClientRoots.
	Certificate func(id han.EUI64) (Grant, error)

	MaxConnections int          // default 4096
	Log            *slog.Logger // warnings and errors, one line each; default none
}

// Account is a user that proves itself with a password.
type Account struct {
	Password string
	Grant    Grant
}

// Broker is a running broker.
type Broker struct {
	server *server.Server
	lines  *logLines
	lock   *os.File // of the store folder
	addr   string
	scheme string
}

// Start runs a broker and returns when it accepts connections.
func Start(opts Options) (*Broker, error) {
	lines := newLogLines(opts.Log)
	config, err := opts.server(lines)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	locked, err := lock(opts.StoreDir)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	s, err := server.NewServer(config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), locked.Close())
	}
	s.SetLogger(lines, false, false)
	s.Start()
	if err := lines.fatal(); err != nil || !s.ReadyForConnections(startTimeout) {
		s.Shutdown()
		s.WaitForShutdown()
		if err == nil {
			err = fmt.Errorf("not ready after %s", startTimeout)
		}
		return nil, errors.Join(fmt.Errorf("start broker: %w", err), locked.Close())
	}
	b := &Broker{
		server: s,
		lines:  lines,
		lock:   locked,
		addr:   net.JoinHostPort(config.MQTT.Host, strconv.Itoa(config.MQTT.Port)),
		scheme: "mqtt",
	}
	if opts.TLS != nil {
		b.scheme = "mqtts"
	}
	return b, nil
}

// URL returns the address as MQTT clients take it.
func (b *Broker) URL() string { return b.scheme + "://" + b.addr }

// Trouble returns the last lines that the broker logged, if there has been an error, as
// of a disk that is full; "" if not.
func (b *Broker) Trouble() string { return b.lines.trouble() }

// Close cuts all clients off and returns when everything is released.
func (b *Broker) Close() error {
	b.server.Shutdown()
	b.server.WaitForShutdown()
	return b.lock.Close()
}

// server translates the options to nats-server's.
func (o *Options) server(lines *logLines) (*server.Options, error) {
	if o.StoreDir == "" {
		return nil, errors.New("no store folder given")
	}
	listen := o.Listen
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: want host:port", listen)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %q is not a port", listen, portText)
	}
	mqttPort := int(port)
	if mqttPort == 0 {
		mqttPort = -1 // nats-server's word for any free port; its 0 means no listener
	}
	auth, err := newAuthenticator(o, lines)
	if err != nil {
		return nil, err
	}
	connections := o.MaxConnections
	if connections == 0 {
		connections = defaultConnections
	}
	return &server.Options{
		ServerName:                 "commshub",
		DontListen:                 true,
		NoSigs:                     true,
		NoSystemAccount:            true,
		DisableJetStreamBanner:     true,
		JetStream:                  true,
		JetStreamMaxMemory:         maxMemory,
		JetStreamMaxStore:          maxStore,
		StoreDir:                   o.StoreDir,
		MaxPayload:                 maxPayload,
		MaxPending:                 keepPending,
		MaxConn:                    connections,
		CustomClientAuthentication: auth,
		MQTT: server.MQTTOpts{
			Host:        host,
			Port:        mqttPort,
			AuthTimeout: authTimeout.Seconds(),
			TLSConfig:   o.tls(),
			TLSTimeout:  authTimeout.Seconds(),
		},
	}, nil
}

// tls returns the listener's configuration, or nil without TLS. A client without
// a certificate is let through to the password check only if there is one.
func (o *Options) tls() *tls.Config {
	if o.TLS == nil {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*o.TLS}}
	if o.ClientRoots != nil {
		config.ClientCAs = o.ClientRoots
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if o.hasPasswords() {
			config.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	return config
}

func (o *Options) hasPasswords() bool { return len(o.Accounts) > 0 || o.Password != nil }
