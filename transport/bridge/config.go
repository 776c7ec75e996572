package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/secretfile"
	"github.com/commshub/commshub/transport/mqtt"
)

// Config is a bridge's configuration file.
type Config struct {
	// Group is the name that bridges share of which one at a time works.
	Group  string
	Broker Broker
	HTTP   HTTP
	// Adapters are those that the file has a section for, in the order of the file.
	Adapters []Adapter
}

// Broker is the outside broker.
type Broker struct {
	URL          string `yaml:"url"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password-file"`
	// CAFile is a PEM file with the authorities to trust, besides those of the system.
	CAFile string `yaml:"ca-file"`
	// ClientID is the client identifier, default commshub-bridge-<instance>.
	ClientID string `yaml:"client-id"`

	server   mqtt.Server
	password string
	tls      *tls.Config
}

func (b *Broker) clientID(instance string) string {
	if b.ClientID != "" {
		return b.ClientID
	}
	return "commshub-bridge-" + instance
}

// HTTP is the endpoint for devices that fetch images by HTTP.
type HTTP struct {
	// Listen is an address such as 127.0.0.1:8099; empty: no endpoint.
	Listen string `yaml:"listen"`
	// URL is how devices reach it, default http://<listen>.
	URL string `yaml:"url"`
	// Index serves /index.json, an index of the images on offer as Zigbee2MQTT reads
	// it. Whoever reads it learns the links.
	Index bool `yaml:"index"`
}

// Kind makes adapters of one name from their section of the configuration.
type Kind struct {
	Name string
	New  func(section *Section) (Adapter, error)
}

// KindOf returns the kind of an adapter whose section is decoded over defaults. What
// build refuses is told with the section's place in the file.
func KindOf[C any, A Adapter](name string, defaults C, build func(C) (A, error)) Kind {
	return Kind{Name: name, New: func(s *Section) (Adapter, error) {
		c := defaults
		if err := s.Decode(&c); err != nil {
			return nil, err
		}
		a, err := build(c)
		if err != nil {
			return nil, s.Errorf("", "%w", err)
		}
		return a, nil
	}}
}

// ParseConfig reads the text of a configuration file. kinds are the adapters there are;
// two of one name are a programmer's error and panic. Every error begins with
// file:line:column.
func ParseConfig(path string, text []byte, kinds []Kind) (Config, error) {
	c := Config{Group: "home"}
	root, err := parseDocument(path, text)
	if err != nil {
		return c, err
	}
	known := map[string]Kind{}
	for _, k := range kinds {
		if _, twice := known[k.Name]; twice {
			panic(fmt.Sprintf("bridge: two kinds of adapter are named %s", k.Name))
		}
		known[k.Name] = k
	}
	err = root.members(func(key *yaml.Node, value *Section) error {
		switch key.Value {
		case "group":
			return value.Decode(&c.Group)
		case "broker":
			return value.Decode(&c.Broker)
		case "http":
			return value.Decode(&c.HTTP)
		}
		kind, ok := known[key.Value]
		if !ok {
			return root.at(key, "unknown key %q, want group, broker, http or an adapter: %s", key.Value, names(kinds))
		}
		a, err := kind.New(value)
		if err == nil {
			c.Adapters = append(c.Adapters, a)
		}
		return err
	})
	if err == nil {
		err = c.check(root)
	}
	return c, err
}

func names(kinds []Kind) string {
	var all []string
	for _, k := range kinds {
		all = append(all, k.Name)
	}
	return strings.Join(all, ", ")
}

func (c *Config) check(root *Section) error {
	if !isInstance(c.Group) {
		return root.Errorf("group", "group %q: want 1 to 32 lower-case letters and digits", c.Group)
	}
	if c.Broker.URL == "" {
		return root.Errorf("", "broker: url is missing")
	}
	if len(c.Adapters) == 0 {
		return root.Errorf("", "no adapter has a section, so there is nothing to bridge")
	}
	if err := c.Broker.open(); err != nil {
		return root.Errorf("broker", "%v", err)
	}
	if err := c.HTTP.check(); err != nil {
		return root.Errorf("http", "%v", err)
	}
	owners := map[han.EUI64]string{}
	for _, a := range c.Adapters {
		for _, m := range a.Devices() {
			if m.EUI64 == 0 {
				return root.Errorf(a.Name(), "a device has no id")
			}
			if other, taken := owners[m.EUI64]; taken {
				return root.Errorf(a.Name(), "device %s stands under %s too", m.EUI64, other)
			}
			owners[m.EUI64] = a.Name()
		}
	}
	return nil
}

// open reads what the broker's settings name.
func (b *Broker) open() error {
	var err error
	if b.server, err = mqtt.ParseServer(b.URL); err != nil {
		return err
	}
	if b.Username == "" {
		b.Username, b.password = b.server.Username, b.server.Password
	}
	if b.PasswordFile != "" {
		text, err := secretfile.Read(b.PasswordFile, 4096)
		if err != nil {
			return fmt.Errorf("password-file: %w", err)
		}
		b.password = strings.TrimRight(string(text), "\r\n")
	}
	if b.CAFile == "" {
		return nil
	}
	pem, err := os.ReadFile(b.CAFile)
	if err != nil {
		return fmt.Errorf("ca-file: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca-file %s: no certificate in it", b.CAFile)
	}
	b.tls = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return nil
}

func (h *HTTP) check() error {
	if h.Listen == "" {
		if h.URL != "" {
			return errors.New("url without listen")
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(h.Listen); err != nil {
		return fmt.Errorf("listen %q: want host:port, such as 127.0.0.1:8099", h.Listen)
	}
	if h.URL == "" {
		h.URL = "http://" + h.Listen
	}
	if u, err := url.Parse(h.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("url %q: want an address such as http://192.168.1.5:8099", h.URL)
	}
	return nil
}
