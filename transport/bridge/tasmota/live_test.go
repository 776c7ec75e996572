package tasmota

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/commshub/commshub/internal/bridgetest"
	"github.com/commshub/commshub/internal/loopback"
	"github.com/commshub/commshub/transport/bridge"
)

// TestUpdateOverARealBroker updates a simulated device over the broker of the
// product and over Mosquitto, both ways; by HTTP it fetches the image for real.
func TestUpdateOverARealBroker(t *testing.T) {
	for name, start := range bridgetest.Brokers {
		for _, by := range []string{"http", "mqtt"} {
			t.Run(name+" by "+by, func(t *testing.T) {
				url := start(t)
				hub := bridgetest.NewHub(plug, otaFile(), 0x0D010000)
				section := fmt.Sprintf("http: {listen: %s}\ntasmota:\n%s", loopback.Free(t), oneDevice("by: "+by))
				b := bridgetest.Start(t, url, section, t.TempDir(), Kind(), hub)
				d := newPlug()
				own := d.url
				d.fetch = fetch
				look := runPlug(t, url, d)
				bridgetest.Until(t, "the hub knows that the device runs the image", func() bool { return hub.Last().State == bridge.Activated })
				bridgetest.Until(t, "the device holds the image, and its own address for others", func() bool {
					return look(func() bool { return bytes.Equal(d.image, firmware) && d.url == own })
				})
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				http.DefaultClient.CloseIdleConnections()
			})
		}
	}
}

func fetch(url string) ([]byte, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return io.ReadAll(resp.Body)
}

// runPlug connects the device. What it does with a command happens one after the
// other; look looks at it meanwhile.
func runPlug(t *testing.T, url string, d *simulated) (look func(func() bool) bool) {
	t.Helper()
	var mu sync.Mutex
	commands := make(chan bridge.Message, 1024)
	client := bridgetest.Dial(t, url, "plug", func(topic string, payload []byte) { commands <- bridge.Message{Topic: topic, Payload: payload} }, "cmnd/plug/+")
	say := func(m bridge.Message) { client.Publish(m.Topic, 0, m.Retained, m.Payload) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m := range commands {
			mu.Lock()
			answers := d.handle(m)
			mu.Unlock()
			for _, answer := range answers {
				say(answer)
			}
		}
	}()
	t.Cleanup(func() {
		client.Disconnect(100)
		close(commands)
		<-done
	})
	say(d.say("tele", "LWT", "Online"))
	return func(f func() bool) bool {
		mu.Lock()
		defer mu.Unlock()
		return f()
	}
}
