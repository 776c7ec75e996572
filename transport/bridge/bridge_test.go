package bridge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/loopback"
	"github.com/commshub/commshub/transport/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	patience = 30 * time.Second
	outside  = han.EUI64(0x00DB12345678B001)
	meter    = han.EUI64(0x00DB1234567890A0)
)

// fakeHub is a hub with one image, meant for one outside device.
type fakeHub struct {
	mu         sync.Mutex
	file       []byte
	home       Home
	fetched    int
	introduced []Mapping
	reports    []Report
	installs   []han.EUI64
	down       error
	wrong      bool // hands out something else than the image
}

func newFakeHub() *fakeHub {
	h := &fakeHub{file: bytes.Repeat([]byte("firmware"), 1000)}
	h.home = Home{EUI64: 0x00DB1234567890A3, Speed: 1, Devices: []Device{{EUI64: meter, Kind: "ESME"}}}
	return h
}

func (h *fakeHub) Home(context.Context) (*Home, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil {
		return nil, h.down
	}
	home := h.home
	home.Devices = slices.Clone(home.Devices)
	for i, d := range home.Devices {
		if d.Update != nil {
			u := *d.Update
			home.Devices[i].Update = &u
		}
	}
	return &home, nil
}

func (h *fakeHub) Fetch(_ context.Context, _ Hash, w io.Writer) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fetched++
	file := h.file
	if h.wrong {
		file = bytes.ToUpper(file)
	}
	_, err := w.Write(file)
	return err
}

func (h *fakeHub) Introduce(_ context.Context, m Mapping) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.introduced = append(h.introduced, m)
	h.home.Devices = append(h.home.Devices, Device{EUI64: m.EUI64, Kind: KindBridged})
	return nil
}

func (h *fakeHub) Report(_ context.Context, r Report) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil {
		return h.down
	}
	h.reports = append(h.reports, r)
	return nil
}

func (h *fakeHub) Install(_ context.Context, eui han.EUI64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.installs = append(h.installs, eui)
	return nil
}

// distribute offers the image to the outside device.
func (h *fakeHub) distribute() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.home.Device(outside).Update = &Update{State: Pending, Image: Image{
		Hash: sha256.Sum256(h.file), Size: int64(len(h.file)), FileVersion: 0x01020304,
	}}
}

func (h *fakeHub) setDown(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = err
}

func (h *fakeHub) look(f func() bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return f()
}

// echo is an adapter that answers what it hears and keeps how often it did.
type echo struct {
	mapping   []Mapping
	territory string
	heard     int
	seen      chan string
	homes     chan *Home
}

func newEcho() *echo {
	return &echo{territory: "out", mapping: []Mapping{{EUI64: outside, Label: "lamp"}}, seen: make(chan string, 64), homes: make(chan *Home, 1)}
}

func (e *echo) Name() string       { return "echo" }
func (e *echo) Devices() []Mapping { return e.mapping }
func (e *echo) Filters() []string  { return []string{"in/+"} }
func (e *echo) Territories(*Home) []string {
	return []string{e.territory}
}
func (e *echo) Restore(kept []byte) error {
	_, err := fmt.Sscan(string(kept), &e.heard)
	return err
}

func (e *echo) HandleUp(_ time.Time, presence string, out *Outbox) {
	out.Retain("out/presence", []byte(presence))
	e.seen <- fmt.Sprintf("up %d", e.heard)
}

func (e *echo) HandleMessage(_ time.Time, m Message, out *Outbox) error {
	if string(m.Payload) == "bad" {
		out.Publish("out/never", nil)
		return errors.New("not for me")
	}
	e.heard++
	out.Keep([]byte(fmt.Sprint(e.heard)))
	out.Publish("out/echo", m.Payload)
	out.Report(Report{Device: outside, Blocks: uint32(e.heard)})
	e.seen <- string(m.Payload)
	return nil
}

func (e *echo) HandleHome(_ time.Time, home *Home, _ *Outbox) {
	select {
	case <-e.homes:
	default:
	}
	e.homes <- home
}

// HandleHubLost implements HubWatcher.
func (e *echo) HandleHubLost(_ time.Time, out *Outbox) { out.Retain("out/hub", []byte("lost")) }

