package filestreams

import (
	"bytes"
	"context"
	"encoding/json"
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

const patience = 30 * time.Second

// oneImageHub is a hub that distributes one image to the device.
type oneImageHub struct {
	file []byte

	mu      sync.Mutex
	reports []bridge.Report
}

func (h *oneImageHub) Home(context.Context) (*bridge.Home, error) {
	im := imageOf(h.file)
	im.File = nil // the bridge makes a copy
	return homeWith(im), nil
}

func (h *oneImageHub) Fetch(_ context.Context, _ bridge.Hash, w io.Writer) error {
	_, err := w.Write(h.file)
	return err
}

func (h *oneImageHub) Introduce(context.Context, bridge.Mapping) error { return nil }
func (h *oneImageHub) Install(context.Context, han.EUI64) error        { return nil }

func (h *oneImageHub) Report(_ context.Context, r bridge.Report) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports = append(h.reports, r)
	return nil
}

func (h *oneImageHub) last() bridge.Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.reports) == 0 {
		return bridge.Report{}
	}
	return h.reports[len(h.reports)-1]
}

// TestDownloadOverARealBroker lets a device fetch a file over the broker of the
// product and over Mosquitto, in windows, with a restart of the bridge in the
// middle. All the device knows is its name.
func TestDownloadOverARealBroker(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{"embedded": embeddedBroker, "mosquitto": mosquitto} {
		t.Run(name, func(t *testing.T) {
			url := start(t)
			hub := &oneImageHub{file: sampleFile(40_000)}
			dir := t.TempDir()
			running := startBridge(t, url, dir, hub)
			d := dialDevice(t, url)
			got := d.fetch(d.notice(), 15)
			if err := running.Close(); err != nil {
				t.Fatal(err)
			}
			running = startBridge(t, url, dir, hub)
			got = append(got, d.fetch(d.notice(), 100)...)
			if !bytes.Equal(got, hub.file) {
				t.Errorf("%d bytes arrived, want the %d of the file", len(got), len(hub.file))
			}
			if d.waits == 0 {
				t.Error("the device was never told to wait")
			}
			until(t, "the hub knows", func() bool { return hub.last().State == bridge.Transferred })
			// What was sent in the last second before the restart is not counted.
			if r := hub.last(); r.Offset != 40_000 || r.Blocks < 25 || r.Blocks > 40 || r.Windows < 3 {
				t.Errorf("report %+v", r)
			}
			if err := running.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
	}
}

func startBridge(t *testing.T, url, dir string, hub bridge.Hub) *bridge.Bridge {
	t.Helper()
	text := fmt.Sprintf("broker: {url: %s}\nfile-streams:\n  devices:\n  - {id: 00DB12345678B001, thing: thermostat, file: 1, pacing: {every: 1s, blocks: 12}}\n", url)
	c, err := bridge.ParseConfig("bridge.yaml", []byte(text), []bridge.Kind{Kind()})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bridge.Start(context.Background(), bridge.Options{Config: c, Hub: hub, Dir: dir, Poll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-b.Active():
	case <-time.After(patience):
		t.Fatal("the bridge does not work")
	}
	return b
}

// embeddedBroker starts the broker of the product and returns its URL with a user.
func embeddedBroker(t *testing.T) string {
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

// mosquitto starts the broker of the field.
func mosquitto(t *testing.T) string {
	binary, err := exec.LookPath("mosquitto")
	if err != nil {
		t.Skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	text := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\nuser root\n", address.Port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // nothing of it is needed any more
		_ = cmd.Wait()
	})
	until(t, "mosquitto listens", func() bool {
		c, err := net.Dial("tcp", address.String())
		return err == nil && c.Close() == nil
	})
	return "mqtt://" + address.String()
}

// fetcher is a device that fetches files.
type fetcher struct {
	t      *testing.T
	client paho.Client
	heard  chan paho.Message
	block  int64 // the next one
	waits  int
}

func dialDevice(t *testing.T, url string) *fetcher {
	t.Helper()
	d := &fetcher{t: t, heard: make(chan paho.Message, 1024)}
	o := paho.NewClientOptions().AddBroker(strings.Replace(url, "mqtt:", "tcp:", 1)).SetClientID("thermostat").
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { d.heard <- m })
	d.client = paho.NewClient(o)
	d.done(d.client.Connect())
	for _, filter := range []string{"commshub/streams/thermostat", "$aws/things/thermostat/streams/+/data/json", "$aws/things/thermostat/streams/+/rejected/json"} {
		d.done(d.client.Subscribe(filter, 0, nil))
	}
	t.Cleanup(func() { d.client.Disconnect(100) })
	return d
}

func (d *fetcher) done(token paho.Token) {
	d.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		d.t.Fatal(token.Error())
	}
}

// notice waits until the device is told what to fetch.
func (d *fetcher) notice() noticeMessage {
	d.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m := <-d.heard:
			var n noticeMessage
			if m.Topic() == "commshub/streams/thermostat" && json.Unmarshal(m.Payload(), &n) == nil {
				return n
			}
		case <-timeout:
			d.t.Fatal("the device is not told what to fetch")
		}
	}
}

// fetch asks for one block after the other, waits when it is told to, and returns
// at most so many blocks.
func (d *fetcher) fetch(notice noticeMessage, most int) []byte {
	d.t.Helper()
	const size = 1000
	prefix := "$aws/things/thermostat/streams/" + notice.Stream + "/"
	var all []byte
	for ; most > 0 && d.block*size < notice.Size; most-- {
		request := fmt.Sprintf(`{"s": 1,"f": %d,"l": %d,"o": %d,"n": 1}`, notice.File, size, d.block)
		for block := (*received)(nil); block == nil; {
			d.done(d.client.Publish(prefix+"get/json", 0, false, request))
			block = d.answer(prefix)
			if block != nil {
				all = append(all, block.Data...)
			}
		}
		d.block++
	}
	return all
}

// answer returns the block that comes, or nil when the device was told to wait and did.
func (d *fetcher) answer(prefix string) *received {
	d.t.Helper()
	select {
	case m := <-d.heard:
		if m.Topic() == prefix+"data/json" {
			var r received
			if err := json.Unmarshal(m.Payload(), &r); err != nil || *r.Block != d.block {
				d.t.Fatalf("answer %s, %v", m.Payload(), err)
			}
			return &r
		}
		var told rejectedMessage
		if err := json.Unmarshal(m.Payload(), &told); m.Topic() != prefix+"rejected/json" || err != nil || told.Code != tryLater {
			d.t.Fatalf("answer %s %s", m.Topic(), m.Payload())
		}
		d.waits++
		time.Sleep(time.Duration(told.Wait) * time.Second) // as the protocol says
	case <-time.After(patience):
		d.t.Fatal("no answer")
	}
	return nil
}
