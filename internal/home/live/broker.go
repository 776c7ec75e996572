package live

import (
	"crypto/tls"
	"fmt"
	"net/url"
	"strings"

	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/secretfile"
)

// BrokerAccess says how to reach an MQTT broker.
type BrokerAccess struct {
	URL  string // mqtts://host:port, or mqtt://host:port without TLS
	User string // without it whoever has a certificate proves itself with that
	// PasswordFile has the password of the user; "" for none.
	PasswordFile string
}

// With returns how the holder of a credential reaches the broker. Without a credential
// the broker has to be content with a password, or with nothing; its own certificate is
// then checked against root.pem in the folder pkiDir.
func (a BrokerAccess) With(own *pki.Credential, pkiDir string) (Broker, error) {
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" {
		return Broker{}, fmt.Errorf("broker %q: want mqtt://host:port or mqtts://host:port", foreign.Address(a.URL))
	}
	if u.User != nil {
		return Broker{}, fmt.Errorf("broker %q: want no user and password before the host; --broker-user and --broker-password-file take them", foreign.Address(a.URL))
	}
	out := Broker{URL: a.URL, Username: a.User}
	switch u.Scheme {
	case "mqtts", "ssl":
		if out.TLS, err = brokerTLS(own, pkiDir); err != nil {
			return Broker{}, err
		}
	case "mqtt", "tcp":
	default:
		return Broker{}, fmt.Errorf("broker %q: scheme %s, want mqtt or mqtts", a.URL, u.Scheme)
	}
	if a.PasswordFile != "" {
		text, err := secretfile.Read(a.PasswordFile, 4096)
		if err != nil {
			return Broker{}, fmt.Errorf("password file of the broker: %w", err)
		}
		out.Password = strings.TrimRight(string(text), "\r\n")
	}
	return out, nil
}

func brokerTLS(own *pki.Credential, pkiDir string) (*tls.Config, error) {
	if own != nil {
		return &tls.Config{RootCAs: own.Roots(), Certificates: []tls.Certificate{own.TLS()}, MinVersion: tls.VersionTLS12}, nil
	}
	roots, err := pki.LoadRoots(pkiDir)
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
