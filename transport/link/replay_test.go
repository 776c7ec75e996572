package link

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/commshub/commshub/transport/broker"
)

// tester is the user that may read and write everything on the broker.
const tester = "tester"

// recorder is somebody on the broker who keeps all datagrams, by their topic.
type recorder struct {
	paho.Client
	t *testing.T

	mu  sync.Mutex
	all map[string][][]byte
}

func (h *home) record(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{t: t, all: map[string][][]byte{}}
	r.Client = paho.NewClient(paho.NewClientOptions().AddBroker(strings.Replace(h.broker.URL(), "mqtt:", "tcp:", 1)).
		SetClientID(tester).SetUsername(tester).SetPassword(tester).SetAutoReconnect(false))
	keep := func(_ paho.Client, m paho.Message) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all[m.Topic()] = append(r.all[m.Topic()], m.Payload())
	}
	for _, step := range []func() paho.Token{r.Connect, func() paho.Token { return r.Subscribe("han/#", 0, keep) }} {
		if token := step(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal("record the broker:", token.Error())
		}
	}
	t.Cleanup(func() { r.Disconnect(100) })
	return r
}

// taken returns what came at a topic so far.
func (r *recorder) taken(topic string) [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[topic][:len(r.all[topic]):len(r.all[topic])]
}

// frames returns how many of them have a frame: DTLS application data.
func (r *recorder) frames(topic string) (n int) {
	const applicationData = 23
	for _, d := range r.taken(topic) {
		if d[0] == applicationData {
			n++
		}
	}
	return n
}

func (r *recorder) say(topic string, datagram []byte) {
	r.t.Helper()
	if token := r.Publish(topic, 0, false, datagram); !token.WaitTimeout(patience) || token.Error() != nil {
		r.t.Fatal(token.Error())
	}
}

// TestReplayedAndReflectedRecordsDoNothing: all that passed between a meter and its hub, the
// handshake included, is published again, at where it was and back at who sent it. No frame
// comes twice, and the association that there was goes on.
func TestReplayedAndReflectedRecordsDoNothing(t *testing.T) {
	h := newHome(t)
	r := h.record(t)
	hub, atHub := h.dialHub(nil)
	meter, atMeter := h.dialDevice(gasMeter, nil)
	atMeter.expectNotice(t, "association with")
	atHub.expectNotice(t, "association with")
	const frames = 5
	exchange := func(round string) {
		t.Helper()
		for i := range frames {
			text := fmt.Sprint(round, i)
			mustSend(t, meter.Send, frameUp(gasMeter, text))
			atHub.expectFrame(t, frameUp(gasMeter, text)) // and nothing else before it
			mustSend(t, hub.Send, frameDown(gasMeter, text))
			atMeter.expectFrame(t, frameDown(gasMeter, text))
		}
	}
	exchange("before")
	up, down := "han/"+hubID.String()+"/"+gasMeter.String()+"/up", "han/"+hubID.String()+"/"+gasMeter.String()+"/down"
	for deadline := time.Now().Add(patience); r.frames(up) < frames || r.frames(down) < frames; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d and %d frames were recorded", r.frames(up), r.frames(down))
		}
	}
	said := map[string][][]byte{up: r.taken(up), down: r.taken(down)}
	again := uint64(len(said[up]) + len(said[down]))
	atHubBefore, atMeterBefore := hub.Counters().MQTT.Received, meter.Counters().MQTT.Received
	for _, datagrams := range said {
		for _, d := range datagrams {
			r.say(up, d)
			r.say(down, d)
		}
	}
	for deadline := time.Now().Add(patience); hub.Counters().MQTT.Received < atHubBefore+again || meter.Counters().MQTT.Received < atMeterBefore+again; {
		if time.Now().After(deadline) {
			t.Fatalf("not all %d datagrams came again: %+v, %+v", again, hub.Counters(), meter.Counters())
		}
		time.Sleep(time.Millisecond)
	}
	exchange("after")
	for name, c := range map[string]Counters{"hub": hub.Counters(), "meter": meter.Counters()} {
		if c.FramesReceived != 2*frames || c.FramesSent != 2*frames || c.FramesRefused != 0 || c.DTLS.HandshakesCompleted != 1 || c.DTLS.Replayed != frames {
			t.Errorf("%s counts %+v", name, c)
		}
	}
	for len(atHub.notices)+len(atMeter.notices) > 0 {
		select {
		case told := <-atHub.notices:
			if strings.Contains(told, "lost") {
				t.Errorf("the hub tells: %s", told)
			}
		case told := <-atMeter.notices:
			if strings.Contains(told, "lost") {
				t.Errorf("the meter tells: %s", told)
			}
		}
	}
}

// TestOfTwoDevicesWithTheSameKeysTheNewerWorks: both stay at the broker, the hub tells which
// of them works, and the other one leaves it alone.
func TestOfTwoDevicesWithTheSameKeysTheNewerWorks(t *testing.T) {
	h := newHome(t)
	_, atHub := h.dialHub(nil)
	older, atOlder := h.dialDevice(gasMeter, nil)
	atOlder.expectNotice(t, "association with")
	atHub.expectNotice(t, "association with")
	newer, atNewer := h.dialDevice(gasMeter, nil)
	atNewer.expectNotice(t, "association with")
	atHub.expectNotice(t, "association with")

	mustSend(t, newer.Send, frameUp(gasMeter, "newer"))
	atHub.expectFrame(t, frameUp(gasMeter, "newer"))
	mustSend(t, older.Send, frameUp(gasMeter, "older"))
	atOlder.expectNotice(t, "another one with the keys of this device took its place")
	atHub.expectNotice(t, "two devices have its keys")
	for i := range 20 {
		text := fmt.Sprint("newer", i)
		mustSend(t, newer.Send, frameUp(gasMeter, text))
		atHub.expectFrame(t, frameUp(gasMeter, text)) // and none of the older's
	}
	if o, n := older.Counters(), newer.Counters(); o.DTLS.HandshakesStarted != 1 || n.DTLS.HandshakesStarted != 1 || o.MQTT.Connected != 1 || n.MQTT.Connected != 1 {
		t.Errorf("they count %+v and %+v: they throw each other out", o, n)
	}
}

// everything is the grant of the tester.
var everything = broker.Grant{Publish: []string{"han/#"}, Subscribe: []string{"han/#"}}
