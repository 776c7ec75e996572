package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/loopback"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/broker"
)

const patience = 30 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startBroker runs a broker for one hub and one gas meter, whose passwords are
// their identifiers, and for a tester who may do anything.
func startBroker(t testing.TB, change func(*broker.Options)) *broker.Broker {
	t.Helper()
	opts := broker.Options{StoreDir: t.TempDir(), Accounts: map[string]broker.Account{
		hub.String():      {Password: hub.String(), Grant: broker.HubGrant(hub)},
		gasMeter.String(): {Password: gasMeter.String(), Grant: broker.DeviceGrant(hub, gasMeter)},
		"tester":          {Password: "tester", Grant: broker.Grant{Publish: []string{"#"}, Subscribe: []string{"#"}}},
	}}
	if change != nil {
		change(&opts)
	}
	b, err := broker.Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// side is one end of a test: what it received and what it was told.
type side struct {
	*Link
	datagrams chan string
	status    chan string
	clocks    chan Clock
}

func dial(t testing.TB, url string, device han.EUI64, change func(*Options)) *side {
	t.Helper()
	s := &side{datagrams: make(chan string, 64), status: make(chan string, 64), clocks: make(chan Clock, 64)}
	opts := Options{
		URL: url, Hub: hub, Device: device, RetryMax: 200 * time.Millisecond,
		Receive: func(peer han.EUI64, datagram []byte) { s.datagrams <- peer.String() + " " + string(datagram) },
		Status: func(up bool, reason error) {
			if up {
				s.status <- "up"
			} else {
				s.status <- "down: " + reason.Error()
			}
		},
	}
	if device != 0 {
		opts.Clock = func(c Clock) { s.clocks <- c }
	}
	opts.Username = self(&opts).String()
	opts.Password = opts.Username
	if change != nil {
		change(&opts)
	}
	link, err := Dial(context.Background(), opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Link = link
	t.Cleanup(func() { link.Close() })
	return s
}

func (s *side) mustBeUp(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.WaitUp(ctx); err != nil {
		t.Fatal(err)
	}
}

func expect[T any](t testing.TB, from <-chan T, what string, ok func(T) bool) {
	t.Helper()
	select {
	case got := <-from:
		if !ok(got) {
			t.Fatalf("got %v, want %s", got, what)
		}
	case <-time.After(patience):
		t.Fatalf("nothing came, want %s", what)
	}
}

func equals(want string) func(string) bool { return func(got string) bool { return got == want } }

func has(part string) func(string) bool {
	return func(got string) bool { return strings.Contains(got, part) && !strings.Contains(got, "\n") }
}

func mustSend(t testing.TB, s *side, to han.EUI64, text string) {
	t.Helper()
	if err := s.Send(to, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestDatagramsTravelBothWaysInOrder(t *testing.T) {
	b := startBroker(t, nil)
	h, d := dial(t, b.URL(), 0, nil), dial(t, b.URL(), gasMeter, nil)
	h.mustBeUp(t)
	d.mustBeUp(t)
	for i := range 50 {
		mustSend(t, d, hub, fmt.Sprint("up ", i))
		mustSend(t, h, gasMeter, fmt.Sprint("down ", i))
	}
	for i := range 50 {
		expect(t, h.datagrams, "a datagram", equals(fmt.Sprint(gasMeter, " up ", i)))
		expect(t, d.datagrams, "a datagram", equals(fmt.Sprint(hub, " down ", i)))
	}
	if c := h.Counters(); c != (Counters{Connected: 1, Sent: 50, Received: 50}) {
		t.Errorf("hub counts %+v", c)
	}
}

func TestSendRefuses(t *testing.T) {
	b := startBroker(t, nil)
	d := dial(t, b.URL(), gasMeter, nil)
	d.mustBeUp(t)
	if err := d.Send(hub, make([]byte, MaxDatagram+1)); err == nil {
		t.Error("an oversized datagram was sent")
	}
	if err := d.Send(0x00DB1234567890A0, []byte("x")); err == nil {
		t.Error("a device sent to another device")
	}
}

func TestDeviceWaitsForItsBrokerAndSurvivesARestart(t *testing.T) {
	address := loopback.Free(t)

	h, d := dial(t, "tcp://"+address, 0, nil), dial(t, "mqtt://"+address, gasMeter, nil)
	expect(t, d.status, "the reason", has("down: connect to mqtt://"+address+": dial tcp "+address+": connect: connection refused"))
	if err := d.Send(hub, []byte("x")); !errors.Is(err, ErrDown) {
		t.Errorf("Send while down: %v", err)
	}
	dir := t.TempDir()
	for round := range 2 {
		b := startBroker(t, func(o *broker.Options) { o.Listen = address; o.StoreDir = dir })
		h.mustBeUp(t)
		d.mustBeUp(t)
		expect(t, d.status, "up", equals("up"))
		mustSend(t, d, hub, "hello")
		expect(t, h.datagrams, "the datagram", equals(gasMeter.String()+" hello"))
		b.Close()
		expect(t, d.status, "down", has("down: connection lost"))
		if round == 0 {
			expect(t, d.status, "the reason", has("connection refused"))
		}
	}
}

func TestReasonIsToldOnce(t *testing.T) {
	b := startBroker(t, nil)
	d := dial(t, b.URL(), gasMeter, func(o *Options) { o.Password = "guess"; o.RetryMax = 10 * time.Millisecond })
	expect(t, d.status, "the reason", has("not Authorized"))
	time.Sleep(200 * time.Millisecond)
	if len(d.status) > 0 {
		t.Errorf("and again: %s", <-d.status)
	}
}

func TestRefusedSubscriptionIsTold(t *testing.T) {
	b := startBroker(t, nil)
	imposter := dial(t, b.URL(), 0x00DB1234567890A0, func(o *Options) {
		o.Username, o.Password = gasMeter.String(), gasMeter.String()
	})
	expect(t, imposter.status, "the refusal", has("down: subscribe to han/00DB1234567890A3/00DB1234567890A0/down at "+b.URL()+": refused by the broker"))
}

func TestClockIsRetainedAndTold(t *testing.T) {
	b := startBroker(t, nil)
	h := dial(t, b.URL(), 0, nil)
	h.mustBeUp(t)
	if err := h.PublishClock(clock); err != nil {
		t.Fatal(err)
	}
	d := dial(t, b.URL(), gasMeter, nil)
	expect(t, d.clocks, "the clock", clock.Equal)

	if err := h.PublishClock(clock); err != nil { // no change
		t.Fatal(err)
	}
	faster := clock
	faster.Speed = 1200
	if err := h.PublishClock(faster); err != nil {
		t.Fatal(err)
	}
	expect(t, d.clocks, "the new clock", faster.Equal)
}

func TestClockPublishedWhileDownComesWithTheConnection(t *testing.T) {
	address := loopback.Free(t)
	h := dial(t, "mqtt://"+address, 0, nil)
	if err := h.PublishClock(clock); err != nil {
		t.Fatal(err)
	}
	d := dial(t, "mqtt://"+address, gasMeter, nil)
	startBroker(t, func(o *broker.Options) { o.Listen = address })
	expect(t, d.clocks, "the clock", clock.Equal)
}

func TestPublishClockRefuses(t *testing.T) {
	b := startBroker(t, nil)
	if err := dial(t, b.URL(), gasMeter, nil).PublishClock(clock); err == nil {
		t.Error("a device published the clock")
	}
	if err := dial(t, b.URL(), 0, nil).PublishClock(Clock{}); err == nil {
		t.Error("the zero clock was published")
	}
}

func TestBadMessagesAreDroppedAndCounted(t *testing.T) {
	b := startBroker(t, nil)
	h, d := dial(t, b.URL(), 0, nil), dial(t, b.URL(), gasMeter, nil)
	h.mustBeUp(t)
	d.mustBeUp(t)
	tester := connectTester(t, b)
	const home = "han/00DB1234567890A3/"
	send := func(topic string, payload []byte, retained bool) {
		t.Helper()
		if token := tester.Publish(topic, 0, retained, payload); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	send(home+"not-an-identifier/up", []byte("x"), false)
	send(home+"00db1234567890a1/up", []byte("lower case"), false)
	send(home+"00DB1234567890A1/up", nil, false)
	send(home+"00DB1234567890A1/up", bytes.Repeat([]byte("x"), MaxDatagram+1), false)
	send(home+"00DB1234567890A1/up", bytes.Repeat([]byte("x"), MaxDatagram), false)
	expect(t, h.datagrams, "the longest datagram", func(got string) bool { return len(got) == 17+MaxDatagram })
	if c := h.Counters(); c.Dropped != 4 || c.Received != 1 {
		t.Errorf("hub counts %+v", c)
	}

	send(home+"clock", []byte("half past ten"), true)
	send(home+"00DB1234567890A1/down", []byte("fresh"), false)
	expect(t, d.datagrams, "the datagram", equals(hub.String()+" fresh"))
	if c := d.Counters(); c.Dropped != 1 {
		t.Errorf("device counts %+v", c)
	}
}

func TestRetainedDatagramIsDropped(t *testing.T) {
	b := startBroker(t, nil)
	tester := connectTester(t, b)
	token := tester.Publish("han/00DB1234567890A3/00DB1234567890A1/down", 1, true, "stale")
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	// A broker may file a retained message a little later than it takes it.
	for deadline := time.Now().Add(patience); ; {
		d := dial(t, b.URL(), gasMeter, nil)
		d.mustBeUp(t)
		for range 20 {
			if time.Sleep(5 * time.Millisecond); d.Counters().Dropped > 0 {
				if len(d.datagrams) > 0 {
					t.Errorf("delivered %q", <-d.datagrams)
				}
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the retained message never came")
		}
		d.Close()
	}
}

func TestTLSWithClientCertificates(t *testing.T) {
	authority, err := pki.Init(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	issue := func(id han.EUI64, role pki.Role, names ...string) tls.Certificate {
		c, err := authority.Issue(id, role, names...)
		if err != nil {
			t.Fatal(err)
		}
		return c.TLS()
	}
	certificate := issue(0, pki.RoleBroker, "127.0.0.1")
	b := startBroker(t, func(o *broker.Options) {
		o.Accounts, o.TLS, o.ClientRoots = nil, &certificate, authority.Roots()
		o.Certificate = func(id han.EUI64) (broker.Grant, error) {
			if id == hub {
				return broker.HubGrant(hub), nil
			}
			return broker.DeviceGrant(hub, id), nil
		}
	})
	secure := func(id han.EUI64) func(*Options) {
		return func(o *Options) {
			o.Username, o.Password = "", ""
			o.TLS = &tls.Config{RootCAs: authority.Roots(), Certificates: []tls.Certificate{issue(id, pki.RoleDevice)}}
		}
	}
	h, d := dial(t, b.URL(), 0, secure(hub)), dial(t, b.URL(), gasMeter, secure(gasMeter))
	h.mustBeUp(t)
	d.mustBeUp(t)
	mustSend(t, d, hub, "hello")
	expect(t, h.datagrams, "the datagram", equals(gasMeter.String()+" hello"))

	stranger := dial(t, b.URL(), gasMeter, func(o *Options) { o.TLS = nil; o.ClientID = "stranger" })
	expect(t, stranger.status, "the reason", has("certificate signed by unknown authority"))
}

func TestCloseInterruptsWhateverGoesOn(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	b := startBroker(t, nil)
	for _, url := range []string{"mqtt://" + silent.Addr().String(), "mqtts://" + silent.Addr().String(), "mqtt://127.0.0.1:1", b.URL()} {
		t.Run(url[:5], func(t *testing.T) {
			s := dial(t, url, gasMeter, func(o *Options) { o.RetryMax = time.Hour })
			time.Sleep(20 * time.Millisecond)
			began := time.Now()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("Close took %v", took)
			}
			if err := s.WaitUp(context.Background()); err == nil && s.session.Load() != nil {
				t.Error("up after Close")
			}
			if err := s.Send(hub, []byte("x")); !errors.Is(err, ErrDown) {
				t.Errorf("Send after Close: %v", err)
			}
		})
	}
}

func TestDialRefuses(t *testing.T) {
	receive := func(han.EUI64, []byte) {}
	tests := []struct {
		name, want string
		opts       Options
	}{
		{"no URL", "broker URL", Options{Hub: hub, Receive: receive}},
		{"a URL of the web", "scheme", Options{URL: "http://localhost", Hub: hub, Receive: receive}},
		{"a bare host", "broker URL", Options{URL: "localhost:1883", Hub: hub, Receive: receive}},
		{"no hub", "required", Options{URL: "mqtt://localhost", Receive: receive}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Dial(context.Background(), tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestParseURL(t *testing.T) {
	tests := []struct {
		give string
		want Server
	}{
		{"mqtt://localhost", Server{scheme: "mqtt", host: "localhost", address: "localhost:1883"}},
		{"ssl://broker.example:1234/", Server{scheme: "ssl", host: "broker.example", address: "broker.example:1234", tls: true}},
		{"mqtts://user:secret@[::1]", Server{scheme: "mqtts", host: "::1", address: "[::1]:8883", tls: true, Username: "user", Password: "secret"}},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			got, err := ParseServer(tt.give)
			if err != nil || got != tt.want {
				t.Errorf("%+v, %v; want %+v", got, err, tt.want)
			}
			if strings.Contains(got.String(), "secret") {
				t.Error("the password would be logged")
			}
		})
	}
}

func TestConcurrentSenders(t *testing.T) {
	b := startBroker(t, nil)
	h, d := dial(t, b.URL(), 0, nil), dial(t, b.URL(), gasMeter, nil)
	h.mustBeUp(t)
	d.mustBeUp(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 8 {
				if err := d.Send(hub, []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range 64 {
		expect(t, h.datagrams, "a datagram", has("x"))
	}
}

func connectTester(t testing.TB, b *broker.Broker) paho.Client {
	t.Helper()
	client := paho.NewClient(paho.NewClientOptions().AddBroker(b.URL()).SetClientID("tester").
		SetUsername("tester").SetPassword("tester").SetAutoReconnect(false))
	if token := client.Connect(); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	t.Cleanup(func() { client.Disconnect(100) })
	return client
}

// severable passes connections on to a broker until it is cut.
func severable(t testing.TB, to string) (url string, cut func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target, err := ParseServer(to)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var open []net.Conn
	var group sync.WaitGroup
	pipe := func(from, to net.Conn) {
		group.Go(func() {
			_, _ = io.Copy(to, from) // ends when either is cut
			_ = to.Close()
		})
	}
	group.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target.Address())
			if err != nil {
				_ = near.Close()
				continue
			}
			mu.Lock()
			open = append(open, near, far)
			mu.Unlock()
			pipe(near, far)
			pipe(far, near)
		}
	})
	cut = func() {
		_ = listener.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		group.Wait()
	}
	t.Cleanup(cut)
	return "mqtt://" + listener.Addr().String(), cut
}

// A device whose connection breaks is told gone by the broker; one that says goodbye is
// not.
func TestTheLastWillOfADevice(t *testing.T) {
	b := startBroker(t, nil)
	gone := make(chan han.EUI64, 4)
	h := dial(t, b.URL(), 0, func(o *Options) { o.Gone = func(peer han.EUI64) { gone <- peer } })
	h.mustBeUp(t)
	leaves := dial(t, b.URL(), gasMeter, nil)
	leaves.mustBeUp(t)
	leaves.Close()
	url, cut := severable(t, b.URL())
	dies := dial(t, url, gasMeter, nil)
	dies.mustBeUp(t)
	mustSend(t, dies, hub, "report")
	expect(t, h.datagrams, "the report", equals(gasMeter.String()+" report"))
	select {
	case eui := <-gone:
		t.Errorf("%s is told gone, but it said goodbye", eui)
	default:
	}
	cut()
	expect(t, gone, "the meter", func(eui han.EUI64) bool { return eui == gasMeter })
	if n := len(h.datagrams); n != 0 {
		t.Errorf("the last will came as a datagram")
	}
}
