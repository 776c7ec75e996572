package filestreams

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/commshub/commshub/internal/bridgetest"
	"github.com/commshub/commshub/transport/bridge"
)

// TestDownloadOverARealBroker lets a device fetch a file over the broker of the
// product and over Mosquitto, in windows, with a restart of the bridge in the
// middle. All the device knows is its name.
func TestDownloadOverARealBroker(t *testing.T) {
	for name, start := range bridgetest.Brokers {
		t.Run(name, func(t *testing.T) {
			url := start(t)
			file := sampleFile(40_000)
			hub := bridgetest.NewHub(thermostat, file, 0x02000000)
			dir := t.TempDir()
			running := bridgetest.Start(t, url, pacedLive, dir, Kind(), hub)
			d := dialDevice(t, url)
			got := d.fetch(d.notice(), 15)
			if err := running.Close(); err != nil {
				t.Fatal(err)
			}
			running = bridgetest.Start(t, url, pacedLive, dir, Kind(), hub)
			got = append(got, d.fetch(d.notice(), 100)...)
			if !bytes.Equal(got, file) {
				t.Errorf("%d bytes arrived, want the %d of the file", len(got), len(file))
			}
			if d.waits == 0 {
				t.Error("the device was never told to wait")
			}
			bridgetest.Until(t, "the hub knows", func() bool { return hub.Last().State == bridge.Transferred })
			// What was sent in the last second before the restart is not counted.
			if r := hub.Last(); r.Offset != 40_000 || r.Blocks < 25 || r.Blocks > 40 || r.Windows < 3 {
				t.Errorf("report %+v", r)
			}
			if err := running.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

const pacedLive = "file-streams:\n  devices:\n  - {id: 00DB12345678B001, thing: thermostat, file: 1, pacing: {every: 1s, blocks: 12}}\n"

type message struct {
	topic   string
	payload []byte
}

// fetcher is a device that fetches files.
type fetcher struct {
	t      *testing.T
	client paho.Client
	heard  chan message
	block  int64 // the next one
	waits  int
}

func dialDevice(t *testing.T, url string) *fetcher {
	t.Helper()
	d := &fetcher{t: t, heard: make(chan message, 1024)}
	d.client = bridgetest.Dial(t, url, "thermostat", func(topic string, payload []byte) { d.heard <- message{topic, payload} },
		"commshub/streams/thermostat", "$aws/things/thermostat/streams/+/data/json", "$aws/things/thermostat/streams/+/rejected/json")
	return d
}

// notice waits until the device is told what to fetch.
func (d *fetcher) notice() noticeMessage {
	d.t.Helper()
	timeout := time.After(bridgetest.Patience)
	for {
		select {
		case m := <-d.heard:
			var n noticeMessage
			if m.topic == "commshub/streams/thermostat" && json.Unmarshal(m.payload, &n) == nil {
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
			bridgetest.Done(d.t, d.client.Publish(prefix+"get/json", 0, false, request))
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
	timeout := time.After(bridgetest.Patience)
	for {
		select {
		case m := <-d.heard:
			var r received
			var told rejectedMessage
			switch {
			case m.topic == "commshub/streams/thermostat": // told twice
			case m.topic == prefix+"data/json" && json.Unmarshal(m.payload, &r) == nil && *r.Block == d.block:
				return &r
			case m.topic == prefix+"rejected/json" && json.Unmarshal(m.payload, &told) == nil && told.Code == tryLater:
				d.waits++
				time.Sleep(time.Duration(told.Wait) * time.Second) // as the protocol says
				return nil
			default:
				d.t.Fatalf("answer %s %s", m.topic, m.payload)
			}
		case <-timeout:
			d.t.Fatalf("no answer to the request for block %d", d.block)
		}
	}
}
