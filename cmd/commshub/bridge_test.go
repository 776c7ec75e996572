package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/loopback"
	"github.com/commshub/commshub/transport/broker"
)

// TestHomeAssistantWatchesAndInstalls runs a home with --bridge beside the hub.
// On the outside broker the meters are announced, the update's progress is seen,
// the order to install reaches the gas meter, and after the end nothing is left.
func TestHomeAssistantWatchesAndInstalls(t *testing.T) {
	t.Parallel()
	brokers := map[string]func(t *testing.T, p *processes) string{"embedded": outsideEmbedded, "mosquitto": outsideMosquitto}
	for name, start := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t)
			url := start(t, p)
			w := watch(t, url)
			p.embeddedBroker()
			esme, gsme := home.DefaultESME.String(), home.DefaultGSME.String()
			p.write("secret", "secret")
			config := p.write("bridge.yaml", fmt.Sprintf(`broker: {url: %q, username: bridge, password-file: %s}
homeassistant:
  meters:
    - {id: %s, label: Electricity}
    - {id: %s, label: Gas, install: true}
glow:
  interval: 1s
  electricity: {id: %[3]s}
  gas: {id: %[4]s}
`, url, p.dir+"/secret", esme, gsme))
			address := strings.TrimPrefix(p.apiURL, "http://")
			p.run("hub", "hub", "--broker", p.broker, "--listen", address, "--speed", "1800", "--pacing", "blocks=80", "--bridge", config)
			p.listening(address)
			p.command("device", "add", esme, "--kind", "ESME")
			p.command("device", "add", gsme, "--kind", "GSME")
			p.meter("esme")
			p.meter("gsme")
			p.until("the meters' readings are shown", func() bool {
				return w.object("commshub/" + esme + "/state")["energy"] != nil && w.object("commshub/" + gsme + "/state")["gas"] != nil
			})
			p.until("a display's topics are there", func() bool {
				return w.object("glow/1234567890A3/SENSOR/electricitymeter") != nil && w.object("glow/1234567890A3/SENSOR/gasmeter") != nil
			})
			p.command("firmware", "upload", p.sample())
			p.command("firmware", "distribute", "02000000", gsme)
			update := "commshub/" + gsme + "/update"
			p.until("the update is shown", func() bool { return w.object(update)["latest_version"] == "02000000" })
			p.until("its progress is shown", func() bool { v, _ := w.object(update)["update_percentage"].(float64); return v > 0 })
			p.until("the meter holds the image", func() bool { return p.update(gsme).State == "transferred" })
			w.say("commshub/"+esme+"/install", "install") // not allowed
			w.say("commshub/"+gsme+"/install", "install")
			p.until("the meter runs the image", func() bool {
				return w.object(update)["installed_version"] == "02000000" && w.object(update)["in_progress"] == false
			})
			if n := len(w.retained()); n < 8 {
				t.Errorf("%d retained messages while the bridge runs: %v", n, w.retained())
			}
			p.end("hub")
			if left := w.retained(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func outsideEmbedded(t *testing.T, _ *processes) string {
	t.Helper()
	everything := broker.Grant{Publish: []string{"#"}, Subscribe: []string{"#"}}
	b, err := broker.Start(broker.Options{StoreDir: t.TempDir(), Accounts: map[string]broker.Account{
		"bridge": {Password: "secret", Grant: everything},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b.URL()
}

func outsideMosquitto(t *testing.T, p *processes) string {
	t.Helper()
	binary := secondBroker(t)
	address := loopback.Free(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	conf := p.write("outside.conf", "listener "+port+" 127.0.0.1\nallow_anonymous true\npersistence false\nuser root\n")
	p.start("outside", exec.Command(binary, "-c", conf))
	p.listening(address)
	return "mqtt://" + address
}

// end ends a process with an interrupt and waits for it.
func (p *processes) end(role string) {
	p.t.Helper()
	cmd := p.running[role]
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		p.t.Errorf("%s ended with %v:\n%s", role, err, p.tail(role))
	}
	delete(p.running, role)
}

// watcher is what somebody sees on the outside broker.
type watcher struct {
	paho.Client
	t   *testing.T
	url string

	mu   sync.Mutex
	last map[string][]byte // by topic
}

func watch(t *testing.T, url string) *watcher {
	t.Helper()
	w := &watcher{t: t, url: url, last: map[string][]byte{}}
	w.Client = w.connect("watcher", func(m paho.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.last[m.Topic()] = m.Payload()
	})
	t.Cleanup(func() { w.Disconnect(100) })
	return w
}

func (w *watcher) connect(id string, take func(m paho.Message)) paho.Client {
	w.t.Helper()
	c := paho.NewClient(paho.NewClientOptions().AddBroker(strings.Replace(w.url, "mqtt:", "tcp:", 1)).SetClientID(id).
		SetUsername("bridge").SetPassword("secret").SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { take(m) }))
	for _, step := range []func() paho.Token{c.Connect, func() paho.Token { return c.Subscribe("#", 1, nil) }} {
		if token := step(); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
			w.t.Fatal("watch the broker:", token.Error())
		}
	}
	return c
}

func (w *watcher) say(topic, payload string) {
	w.t.Helper()
	if token := w.Publish(topic, 1, false, payload); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		w.t.Fatal(token.Error())
	}
}

func (w *watcher) object(topic string) map[string]any {
	w.mu.Lock()
	defer w.mu.Unlock()
	var v map[string]any
	_ = json.Unmarshal(w.last[topic], &v) // nothing yet
	return v
}

// retained returns what a client that comes now would be given. A message of its
// own is the sign that all of it has come.
func (w *watcher) retained() []string {
	w.t.Helper()
	var topics []string
	done := make(chan bool, 1)
	c := w.connect("auditor", func(m paho.Message) {
		switch {
		case m.Topic() == "audit/end":
			done <- true
		case m.Retained():
			topics = append(topics, m.Topic())
		}
	})
	defer c.Disconnect(100)
	if token := c.Publish("audit/end", 1, false, "x"); !token.WaitTimeout(20*time.Second) || token.Error() != nil {
		w.t.Fatal(token.Error())
	}
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		w.t.Fatal("the broker does not answer")
	}
	slices.Sort(topics)
	return topics
}
