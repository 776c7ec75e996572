package dtls

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/commshub/commshub/han"
)

// deviceLog is a device log that tests change while everything runs.
type deviceLog struct {
	mu      sync.Mutex
	devices map[han.EUI64]bool
}

func newDeviceLog(devices ...han.EUI64) *deviceLog {
	log := &deviceLog{devices: map[han.EUI64]bool{}}
	for _, id := range devices {
		log.set(id, true)
	}
	return log
}

func (l *deviceLog) set(id han.EUI64, in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.devices[id] = in
}

func (l *deviceLog) authorise(id han.EUI64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.devices[id] {
		return fmt.Errorf("%s is not in the device log", id)
	}
	return nil
}

// captureHello records the first ClientHello a device sends, which then goes
// nowhere, and stops the device.
func (h *home) captureHello(id han.EUI64) []byte {
	h.t.Helper()
	var captured []byte
	h.setFilter(func(_ han.EUI64, _ bool, datagram []byte) bool {
		if captured == nil {
			captured = bytes.Clone(datagram)
		}
		return false
	})
	client := h.startDevice(id, nil)
	synctest.Wait()
	client.Close()
	h.mu.Lock()
	delete(h.clients, id)
	h.mu.Unlock()
	h.setFilter(nil)
	if what, _ := classify(captured); what != hello {
		h.t.Fatalf("captured % X, which is no ClientHello", captured)
	}
	return captured
}

func TestRebootedDeviceReplacesItsAssociation(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server := h.startHub(nil)
		before := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		h.mustTalk(server, gasMeter, before)
		for range 3 {
			// The power fails: no goodbye.
			before.established.carrier.mute()
			after := h.startDevice(gasMeter, nil)
			h.expectEstablished(gasMeter)
			h.mustTalk(server, gasMeter, after)
			before = after
		}
		synctest.Wait()
		if len(server.lanes) != 1 || server.handshakes != 0 {
			t.Errorf("%d lanes and %d handshakes are left", len(server.lanes), server.handshakes)
		}
	})
}

func TestUnfinishedHandshakeLeavesTheAssociationAlone(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server := h.startHub(nil)
		forged := h.captureHello(gasMeter)
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		for range 20 {
			server.Receive(gasMeter, bytes.Clone(forged))
			h.mustTalk(server, gasMeter, client)
		}
		time.Sleep(defaultHandshakeTimeout + time.Second)
		h.expect("hub refused 00DB1234567890A1: no answer within 10s")
		h.mustTalk(server, gasMeter, client)
		if c := client.Counters(); c.HandshakesStarted != 1 {
			t.Errorf("the device made %d handshakes", c.HandshakesStarted)
		}
	})
}

func TestUnknownDeviceIsRefusedUntilItIsAdded(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		log := newDeviceLog()
		server := h.startHub(func(o *ServerOptions) { o.Authorise = log.authorise })
		client := h.startDevice(gasMeter, nil)
		h.expectBoth(
			"hub refused 00DB1234567890A1: 00DB1234567890A1 is not in the device log",
			"00DB1234567890A1 failed: the other side refused: access denied")
		if c := server.Counters(); c.HandshakesStarted != 0 {
			t.Error("a handshake was begun with an unknown device")
		}
		log.set(gasMeter, true)
		time.Sleep(defaultRetryMax)
		h.expectEstablished(gasMeter)
		h.mustTalk(server, gasMeter, client)
	})
}

func TestDropCutsARemovedDevice(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		log := newDeviceLog(gasMeter, display)
		server := h.startHub(func(o *ServerOptions) { o.Authorise = log.authorise })
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		other := h.startDevice(display, nil)
		h.expectEstablished(display)

		log.set(gasMeter, false)
		server.Drop(gasMeter)
		server.Drop(gasMeter)
		if err := server.Send(gasMeter, []byte("x")); !errors.Is(err, ErrNoAssociation) {
			t.Errorf("Send after Drop: %v", err)
		}
		time.Sleep(defaultRetryMin)
		synctest.Wait()
		if got := h.read(); !strings.Contains(got, "00DB1234567890A1 lost: the other side ended the association") ||
			!strings.Contains(got, "failed: the other side refused: access denied") {
			t.Errorf("diary:\n%s", got)
		}
		if err := client.Send([]byte("x")); !errors.Is(err, ErrNoAssociation) {
			t.Errorf("the device still sends: %v", err)
		}
		h.mustTalk(server, display, other)
	})
}

