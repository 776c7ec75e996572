// Package bridgetest holds what live tests of the bridge's adapters share: a hub
// with one image for one device, brokers to meet on, and a running bridge. Only
// tests import it.
package bridgetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/bridge"
	"github.com/commshub/commshub/transport/broker"
)

// Patience is how long anything may take on a busy machine.
const Patience = 30 * time.Second

// Hub distributes one image to one device and remembers what it is told.
type Hub struct {
	device  han.EUI64
	file    []byte
	version uint32

	mu      sync.Mutex
	reports []bridge.Report
}

var _ bridge.Hub = (*Hub)(nil)

// NewHub returns a hub that distributes an OTA file.
func NewHub(device han.EUI64, file []byte, version uint32) *Hub {
	return &Hub{device: device, file: file, version: version}
}

// Home implements bridge.Hub. The update stands as the last report says.
func (h *Hub) Home(context.Context) (*bridge.Home, error) {
	u := &bridge.Update{State: bridge.Pending, Image: bridge.Image{
		Hash: sha256.Sum256(h.file), Size: int64(len(h.file)), Manufacturer: 0xFFF1, FileVersion: h.version,
	}}
	if r := h.Last(); r.State != "" {
		u.State, u.Offset, u.Outcome = r.State, r.Offset, r.Outcome
	}
	return &bridge.Home{Speed: 1, Devices: []bridge.Device{{EUI64: h.device, Kind: bridge.KindBridged, Update: u}}}, nil
}

// Fetch implements bridge.Hub.
func (h *Hub) Fetch(_ context.Context, _ bridge.Hash, w io.Writer) error {
	_, err := io.Copy(w, bytes.NewReader(h.file))
	return err
}

// Introduce implements bridge.Hub.
func (h *Hub) Introduce(context.Context, bridge.Mapping) error { return nil }

// Install implements bridge.Hub.
func (h *Hub) Install(context.Context, han.EUI64) error { return nil }

// Report implements bridge.Hub.
func (h *Hub) Report(_ context.Context, r bridge.Report) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports = append(h.reports, r)
	return nil
}

// Last returns the last report about an update; zero if there was none.
func (h *Hub) Last() bridge.Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.reports) - 1; i >= 0; i-- {
		if h.reports[i].Image != (bridge.Hash{}) {
			return h.reports[i]
		}
	}
	return bridge.Report{}
}

// Start starts a bridge with one adapter, whose section of the configuration is
// given, and returns when it works.
func Start(t testing.TB, url, section, dir string, kind bridge.Kind, hub bridge.Hub) *bridge.Bridge {
	t.Helper()
	text := fmt.Sprintf("broker: {url: %s}\n%s", url, section)
	c, err := bridge.ParseConfig("bridge.yaml", []byte(text), []bridge.Kind{kind})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bridge.Start(context.Background(), bridge.Options{Config: c, Hub: hub, Dir: dir, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Active():
	case <-time.After(Patience):
		t.Fatal("the bridge does not work")
	}
	return b
}

// Brokers are the brokers that tests use: the product's, and that of the field.
// Each function returns the URL, with a user that may do anything.
var Brokers = map[string]func(testing.TB) string{"embedded": embedded, "mosquitto": mosquitto}

func embedded(t testing.TB) string {
	t.Helper()
	b, err := broker.Start(broker.Options{StoreDir: t.TempDir(), Accounts: map[string]broker.Account{
		"anybody": {Password: "secret", Grant: broker.Grant{Publish: []string{"#"}, Subscribe: []string{"#"}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return strings.Replace(b.URL(), "://", "://anybody:secret@", 1)
}

func mosquitto(t testing.TB) string {
	t.Helper()
	binary, err := exec.LookPath("mosquitto")
	if err != nil {
		t.Skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
	}
	for range 5 { // somebody else may take the port in between
		if address, ok := startMosquitto(t, binary); ok {
			return "mqtt://" + address
		}
	}
	t.Fatal("mosquitto does not start")
	return ""
}

// startMosquitto starts it on a free port, and reports whether it got it.
func startMosquitto(t testing.TB, binary string) (address string, ok bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nuser root\n", port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // killed, or without its port
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // nothing of it is needed any more
		<-ended
	})
	address = fmt.Sprintf("127.0.0.1:%d", port)
	Until(t, "mosquitto listens, or ended", func() bool {
		select {
		case <-ended:
			return true
		default:
		}
		c, err := net.Dial("tcp", address)
		ok = err == nil && c.Close() == nil
		return ok
	})
	return address, ok
}

// Dial connects a device to a broker; receive takes what it subscribes to.
func Dial(t testing.TB, url, id string, receive func(topic string, payload []byte), filters ...string) paho.Client {
	t.Helper()
	o := paho.NewClientOptions().AddBroker(strings.Replace(url, "mqtt:", "tcp:", 1)).SetClientID(id).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { receive(m.Topic(), m.Payload()) })
	c := paho.NewClient(o)
	Done(t, c.Connect())
	for _, f := range filters {
		Done(t, c.Subscribe(f, 0, nil))
	}
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

// Done demands that the broker took something.
func Done(t testing.TB, token paho.Token) {
	t.Helper()
	if !token.WaitTimeout(Patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
}

// Until looks again and again until something is so.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
	}
}
