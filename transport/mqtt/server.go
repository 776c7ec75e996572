package mqtt

import (
	"fmt"
	"net"
	"net/url"
)

// server is a broker's address.
type server struct {
	scheme             string
	host, address      string // without and with port
	tls                bool
	username, password string // from the URL, empty if it has none
}

// String returns the URL without the password, for errors.
func (s server) String() string { return s.scheme + "://" + s.address }

func parseURL(text string) (server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || (u.Path != "" && u.Path != "/") {
		return server{}, fmt.Errorf("broker URL: want one such as mqtt://localhost:1883")
	}
	s := server{scheme: u.Scheme, host: u.Hostname(), username: u.User.Username()}
	s.password, _ = u.User.Password()
	port := "1883"
	switch u.Scheme {
	case "mqtt", "tcp":
	case "mqtts", "ssl", "tls":
		s.tls, port = true, "8883"
	default:
		return server{}, fmt.Errorf("broker URL: scheme %q is not mqtt, tcp, mqtts or ssl", u.Scheme)
	}
	if given := u.Port(); given != "" {
		port = given
	}
	s.address = net.JoinHostPort(s.host, port)
	return s, nil
}