func TestDropWithoutGoodbyeStillCuts(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		log := newDeviceLog(gasMeter)
		server := h.startHub(func(o *ServerOptions) { o.Authorise = log.authorise })
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		h.setFilter(func(_ han.EUI64, up bool, _ []byte) bool { return up })
		log.set(gasMeter, false)
		server.Drop(gasMeter)
		for range 5 {
			if err := client.Send([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		h.expect()
	})
}

func TestEachRecordIsAuthorised(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		log := newDeviceLog(gasMeter)
		server := h.startHub(func(o *ServerOptions) { o.Authorise = log.authorise })
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		log.set(gasMeter, false) // and nobody calls Drop
		if err := client.Send([]byte("x")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		got := h.read()
		if strings.Contains(got, "hub got") || !strings.Contains(got, "hub refused 00DB1234567890A1: 00DB1234567890A1 is not in the device log") {
			t.Errorf("diary:\n%s", got)
		}
		if err := server.Send(gasMeter, []byte("x")); !errors.Is(err, ErrNoAssociation) {
			t.Errorf("Send to a removed device: %v", err)
		}
	})
}

func TestHandshakesAreBounded(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		forged := h.captureHello(gasMeter)
		server := h.startHub(func(o *ServerOptions) { o.MaxHandshakes = 4 })
		for peer := range han.EUI64(20) {
			server.Receive(peer+1, bytes.Clone(forged))
		}
		synctest.Wait()
		if c := server.Counters(); c.HandshakesStarted != 4 || c.Refused != 16 {
			t.Errorf("counters %+v", c)
		}
		if got := h.read(); strings.Count(got, "too many handshakes at once") != 16 {
			t.Errorf("diary:\n%s", got)
		}
		time.Sleep(defaultHandshakeTimeout)
		h.startDevice(gasMeter, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if got := h.read(); !strings.Contains(got, "hub established 00DB1234567890A1") {
			t.Errorf("there is no room again:\n%s", got)
		}
	})
}

func TestFloodOfHellosStartsFewHandshakes(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		forged := h.captureHello(gasMeter)
		server := h.startHub(nil)
		for i := range 1000 {
			forged[recordHeader+randomOffset] = byte(i)
			forged[recordHeader+randomOffset+1] = byte(i >> 8)
			server.Receive(gasMeter, bytes.Clone(forged))
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if c := server.Counters(); c.HandshakesStarted > 11 {
			t.Errorf("%d handshakes in a second", c.HandshakesStarted)
		}
		if server.handshakes > 2 {
			t.Errorf("%d handshakes at once for one device", server.handshakes)
		}
		client := h.startDevice(gasMeter, nil)
		time.Sleep(time.Second)
		synctest.Wait()
		h.read()
		h.mustTalk(server, gasMeter, client)
	})
}

func TestFloodOfRefusalsIsReportedSparsely(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		forged := h.captureHello(gasMeter)
		server := h.startHub(func(o *ServerOptions) { o.Authorise = newDeviceLog().authorise })
		for peer := range han.EUI64(1000) {
			server.Receive(peer+1, bytes.Clone(forged))
			server.Receive(peer+1, bytes.Clone(forged)) // the same attempt
		}
		synctest.Wait()
		if c := server.Counters(); c.Refused != 1000 {
			t.Errorf("%d refusals counted, want 1000", c.Refused)
		}
		if lines := strings.Count(h.read(), "\n") + 1; lines != reportsAtOnce {
			t.Errorf("%d lines, want %d", lines, reportsAtOnce)
		}
		time.Sleep(time.Second)
		server.Receive(5000, bytes.Clone(forged))
		h.expect("hub refused 0000000000001388: 0000000000001388 is not in the device log (and 980 more refusals before)")
		if len(server.lanes) != 0 {
			t.Errorf("%d lanes for unknown devices", len(server.lanes))
		}
	})
}