func (e *echo) NextTimer() (time.Time, bool)   { return time.Time{}, false }
func (e *echo) HandleTimer(time.Time, *Outbox) {}
func (e *echo) HandleDown(out *Outbox)         { out.Retain("out/presence", nil) }

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func textLogger(to io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }

func (l *lines) has(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

// outsideBroker is a broker with one account that may do anything.
func outsideBroker(t testing.TB, change func(*broker.Options)) *broker.Broker {
	t.Helper()
	opts := broker.Options{StoreDir: t.TempDir(), Accounts: map[string]broker.Account{
		"bridge": {Password: "secret", Grant: broker.Grant{Publish: []string{"#"}, Subscribe: []string{"#"}}},
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

// testBridge is a bridge under test.
type testBridge struct {
	*Bridge
	adapter *echo
	log     *lines
	gone    []string // folders of bridges whose homes are gone
}

func configFor(t testing.TB, url, extra string, adapters ...Adapter) Config {
	t.Helper()
	text := fmt.Sprintf("broker: {url: %s, username: bridge, password-file: %s}\n%s", url, secretFile(t), extra)
	var kinds []Kind
	for _, a := range adapters {
		kinds = append(kinds, Kind{Name: a.Name(), New: func(*Section) (Adapter, error) { return a, nil }})
		text += a.Name() + ": {}\n"
	}
	c, err := ParseConfig("bridge.yaml", []byte(text), kinds)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func secretFile(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func startBridge(t testing.TB, url, dir string, hub Hub) *testBridge {
	t.Helper()
	b := &testBridge{adapter: newEcho(), log: &lines{}}
	b.run(t, url, dir, hub)
	return b
}

// run starts the bridge.
func (b *testBridge) run(t testing.TB, url, dir string, hub Hub) {
	t.Helper()
	var err error
	b.Bridge, err = Start(context.Background(), Options{
		Config: configFor(t, url, "http: {listen: 127.0.0.1:0}\n", b.adapter), Hub: hub, Dir: dir,
		Gone: b.gone, Log: textLogger(b.log), Poll: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// knownHome returns the folder of a bridge that has seen a hub.
func knownHome(t testing.TB, hub *fakeHub) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, homeName+".json"), []byte(`"`+hub.home.id()+`"`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (b *testBridge) close(t testing.TB) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func (b *testBridge) expect(t testing.TB, want string) {
	t.Helper()
	select {
	case got := <-b.adapter.seen:
		if got != want {
			t.Fatalf("the adapter saw %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("the adapter saw nothing, want %q", want)
	}
}

// until looks again and again until something is so.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
	}
}

// stranger is another client of the broker.
type stranger struct {
	paho.Client
	mu    sync.Mutex
	heard map[string]string // last payload by topic
}

func connectStranger(t testing.TB, url string) *stranger {
	t.Helper()
	s := &stranger{heard: map[string]string{}}
	o := paho.NewClientOptions().AddBroker(strings.Replace(url, "mqtt:", "tcp:", 1)).SetClientID(t.Name()).
		SetUsername("bridge").SetPassword("secret").SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.heard[m.Topic()] = string(m.Payload())
	})
	s.Client = paho.NewClient(o)
	for _, step := range []func() paho.Token{
		s.Connect,
		func() paho.Token { return s.Subscribe("out/#", 1, nil) },
		func() paho.Token { return s.Subscribe("commshub/#", 1, nil) },
	} {
		if token := step(); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal("stranger:", token.Error())
		}
	}
	t.Cleanup(func() { s.Disconnect(100) })
	return s
}

func (s *stranger) say(t testing.TB, topic, payload string) {
	t.Helper()
	if token := s.Publish(topic, 1, false, payload); !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatal(token.Error())
	}
}

func (s *stranger) last(topic string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard[topic]
}

func TestMessagesReachTheAdapterAndItsAnswersTheBroker(t *testing.T) {
	b := outsideBroker(t, nil)
	hub := newFakeHub()
	other := connectStranger(t, b.URL()) // first: it hears what is retained from now on
	bridge := startBridge(t, b.URL(), t.TempDir(), hub)
	bridge.expect(t, "up 0")
	other.say(t, "in/a", "hello")
	bridge.expect(t, "hello")
	until(t, "the answer", func() bool { return other.last("out/echo") == "hello" })
	until(t, "the report", func() bool {
		return hub.look(func() bool { return len(hub.reports) == 1 && hub.reports[0].Blocks == 1 })
	})
	other.say(t, "in/a", "bad")
	until(t, "the line", func() bool { return bridge.log.has("in/a: not for me") == 1 })
	other.say(t, "in/b", "again")
	bridge.expect(t, "again")
	if got := other.last("out/presence"); got != "commshub/bridge/home-00DB1234567890A3/"+bridge.state.instance {
		t.Errorf("presence topic %q", got)
	}
	bridge.close(t)
	until(t, "everything is taken back", func() bool {
		return other.last("out/presence") == "" && other.last(presenceRoot+"home-00DB1234567890A3/"+bridge.state.instance) == ""
	})
	if _, published := other.heard["out/never"]; published {
		t.Error("a refused message had an effect")
	}
}

func TestImageOfAnOutsideDeviceIsCopiedAndServed(t *testing.T) {
	b := outsideBroker(t, nil)
	hub := newFakeHub()
	dir := t.TempDir()
	bridge := startBridge(t, b.URL(), dir, hub)
	until(t, "the device is known", func() bool { return hub.look(func() bool { return len(hub.introduced) == 1 }) })
	hub.distribute()
	var image Image
	until(t, "the image is at hand", func() bool {
		d := (<-bridge.adapter.homes).Device(outside)
		if d == nil || d.Update == nil || d.Update.Image.File == nil {
			return false
		}
		image = d.Update.Image
		return true
	})
	got, err := io.ReadAll(io.NewSectionReader(image.File, 0, image.Size))
	if err != nil || !bytes.Equal(got, hub.file) {
		t.Errorf("copy has %d bytes, %v", len(got), err)
	}
	url := strings.Replace(image.URL, "127.0.0.1:0", bridge.FilesAddress().String(), 1)
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=7990-")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusPartialContent || string(body) != "refirmware"[:10] {
		t.Errorf("status %d, body %q, %v", resp.StatusCode, body, err)
	}
	part := strings.Replace(image.PartURL(ContentImage), "127.0.0.1:0", bridge.FilesAddress().String(), 1)
	if resp, err = http.Get(part); err != nil {
		t.Fatal(err)
	}
	body, err = io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusNotFound || !strings.Contains(string(body), "OTA header") {
		t.Errorf("the upgrade image of what is no OTA file: status %d, body %q, %v", resp.StatusCode, body, err)
	}
	bridge.close(t)
	http.DefaultClient.CloseIdleConnections()

	again := startBridge(t, b.URL(), dir, hub)
	until(t, "the same link", func() bool {
		d := (<-again.adapter.homes).Device(outside)
		return d.Update.Image.URL == image.URL
	})
	if hub.look(func() bool { return hub.fetched != 1 }) {
		t.Error("the image was fetched again")
	}
	hub.mu.Lock()
	hub.home.Device(outside).Update.State = Activated
	hub.mu.Unlock()
	until(t, "the link is dead", func() bool { _, ok := again.links.find(strings.Split(url, "/")[3]); return !ok })
	until(t, "the copy is gone", func() bool {
		left, err := os.ReadDir(filepath.Join(dir, "images"))
		return err == nil && len(left) == 0
	})
	again.close(t)
}

func TestWrongImageIsNotHandedOut(t *testing.T) {
	b := outsideBroker(t, nil)
	hub := newFakeHub()
	hub.wrong = true
	bridge := startBridge(t, b.URL(), t.TempDir(), hub)
	until(t, "the device is known", func() bool { return hub.look(func() bool { return len(hub.introduced) == 1 }) })
	hub.distribute()
	until(t, "the line", func() bool { return bridge.log.has("are not this image") > 0 })
	if d := (<-bridge.adapter.homes).Device(outside); d.Update != nil && d.Update.Image.File != nil {
		t.Error("a file that is not the image was handed out")
	}
	bridge.close(t)
	if n := bridge.log.has("are not this image"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
}

func TestReportsWaitForTheHub(t *testing.T) {
	b := outsideBroker(t, nil)
	hub := newFakeHub()
	hub.setDown(errors.New("no hub answers"))
	bridge := startBridge(t, b.URL(), knownHome(t, hub), hub)
	other := connectStranger(t, b.URL())
	bridge.expect(t, "up 0")
	for i := range 3 {
		other.say(t, "in/a", fmt.Sprint(i))
		bridge.expect(t, fmt.Sprint(i))
	}
	until(t, "the line", func() bool { return bridge.log.has("no hub answers") == 1 })
	hub.setDown(nil)
	// The adapter saw the last message a moment before its report is posted.
	until(t, "the last report", func() bool {
		return hub.look(func() bool { n := len(hub.reports); return n > 0 && hub.reports[n-1].Blocks == 3 })
	})
	if hub.look(func() bool { return len(hub.reports) > 2 }) {
		t.Error("reports that a later one made needless are told")
	}
	bridge.close(t)
}

func TestAdapterStateOutlivesTheBridge(t *testing.T) {
	b := outsideBroker(t, nil)
	dir := t.TempDir()
	bridge := startBridge(t, b.URL(), dir, newFakeHub())
	other := connectStranger(t, b.URL())
	bridge.expect(t, "up 0")
	other.say(t, "in/a", "x")
	bridge.expect(t, "x")
	if _, err := Start(context.Background(), Options{Config: bridge.opts.Config, Hub: newFakeHub(), Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second bridge on the same folder: %v", err)
	}
	bridge.close(t)
	again := startBridge(t, b.URL(), dir, newFakeHub())
	again.expect(t, "up 1")
	again.close(t)
}

// Retained messages come as soon as the subscription is asked for.
func TestRetainedMessagesComeAfterHandleUp(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	for i := range 5 {
		if token := other.Publish(fmt.Sprint("in/", i), 1, true, "kept"); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	bridge := startBridge(t, b.URL(), t.TempDir(), newFakeHub())
	bridge.expect(t, "up 0")
	for range 5 {
		bridge.expect(t, "kept")
	}
	bridge.close(t)
}

// What cannot be kept must not have an effect: the bridge ends and says why.
func TestBridgeThatCannotKeepItsStateEnds(t *testing.T) {
	b := outsideBroker(t, nil)
	dir := t.TempDir()
	bridge := startBridge(t, b.URL(), dir, newFakeHub())
	other := connectStranger(t, b.URL())
	bridge.expect(t, "up 0")
	if err := os.Mkdir(filepath.Join(dir, "echo.json"), 0o700); err != nil { // in the way of the file
		t.Fatal(err)
	}
	other.say(t, "in/a", "hello")
	select {
	case <-bridge.Done():
	case <-time.After(patience):
		t.Fatal("the bridge goes on")
	}
	if err := bridge.Close(); err == nil || !strings.Contains(err.Error(), "keep the state of echo") {
		t.Errorf("ended with %v", err)
	}
	if other.last("out/echo") != "" {
		t.Error("an answer left before what it depends on was kept")
	}
}

func TestBrokerMayGoAndComeBack(t *testing.T) {
	dir, address := t.TempDir(), loopback.Free(t)
	b := outsideBroker(t, func(o *broker.Options) { o.Listen = address })
	bridge := startBridge(t, b.URL(), t.TempDir(), newFakeHub())
	bridge.expect(t, "up 0")
	b.Close()
	until(t, "the line", func() bool { return bridge.log.has("connection refused") == 1 })
	second := outsideBroker(t, func(o *broker.Options) { o.Listen = address; o.StoreDir = dir })
	bridge.expect(t, "up 0")
	other := connectStranger(t, second.URL())
	other.say(t, "in/a", "hello")
	bridge.expect(t, "hello")
	bridge.close(t)
}

func TestOfTwoBridgesOneWorks(t *testing.T) {
	b := outsideBroker(t, nil)
	other := connectStranger(t, b.URL())
	first := startBridge(t, b.URL(), t.TempDir(), newFakeHub())
	first.expect(t, "up 0")
	second := startBridge(t, b.URL(), t.TempDir(), newFakeHub())
	until(t, "the second stands by", func() bool {
		return other.last(presenceRoot+"home-00DB1234567890A3/"+second.state.instance) == presenceStandby
	})
	other.say(t, "in/a", "one")
	first.expect(t, "one")
	select {
	case <-second.Active():
		t.Error("both work")
	case <-time.After(2 * settleTime):
	}
	first.close(t)
	second.expect(t, "up 0")
	other.say(t, "in/a", "two")
	second.expect(t, "two")
	second.close(t)
}

// TestAHubThatDoesNotAnswerIsTold to adapters that show it, after a while, and also if it
// did not since the bridge started.
func TestAHubThatDoesNotAnswerIsTold(t *testing.T) {
	for _, before := range []bool{true, false} {
		b := outsideBroker(t, nil)
		hub := newFakeHub()
		if !before {
			hub.down = errors.New("connection refused")
		}
		other := connectStranger(t, b.URL())
		bridge := startBridge(t, b.URL(), knownHome(t, hub), hub)
		if before {
			until(t, "the hub is seen", func() bool { return len(bridge.adapter.homes) > 0 })
			if told := other.last("out/hub"); told != "" {
				t.Errorf("told %q of a hub that answers", told)
			}
			hub.mu.Lock()
			hub.down = errors.New("connection refused")
			hub.mu.Unlock()
		}
		until(t, "the loss is told", func() bool { return other.last("out/hub") == "lost" })
		bridge.close(t)
	}
}

// TestAnAdapterThatWasSwitchedOffLeavesNothing: what it left while its bridge was dead is
// taken back by the next one on its folder, once; topics of others stay.
func TestAnAdapterThatWasSwitchedOffLeavesNothing(t *testing.T) {
	b := outsideBroker(t, nil)
	dir := t.TempDir()
	other := connectStranger(t, b.URL())
	for _, topic := range []string{"out/gone/config", "out/gone/state", "out/theirs/state"} {
		if token := other.Publish(topic, 1, true, "left"); !token.WaitTimeout(patience) || token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	until(t, "they are there", func() bool {
		return other.last("out/theirs/state") == "left" && other.last("out/gone/config") == "left"
	})
	path := filepath.Join(dir, leftoversName+".json")
	if err := os.WriteFile(path, []byte(`{"gone":["out/gone/config","out/gone/state"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	bridge := startBridge(t, b.URL(), dir, newFakeHub())
	until(t, "they are taken back", func() bool { return other.last("out/gone/config") == "" && other.last("out/gone/state") == "" })
	until(t, "they are forgotten", func() bool {
		text, err := os.ReadFile(path)
		return err == nil && !strings.Contains(string(text), "gone")
	})
	if other.last("out/theirs/state") != "left" {
		t.Error("somebody else's message was taken back")
	}
	bridge.close(t)
}

// TestWhatAnAdapterLeavesIsKept before it leaves, and forgotten when it is taken back.
func TestWhatAnAdapterLeavesIsKept(t *testing.T) {
	s, err := openState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	l, err := openLeftovers(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		messages []Message
		want     string
	}{
		{[]Message{{Topic: "b", Payload: []byte("x"), Retained: true}, {Topic: "a", Payload: []byte("x"), Retained: true}, {Topic: "c", Payload: []byte("x")}}, `{"one":["a","b"]}`},
		{[]Message{{Topic: "b", Payload: []byte("y"), Retained: true}}, `{"one":["a","b"]}`},
		{[]Message{{Topic: "a", Retained: true}, {Topic: "z", Retained: true}}, `{"one":["b"]}`},
	} {
		if err := l.note("one", tt.messages); err != nil {
			t.Fatal(err)
		}
		if text, err := s.load(leftoversName); err != nil || string(text) != tt.want {
			t.Errorf("kept %s, %v, want %s", text, err, tt.want)
		}
	}
	again, err := openLeftovers(s)
	if err != nil || !slices.Equal(again.topics["one"], []string{"b"}) {
		t.Errorf("read back %v, %v", again, err)
	}
}
