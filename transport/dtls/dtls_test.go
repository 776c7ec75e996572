package dtls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/pki"
)

const (
	hub      han.EUI64 = 0x00DB1234567890A3
	gasMeter han.EUI64 = 0x00DB1234567890A1
	display  han.EUI64 = 0x00DB1234567890A4
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ether carries datagrams between one server and its clients, in the sender's
// goroutine. A filter may look at, drop, or repeat each of them.
type ether struct {
	mu      sync.Mutex
	server  *Server
	clients map[han.EUI64]*Client
	twin    *Client // another one with the keys of the gas meter
	filter  func(peer han.EUI64, up bool, datagram []byte) (passes bool)
}

func (e *ether) toServer(peer han.EUI64, datagram []byte) error {
	server, _, passes := e.route(peer, true, datagram)
	if passes && server != nil {
		server.Receive(peer, datagram)
	}
	return nil
}

func (e *ether) toClient(peer han.EUI64, datagram []byte) error {
	_, client, passes := e.route(peer, false, datagram)
	if passes && e.twin != nil && peer == gasMeter {
		e.twin.Receive(bytes.Clone(datagram))
	}
	if passes && client != nil {
		client.Receive(datagram)
	}
	return nil
}

func (e *ether) route(peer han.EUI64, up bool, datagram []byte) (*Server, *Client, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.server, e.clients[peer], e.filter == nil || e.filter(peer, up, datagram)
}

func (e *ether) setFilter(filter func(peer han.EUI64, up bool, datagram []byte) bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.filter = filter
}

// home is an ether with certificates and a diary of what everybody was told.
type home struct {
	t         testing.TB
	authority *pki.Authority
	ether

	twins   bool // a second device with the same keys comes beside the first
	diaryMu sync.Mutex
	diary   []string
}

func newHome(t testing.TB) *home {
	t.Helper()
	authority, err := pki.Init(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &home{t: t, authority: authority, ether: ether{clients: map[han.EUI64]*Client{}}}
}

func (h *home) certificate(id han.EUI64) *tls.Certificate {
	h.t.Helper()
	credential, err := h.authority.Issue(id, pki.RoleDevice)
	if err != nil {
		h.t.Fatal(err)
	}
	certificate := credential.TLS()
	return &certificate
}

func (h *home) roots() *x509.CertPool { return h.authority.Roots() }

func (h *home) note(format string, args ...any) {
	h.diaryMu.Lock()
	defer h.diaryMu.Unlock()
	h.diary = append(h.diary, fmt.Sprintf(format, args...))
}

// read returns the diary and starts a new page.
func (h *home) read() string {
	h.diaryMu.Lock()
	defer h.diaryMu.Unlock()
	page := strings.Join(h.diary, "\n")
	h.diary = nil
	return page
}

// expect demands the diary's page, once all goroutines of the bubble rest.
func (h *home) expect(lines ...string) {
	h.t.Helper()
	synctest.Wait()
	if got, want := h.read(), strings.Join(lines, "\n"); got != want {
		h.t.Fatalf("diary:\n%s\nwant:\n%s", got, want)
	}
}

// startHub puts a server into the ether.
func (h *home) startHub(change func(*ServerOptions)) *Server {
	h.t.Helper()
	opts := ServerOptions{
		Certificate: h.certificate(hub),
		Roots:       h.roots(),
		Send:        h.toClient,
		Receive:     func(peer han.EUI64, record []byte) { h.note("hub got %q from %s", record, peer) },
		Established: func(peer han.EUI64) { h.note("hub established %s", peer) },
		Lost:        func(peer han.EUI64, reason error) { h.note("hub lost %s: %v", peer, reason) },
		Refused:     func(peer han.EUI64, reason error) { h.note("hub refused %s: %v", peer, reason) },
	}
	if change != nil {
		change(&opts)
	}
	server, err := NewServer(opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	h.server = server
	h.mu.Unlock()
	h.t.Cleanup(func() { server.Close() })
	return server
}

// startDevice puts a client into the ether.
func (h *home) startDevice(id han.EUI64, change func(*ClientOptions)) *Client {
	h.t.Helper()
	opts := ClientOptions{
		Device: id, Hub: hub,
		Certificate: h.certificate(id),
		Roots:       h.roots(),
		Send:        func(datagram []byte) error { return h.toServer(id, datagram) },
		Receive:     func(record []byte) { h.note("%s got %q", id, record) },
		Established: func() { h.note("%s established", id) },
		Lost:        func(reason error) { h.note("%s lost: %v", id, reason) },
		Failed:      func(reason error) { h.note("%s failed: %v", id, reason) },
	}
	if change != nil {
		change(&opts)
	}
	client, err := NewClient(opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.mu.Lock()
	if h.twins && h.clients[id] != nil {
		h.twin = client
	} else {
		h.clients[id] = client
	}
	h.mu.Unlock()
	h.t.Cleanup(func() { client.Close() })
	client.CarrierUp(true)
	return client
}

// mustTalk demands that a record gets through each way.
func (h *home) mustTalk(server *Server, id han.EUI64, client *Client) {
	h.t.Helper()
	if err := client.Send([]byte("ping")); err != nil {
		h.t.Fatal(err)
	}
	h.expect(fmt.Sprintf("hub got %q from %s", "ping", id))
	if err := server.Send(id, []byte("pong")); err != nil {
		h.t.Fatal(err)
	}
	h.expect(fmt.Sprintf("%s got %q", id, "pong"))
}

// expectBoth demands the two lines in any order: each side tells in its own goroutine.
func (h *home) expectBoth(a, b string) {
	h.t.Helper()
	synctest.Wait()
	if got := h.read(); got != a+"\n"+b && got != b+"\n"+a {
		h.t.Fatalf("diary:\n%s\nwant:\n%s\n%s", got, a, b)
	}
}

func (h *home) expectEstablished(id han.EUI64) {
	h.t.Helper()
	h.expectBoth(fmt.Sprintf("hub established %s", id), fmt.Sprintf("%s established", id))
}

// inHome runs a story in virtual time.
func inHome(t *testing.T, story func(t *testing.T, h *home)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { story(t, newHome(t)) })
}