func TestRestartedHubIsNoticedAtTheFirstRecord(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		before := h.startHub(nil)
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		h.setFilter(func(han.EUI64, bool, []byte) bool { return false }) // a crash says no goodbye
		before.Close()
		h.setFilter(nil)
		synctest.Wait()
		h.read()
		after := h.startHub(nil)
		if err := client.Send([]byte("lost")); err != nil {
			t.Fatal(err)
		}
		h.expectEstablished(gasMeter)
		h.mustTalk(after, gasMeter, client)
	})
}

func TestRestartedHubIsNoticedWithoutItsHint(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		before := h.startHub(nil)
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		crashed := true
		h.setFilter(func(_ han.EUI64, up bool, datagram []byte) bool {
			what, _ := classify(datagram)
			return !crashed && what != alert
		})
		before.Close()
		synctest.Wait()
		h.read()
		crashed = false
		after := h.startHub(nil)
		for range defaultUnanswered {
			h.expect()
			if err := client.Send([]byte("lost")); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(defaultPatience - 200*time.Millisecond)
		h.expect() // not yet
		time.Sleep(200 * time.Millisecond)
		h.expectEstablished(gasMeter)
		h.mustTalk(after, gasMeter, client)
	})
}

func TestGoodbyeOfTheHub(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server := h.startHub(nil)
		h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		server.Close()
		h.expect("00DB1234567890A1 lost: the other side ended the association")
		time.Sleep(time.Minute)
		h.expect("00DB1234567890A1 failed: no answer within 10s")
		h.startHub(nil)
		time.Sleep(defaultRetryMax)
		h.expectEstablished(gasMeter)
	})
}

func TestGoodbyeOfTheDevice(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server := h.startHub(nil)
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		client.Close()
		client.Close()
		h.expect("hub lost 00DB1234567890A1: the other side ended the association")
		if len(server.lanes) != 0 {
			t.Error("the lane is kept")
		}
	})
}

// outsiders are datagrams that somebody without keys may send to either side.
func outsiders() map[string][]byte {
	record := func(kind byte, epoch byte, body ...byte) []byte {
		return append([]byte{kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 9, 9, 0, byte(len(body))}, body...)
	}
	return map[string][]byte{
		"a plaintext goodbye":              record(typeAlert, 0, 1, 0),
		"a plaintext fatal alert":          record(typeAlert, 0, 2, 40),
		"an alert in an unknown epoch":     record(typeAlert, 7, 2, 40),
		"a protected fatal alert":          record(typeAlert, 1, 2, 40),
		"application data in plaintext":    record(typeApplicationData, 0, 1, 2, 3),
		"application data under no key":    record(typeApplicationData, 1, bytes.Repeat([]byte{7}, 40)...),
		"a malformed change of cipher":     record(typeChangeCipherSpec, 0, 2),
		"a long change of cipher":          record(typeChangeCipherSpec, 0, 1, 1),
		"a change of cipher":               record(typeChangeCipherSpec, 0, 1),
		"a second change of cipher":        record(typeChangeCipherSpec, 1, 1),
		"a handshake message of no type":   record(typeHandshake, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"a Finished under no key":          record(typeHandshake, 1, bytes.Repeat([]byte{7}, 40)...),
		"a record of an unknown type":      record(99, 0, 1),
		"a truncated record":               record(typeHandshake, 0, 1, 2, 3)[:14],
		"an empty record":                  record(typeHandshake, 0),
		"a hidden plaintext goodbye":       append(record(typeApplicationData, 1, 1, 2, 3), record(typeAlert, 0, 2, 0)...),
		"application data behind a flight": append(record(typeChangeCipherSpec, 0, 1), record(typeApplicationData, 0, 1)...),
		"nothing":                          nil,
		"noise":                            []byte("GET / HTTP/1.1\r\n"),
	}
}

func TestOutsidersCannotEndAnAssociation(t *testing.T) {
	for name, datagram := range outsiders() {
		t.Run(name, func(t *testing.T) {
			inHome(t, func(t *testing.T, h *home) {
				server, client := h.startHub(nil), h.startDevice(gasMeter, nil)
				h.expectEstablished(gasMeter)
				for _, early := range []bool{true, false} { // before and after the first record
					for range 3 {
						server.Receive(gasMeter, bytes.Clone(datagram))
						client.Receive(bytes.Clone(datagram))
					}
					synctest.Wait()
					// A plaintext alert may cost a second handshake, but no record.
					if got := h.read(); strings.Contains(got, "lost") || (!early && got != "") {
						t.Fatalf("diary:\n%s", got)
					}
					h.mustTalk(server, gasMeter, client)
				}
			})
		})
	}
}

func TestForgedHintsCostOneHandshakePerPatience(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server, client := h.startHub(nil), h.startDevice(gasMeter, nil)
		for range 1000 {
			client.Receive(plaintextAlert(alertBadRecordMAC))
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if c := client.Counters(); c.HandshakesStarted > 1+10/2+1 {
			t.Errorf("%d handshakes in ten seconds", c.HandshakesStarted)
		}
		h.read()
		h.mustTalk(server, gasMeter, client)
	})
}

