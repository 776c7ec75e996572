package broker

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/pki"
)

const (
	hub        han.EUI64 = 0x00DB1234567890A3
	gasMeter   han.EUI64 = 0x00DB1234567890A1
	electrical han.EUI64 = 0x00DB1234567890A0

	upTopic    = "han/00DB1234567890A3/00DB1234567890A1/up"
	downTopic  = "han/00DB1234567890A3/00DB1234567890A1/down"
	clockTopic = "han/00DB1234567890A3/clock"

	patience = 5 * time.Second
	// quiet is how long a test listens for what must not come.
	quiet = 150 * time.Millisecond
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// homeAccounts gives the hub and two meters passwords equal to their names.
func homeAccounts() map[string]Account {
	return map[string]Account{
		hub.String():        {Password: hub.String(), Grant: HubGrant(hub)},
		gasMeter.String():   {Password: gasMeter.String(), Grant: DeviceGrant(hub, gasMeter)},
		electrical.String(): {Password: electrical.String(), Grant: DeviceGrant(hub, electrical)},
	}
}

func start(t testing.TB, opts Options) *Broker {
	t.Helper()
	if opts.StoreDir == "" {
		opts.StoreDir = t.TempDir()
	}
	b, err := Start(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// connect returns a connected client, or the error of connecting.
func connect(t testing.TB, b *Broker, id han.EUI64, change func(*paho.ClientOptions)) (paho.Client, error) {
	t.Helper()
	opts := paho.NewClientOptions().AddBroker(b.URL()).SetClientID("test-" + id.String()).
		SetUsername(id.String()).SetPassword(id.String()).
		SetAutoReconnect(false).SetConnectTimeout(patience).SetProtocolVersion(4)
	if change != nil {
		change(opts)
	}
	client := paho.NewClient(opts)
	token := client.Connect()
	if !token.WaitTimeout(patience) {
		t.Fatal("connecting takes too long")
	}
	if token.Error() == nil {
		t.Cleanup(func() { client.Disconnect(100) })
	}
	return client, token.Error()
}

func mustConnect(t testing.TB, b *Broker, id han.EUI64) paho.Client {
	t.Helper()
	client, err := connect(t, b, id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// subscribe returns what comes, and whether the broker granted the filter.
func subscribe(t testing.TB, client paho.Client, filter string) (<-chan string, bool) {
	t.Helper()
	got := make(chan string, 16)
	token := client.Subscribe(filter, 0, func(_ paho.Client, m paho.Message) {
		got <- m.Topic() + " " + string(m.Payload())
	})
	if !token.WaitTimeout(patience) {
		t.Fatalf("subscribing %s takes too long", filter)
	}
	result := token.(*paho.SubscribeToken).Result()[filter]
	return got, token.Error() == nil && result != 0x80
}

func publish(t testing.TB, client paho.Client, topic, payload string, retained bool) {
	t.Helper()
	token := client.Publish(topic, 0, retained, payload)
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("publish %s: %v", topic, token.Error())
	}
}

func expect(t testing.TB, got <-chan string, want string) {
	t.Helper()
	select {
	case g := <-got:
		if g != want {
			t.Errorf("got %q, want %q", g, want)
		}
	case <-time.After(patience):
		t.Errorf("nothing came, want %q", want)
	}
}

func expectNothing(t testing.TB, got <-chan string) {
	t.Helper()
	select {
	case g := <-got:
		t.Errorf("got %q, want nothing", g)
	case <-time.After(quiet):
	}
}

func TestHubAndDeviceTalk(t *testing.T) {
	began := time.Now()
	b := start(t, Options{Accounts: homeAccounts()})
	if took := time.Since(began); took > time.Second {
		t.Errorf("start took %v", took)
	}
	h, d := mustConnect(t, b, hub), mustConnect(t, b, gasMeter)
	up, ok := subscribe(t, h, "han/00DB1234567890A3/+/up")
	if !ok {
		t.Fatal("the hub was refused its devices' topics")
	}
	down, ok := subscribe(t, d, downTopic)
	if !ok {
		t.Fatal("the device was refused its own topic")
	}
	publish(t, d, upTopic, "report", false)
	expect(t, up, upTopic+" report")
	publish(t, h, downTopic, "answer", false)
	expect(t, down, downTopic+" answer")
}

func TestDeviceCannotReachAnothersTopics(t *testing.T) {
	b := start(t, Options{Accounts: homeAccounts()})
	h, mallory, victim := mustConnect(t, b, hub), mustConnect(t, b, electrical), mustConnect(t, b, gasMeter)
	up, _ := subscribe(t, h, "han/00DB1234567890A3/+/up")
	down, _ := subscribe(t, victim, downTopic)
	clock, _ := subscribe(t, victim, clockTopic)

	var overheard []<-chan string
	for _, filter := range []string{
		upTopic, downTopic, "han/#", "#", "+/+/+/down", "han/00DB1234567890A3/+/down",
		"han/00DB1234567890A3/+/up", "$MQTT/#", "$SYS/#", "$JS/#",
	} {
		got, granted := subscribe(t, mallory, filter)
		if granted {
			t.Errorf("subscription to %s was granted", filter)
		}
		overheard = append(overheard, got)
	}
	publish(t, mallory, upTopic, "forged report", false)
	publish(t, mallory, downTopic, "forged answer", false)
	publish(t, mallory, clockTopic, "forged clock", true)
	publish(t, victim, upTopic, "report", false)
	publish(t, h, downTopic, "answer", false)

	expect(t, up, upTopic+" report")
	expect(t, down, downTopic+" answer")
	expectNothing(t, up)
	expectNothing(t, clock)
	for _, got := range overheard {
		if len(got) > 0 {
			t.Errorf("overheard %q", <-got)
		}
	}
	if !mallory.IsConnectionOpen() {
		t.Error("a refused publish cut the client off")
	}
}

func TestAccountWithoutGrantMayNothing(t *testing.T) {
	accounts := homeAccounts()
	accounts["idle"] = Account{Password: "idle"}
	b := start(t, Options{Accounts: accounts})
	idle, err := connect(t, b, hub, func(o *paho.ClientOptions) { o.SetUsername("idle").SetPassword("idle").SetClientID("idle") })
	if err != nil {
		t.Fatal(err)
	}
	up, _ := subscribe(t, mustConnect(t, b, hub), "han/00DB1234567890A3/+/up")
	if _, granted := subscribe(t, idle, upTopic); granted {
		t.Error("may subscribe")
	}
	publish(t, idle, upTopic, "forged report", false)
	expectNothing(t, up)
}

func TestHubOfAnotherHomeIsRefused(t *testing.T) {
	const other han.EUI64 = 0x00DB1234567890B3
	accounts := homeAccounts()
	accounts[other.String()] = Account{Password: other.String(), Grant: HubGrant(other)}
	b := start(t, Options{Accounts: accounts})
	if _, granted := subscribe(t, mustConnect(t, b, other), "han/00DB1234567890A3/+/up"); granted {
		t.Error("a hub may listen to another home")
	}
}

func TestConnectionRefused(t *testing.T) {
	b := start(t, Options{Accounts: homeAccounts()})
	tests := []struct{ name, username, password string }{
		{"a wrong password", gasMeter.String(), "guess"},
		{"an empty password", gasMeter.String(), ""},
		{"an unknown user", "00DB1234567890FF", "00DB1234567890FF"},
		{"no user at all", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := connect(t, b, gasMeter, func(o *paho.ClientOptions) {
				o.SetUsername(tt.username).SetPassword(tt.password)
			})
			if err == nil {
				t.Error("connected")
			}
		})
	}
}

func TestPasswordFunctionIsAskedAboutUnknownUsers(t *testing.T) {
	b := start(t, Options{Accounts: homeAccounts(), Password: func(username, password string) (Grant, error) {
		if username != "bridge" || password != "secret" {
			return Grant{}, fmt.Errorf("unknown user %q", username)
		}
		return Grant{Publish: []string{"homeassistant/#"}, Subscribe: []string{"homeassistant/#"}}, nil
	}})
	client, err := connect(t, b, hub, func(o *paho.ClientOptions) { o.SetUsername("bridge").SetPassword("secret") })
	if err != nil {
		t.Fatal(err)
	}
	got, granted := subscribe(t, client, "homeassistant/#")
	if !granted {
		t.Fatal("the grant was not applied")
	}
	publish(t, client, "homeassistant/sensor/config", "{}", false)
	expect(t, got, "homeassistant/sensor/config {}")
	if _, granted := subscribe(t, client, clockTopic); granted {
		t.Error("more was granted than asked for")
	}
	_, err = connect(t, b, hub, func(o *paho.ClientOptions) { o.SetUsername("bridge").SetPassword("guess") })
	if err == nil {
		t.Error("connected with a wrong password")
	}
}

func TestRetainedClockReachesALateDevice(t *testing.T) {
	dir := t.TempDir()
	b := start(t, Options{Accounts: homeAccounts(), StoreDir: dir})
	publish(t, mustConnect(t, b, hub), clockTopic, "noon", true)
	var got <-chan string
	for deadline := time.Now().Add(patience); ; {
		got, _ = subscribe(t, mustConnect(t, b, gasMeter), clockTopic)
		select {
		case g := <-got:
			if g != clockTopic+" noon" {
				t.Errorf("got %q", g)
			}
			return
		case <-time.After(quiet):
			if time.Now().After(deadline) {
				t.Fatal("the retained message never came")
			}
		}
	}
}

// tlsHome is a broker with certificates: the hub's and the devices' identities
// come from them.
func tlsHome(t *testing.T, change func(*Options)) (*Broker, *pki.Authority) {
	t.Helper()
	authority, err := pki.Init(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	credential, err := authority.Issue(0, pki.RoleBroker, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	certificate := credential.TLS()
	opts := Options{
		TLS:         &certificate,
		ClientRoots: authority.Roots(),
		Certificate: func(id han.EUI64) (Grant, error) {
			switch id {
			case hub:
				return HubGrant(hub), nil
			case gasMeter:
				return DeviceGrant(hub, gasMeter), nil
			default:
				return Grant{}, fmt.Errorf("%s is not in the device log", id)
			}
		},
	}
	if change != nil {
		change(&opts)
	}
	return start(t, opts), authority
}

// withCertificate makes a client present the certificate that authority issues for id.
func withCertificate(t *testing.T, roots, authority *pki.Authority, id han.EUI64) func(*paho.ClientOptions) {
	t.Helper()
	credential, err := authority.Issue(id, pki.RoleDevice)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *paho.ClientOptions) {
		o.SetUsername("").SetPassword("").SetTLSConfig(&tls.Config{
			RootCAs: roots.Roots(), Certificates: []tls.Certificate{credential.TLS()},
		})
	}
}

func TestClientCertificateIsTheIdentity(t *testing.T) {
	b, authority := tlsHome(t, nil)
	h, err := connect(t, b, hub, withCertificate(t, authority, authority, hub))
	if err != nil {
		t.Fatal(err)
	}
	d, err := connect(t, b, gasMeter, withCertificate(t, authority, authority, gasMeter))
	if err != nil {
		t.Fatal(err)
	}
	up, _ := subscribe(t, h, "han/00DB1234567890A3/+/up")
	publish(t, d, upTopic, "report", false)
	expect(t, up, upTopic+" report")
	if _, granted := subscribe(t, d, "han/00DB1234567890A3/+/up"); granted {
		t.Error("a device's certificate gave the hub's rights")
	}
}

func TestCertificatesRefused(t *testing.T) {
	var log syncBuffer
	b, authority := tlsHome(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	otherRoot, err := pki.Init(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*paho.ClientOptions)
	}{
		{"another root", withCertificate(t, authority, otherRoot, gasMeter)},
		{"a device that is not in the log", withCertificate(t, authority, authority, electrical)},
		{"no certificate", func(o *paho.ClientOptions) {
			o.SetTLSConfig(&tls.Config{RootCAs: authority.Roots()})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := connect(t, b, gasMeter, tt.change); err == nil {
				t.Error("connected")
			}
		})
	}
	if !strings.Contains(log.String(), "refused: 00DB1234567890A0 is not in the device log") {
		t.Errorf("the log does not say why:\n%s", log.String())
	}
}

func TestPasswordsAndCertificatesOnOneListener(t *testing.T) {
	b, authority := tlsHome(t, func(o *Options) { o.Accounts = homeAccounts() })
	if _, err := connect(t, b, gasMeter, withCertificate(t, authority, authority, gasMeter)); err != nil {
		t.Errorf("with a certificate: %v", err)
	}
	_, err := connect(t, b, electrical, func(o *paho.ClientOptions) {
		o.SetTLSConfig(&tls.Config{RootCAs: authority.Roots()})
	})
	if err != nil {
		t.Errorf("with a password: %v", err)
	}
}

func TestOversizedPayloadCutsTheSenderOff(t *testing.T) {
	b := start(t, Options{Accounts: homeAccounts()})
	h, d := mustConnect(t, b, hub), mustConnect(t, b, gasMeter)
	up, _ := subscribe(t, h, "han/00DB1234567890A3/+/up")
	publish(t, d, upTopic, strings.Repeat("x", maxPayload+1), false)
	expectNothing(t, up)
	for deadline := time.Now().Add(patience); d.IsConnectionOpen(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the sender is still connected")
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	b := start(t, Options{Accounts: homeAccounts(), MaxConnections: 1})
	mustConnect(t, b, hub)
	if _, err := connect(t, b, gasMeter, nil); err == nil {
		t.Error("a second client connected")
	}
}

func TestGarbageConnectionsDoNoHarm(t *testing.T) {
	var log syncBuffer
	b := start(t, Options{Accounts: homeAccounts(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	h, d := mustConnect(t, b, hub), mustConnect(t, b, gasMeter)
	up, _ := subscribe(t, h, "han/00DB1234567890A3/+/up")
	connect5 := "\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00" // MQTT 5 CONNECT
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(1, uint64(worker)))
			for i := range 50 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "mqtt://"))
				if err != nil {
					t.Error(err)
					return
				}
				junk := make([]byte, dice.IntN(200))
				for j := range junk {
					junk[j] = byte(dice.Uint32())
				}
				if i%3 == 0 {
					junk = append([]byte(connect5), "\x82\x06\x00\x01\x00\x00\x01\x78"...)
				}
				_, _ = conn.Write(junk)
				_ = conn.Close()
			}
		})
	}
	wg.Wait()
	publish(t, d, upTopic, "report", false)
	expect(t, up, upTopic+" report")
	if lines := strings.Count(log.String(), "\n"); lines > 2*linesAtOnce {
		t.Errorf("%d log lines for 400 garbage connections", lines)
	}
}

func TestStartRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	tests := []struct {
		name, want string
		opts       Options
	}{
		{"no store folder", "no store folder", Options{Accounts: homeAccounts()}},
		{"nobody who could connect", "nobody could connect", Options{StoreDir: t.TempDir()}},
		{"a listen address without a port", "want host:port", Options{StoreDir: t.TempDir(), Accounts: homeAccounts(), Listen: "localhost"}},
		{"a port in use", "address already in use", Options{StoreDir: t.TempDir(), Accounts: homeAccounts(), Listen: busy.Addr().String()}},
		{"an account without a password", "no password", Options{StoreDir: t.TempDir(), Accounts: map[string]Account{"x": {}}}},
		{"a filter that cannot be expressed", "not supported", Options{StoreDir: t.TempDir(), Accounts: map[string]Account{
			"x": {Password: "x", Grant: Grant{Publish: []string{"a.b/c"}}}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			b, err := Start(tt.opts)
			if err == nil {
				b.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tt.want)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("refusing took %v", took)
			}
		})
	}
}

func TestRestartOnTheSameFolder(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		b, err := Start(Options{Accounts: homeAccounts(), StoreDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		client, err := connect(t, b, hub, nil)
		if err != nil {
			t.Fatal(err)
		}
		client.Disconnect(100)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TestAStoreFolderIsForOneBrokerAlone: two would spoil each other's files.
func TestAStoreFolderIsForOneBrokerAlone(t *testing.T) {
	options := Options{
		StoreDir: t.TempDir(),
		Accounts: map[string]Account{"hub": {Password: "secret", Grant: HubGrant(1)}},
	}
	first, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := Start(options); err == nil || !strings.Contains(err.Error(), "in use by another broker") {
		t.Errorf("a second broker: %v", err)
		if second != nil {
			_ = second.Close()
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Start(options)
	if err != nil {
		t.Fatalf("after the first has gone: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
