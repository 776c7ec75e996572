package mqtt

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestBackOffIsResetByWhatLasted: not by what was accepted.
func TestBackOffIsResetByWhatLasted(t *testing.T) {
	const minimum, maximum = 100 * time.Millisecond, 5 * time.Second
	r := Retry{Min: minimum, Max: maximum}
	for _, want := range []time.Duration{minimum, 2 * minimum, 4 * minimum} {
		if got := r.Lost(time.Millisecond); got != want {
			t.Errorf("after an accepted connection that did not last: %v, want %v", got, want)
		}
	}
	if !r.Dropping() || r.Settling() != lasting {
		t.Errorf("after three: dropping %t, settling %v", r.Dropping(), r.Settling())
	}
	for range 20 {
		r.Lost(lasting - 1)
	}
	if got := r.Lost(0); got != droppedMax {
		t.Errorf("in the end: %v, want %v", got, droppedMax)
	}
	if got := r.Lost(lasting); got != minimum || r.Dropping() || r.Settling() != 0 {
		t.Errorf("after one that lasted: %v, dropping %t", got, r.Dropping())
	}
	for range 20 {
		r.Failed()
	}
	if got := r.Failed(); got != maximum {
		t.Errorf("nobody there: %v, want %v", got, maximum)
	}
}

// acceptsAndDrops is a broker that grants everything and hangs up.
func acceptsAndDrops(t *testing.T) (url string, accepted *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted = new(atomic.Int32)
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			grantAll(c)
			accepted.Add(1)
		}
	}()
	return "mqtt://" + listener.Addr().String(), accepted
}

// grantAll answers CONNECT with CONNACK and SUBSCRIBE with a SUBACK for one filter, and
// hangs up at what comes next (MQTT 3.1.1 §3.1, §3.8).
func grantAll(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(2 * time.Second))
	for {
		var header [2]byte
		if _, err := io.ReadFull(c, header[:]); err != nil {
			return
		}
		rest := make([]byte, header[1]) // none of these is 128 bytes long
		if _, err := io.ReadFull(c, rest); err != nil {
			return
		}
		switch header[0] >> 4 {
		case 1:
			_, _ = c.Write([]byte{0x20, 2, 0, 0})
		case 8:
			_, _ = c.Write([]byte{0x90, 3, rest[0], rest[1], 0})
		default:
			return
		}
	}
}

// TestABrokerThatAcceptsAndDrops is asked less and less, is no broker that is up, and
// what to look at is said once.
func TestABrokerThatAcceptsAndDrops(t *testing.T) {
	url, accepted := acceptsAndDrops(t)
	h := dial(t, url, 0, nil)
	if err := h.PublishClock(Clock{Emulated: time.Now(), Wall: time.Now(), Speed: 1}); err != nil {
		t.Fatal(err)
	}
	var told []string
	for wait := time.After(4 * time.Second); len(told) < 100; {
		select {
		case s := <-h.status:
			told = append(told, s)
			continue
		case <-wait:
		}
		break
	}
	if n := accepted.Load(); n < 4 || n > 8 {
		t.Errorf("asked %d times in 4 s, want about 6", n)
	}
	if len(told) == 0 || len(told) > 6 {
		t.Fatalf("told %d times: %q", len(told), told)
	}
	last := told[len(told)-1]
	for _, want := range []string{"down: connection lost: the broker accepts the connection and drops it", "a second client with the id commshub-00DB1234567890A3", "retained messages that are forbidden (han/00DB1234567890A3/clock", "an access list", "4096 bytes"} {
		if !strings.Contains(last, want) {
			t.Errorf("told %q, want %q in it", last, want)
		}
	}
}

// TestABrokerThatDropsBeforeAnythingIsSubscribedTo is no other.
func TestABrokerThatDropsBeforeAnythingIsSubscribedTo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = c.Write([]byte{0x20, 2, 0, 0})
			_ = c.Close()
		}
	}()
	h := dial(t, "mqtt://"+listener.Addr().String(), 0, nil)
	for told := ""; !strings.Contains(told, "a second client with the id commshub-00DB1234567890A3"); {
		select {
		case told = <-h.status:
		case <-time.After(patience):
			t.Fatalf("told last: %q", told)
		}
	}
}

// TestTwoClientsOfOneID throw each other out, and both are told.
func TestTwoClientsOfOneID(t *testing.T) {
	b := startBroker(t, nil)
	same := func(o *Options) { o.ClientID = "commshub-" + gasMeter.String() }
	for _, s := range []*side{dial(t, b.URL(), gasMeter, same), dial(t, b.URL(), gasMeter, same)} {
		for told := ""; !strings.Contains(told, "a second client with the id commshub-"+gasMeter.String()); {
			select {
			case told = <-s.status:
			case <-time.After(patience):
				t.Fatalf("told last: %q", told)
			}
		}
	}
}