func TestRecordsOfOneDeviceComeOneAtATime(t *testing.T) {
	h := newHome(t)
	var running, overlaps, got atomic.Int32
	h.startHub(func(o *ServerOptions) {
		o.Receive = func(han.EUI64, []byte) {
			if running.Add(1) > 1 {
				overlaps.Add(1)
			}
			time.Sleep(time.Millisecond)
			running.Add(-1)
			got.Add(1)
		}
		o.Established, o.Lost = nil, nil
	})
	for range 5 { // each one replaces the association before
		client := h.startDevice(gasMeter, func(o *ClientOptions) { o.Receive = func([]byte) {}; o.Established = nil })
		waitFor(t, func() bool { return client.Send([]byte("x")) == nil })
		for range 10 {
			if err := client.Send([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, func() bool { return got.Load() > 10 && running.Load() == 0 })
	if overlaps.Load() > 0 {
		t.Errorf("%d calls overlapped", overlaps.Load())
	}
}

func TestManyDevicesAtOnce(t *testing.T) {
	h := newHome(t)
	const devices, records = 16, 50
	var echoed atomic.Int32
	var server *Server
	server = h.startHub(func(o *ServerOptions) {
		o.Receive = func(peer han.EUI64, record []byte) {
			if err := server.Send(peer, record); err != nil {
				t.Errorf("echo: %v", err)
			}
		}
		o.Established, o.Lost = nil, nil
	})
	var wg sync.WaitGroup
	for i := range han.EUI64(devices) {
		id := gasMeter + i<<16
		back := make(chan struct{}, records)
		client := h.startDevice(id, func(o *ClientOptions) {
			o.Receive = func([]byte) { echoed.Add(1); back <- struct{}{} }
			o.Established = nil
		})
		wg.Go(func() {
			waitFor(t, func() bool { return !errors.Is(client.Send([]byte("first")), ErrNoAssociation) })
			<-back
			for range records {
				if err := client.Send([]byte("record")); err != nil {
					t.Error(err)
					return
				}
				<-back
			}
		})
	}
	wg.Wait()
	if got := echoed.Load(); got != devices*(records+1) {
		t.Errorf("%d records came back, want %d", got, devices*(records+1))
	}
	if c := server.Counters(); c.HandshakesCompleted != devices || c.HandshakesFailed != 0 {
		t.Errorf("counters %+v", c)
	}
}

func TestCloseInTheMiddleOfHandshakes(t *testing.T) {
	for delay := range 20 {
		h := newHome(t)
		server := h.startHub(nil)
		client := h.startDevice(gasMeter, nil)
		time.Sleep(time.Duration(delay) * 200 * time.Microsecond)
		if delay%2 == 0 {
			client.Close()
			server.Close()
		} else {
			server.Close()
			client.Close()
		}
		server.Receive(gasMeter, []byte("late"))
		client.Receive([]byte("late"))
	}
}

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it takes too long")
		}
	}
}
