package mqtt

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Server is a broker's address.
type Server struct {
	scheme        string
	host, address string // without and with port
	tls           bool
	// Username and Password are from the URL, empty if it has none.
	Username, Password string
}

// String returns the URL without the password, for errors.
func (s Server) String() string { return s.scheme + "://" + s.address }

// Address returns host and port.
func (s Server) Address() string { return s.address }

// ParseServer reads a URL: mqtt://host:port or tcp://…, mqtts:// or ssl:// for TLS.
func ParseServer(text string) (Server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || (u.Path != "" && u.Path != "/") {
		return Server{}, fmt.Errorf("broker URL: want one such as mqtt://localhost:1883")
	}
	s := Server{scheme: u.Scheme, host: u.Hostname(), Username: u.User.Username()}
	s.Password, _ = u.User.Password()
	port := "1883"
	switch u.Scheme {
	case "mqtt", "tcp":
	case "mqtts", "ssl", "tls":
		s.tls, port = true, "8883"
	default:
		return Server{}, fmt.Errorf("broker URL: scheme %q is not mqtt, tcp, mqtts or ssl", u.Scheme)
	}
	if given := u.Port(); given != "" {
		port = given
	}
	s.address = net.JoinHostPort(s.host, port)
	return s, nil
}

// Dial connects TCP, and TLS over it if the scheme says so. When ctx is done the connection is closed,
// so that nothing that waits for it outlives its user.
func (s Server) Dial(ctx context.Context, secrets *tls.Config) (net.Conn, error) {
	dialer := net.Dialer{Timeout: connectTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	if s.tls {
		config := &tls.Config{}
		if secrets != nil {
			config = secrets.Clone()
		}
		if config.ServerName == "" {
			config.ServerName = s.host
		}
		secure := tls.Client(conn, config)
		handshake, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		if err := secure.HandshakeContext(handshake); err != nil {
			_ = conn.Close()
			return nil, err
		}
		conn = secure
	}
	return &abortable{Conn: conn, stop: context.AfterFunc(ctx, func() {
		// Leave the goodbye its time.
		time.AfterFunc(quiesce, func() { _ = conn.Close() })
	})}, nil
}

// abortable is a connection that is closed when a context is done.
type abortable struct {
	net.Conn
	stop func() bool
}

// Close implements net.Conn.
func (a *abortable) Close() error {
	a.stop()
	return a.Conn.Close()
}
