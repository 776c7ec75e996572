package v2interop

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	v2 "github.com/pion/dtls/v2"
	"github.com/pion/dtls/v2/pkg/crypto/elliptic"
	"github.com/pion/transport/v2/deadline"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/dtls"
)

const (
	hub      han.EUI64 = 0x00DB1234567890A3
	gasMeter han.EUI64 = 0x00DB1234567890A1

	patience = 10 * time.Second
)

// wire is the device's end of the carrier, as v2 wants it.
type wire struct {
	toHub        func(datagram []byte)
	fromHub      chan []byte
	closed       chan struct{}
	closing      sync.Once
	readDeadline *deadline.Deadline
}

func newWire() *wire {
	return &wire{fromHub: make(chan []byte, 64), closed: make(chan struct{}), readDeadline: deadline.New()}
}

func (w *wire) Read(p []byte) (int, error) {
	select {
	case datagram := <-w.fromHub:
		return copy(p, datagram), nil
	case <-w.closed:
		return 0, io.EOF
	case <-w.readDeadline.Done():
		return 0, os.ErrDeadlineExceeded
	}
}

func (w *wire) Write(p []byte) (int, error) {
	w.toHub(append([]byte(nil), p...))
	return len(p), nil
}

func (w *wire) Close() error {
	w.closing.Do(func() { close(w.closed) })
	return nil
}

func (w *wire) LocalAddr() net.Addr                { return &net.UDPAddr{} }
func (w *wire) RemoteAddr() net.Addr               { return &net.UDPAddr{} }
func (w *wire) SetDeadline(t time.Time) error      { return w.SetReadDeadline(t) }
func (w *wire) SetReadDeadline(t time.Time) error  { w.readDeadline.Set(t); return nil }
func (w *wire) SetWriteDeadline(_ time.Time) error { return nil }

// startHub runs our server, which answers each record with the same record.
func startHub(t *testing.T, w *wire, authority *pki.Authority, key dtls.Key) *dtls.Server {
	t.Helper()
	credential, err := authority.Issue(hub, pki.RoleDevice)
	if err != nil {
		t.Fatal(err)
	}
	certificate := credential.TLS()
	var server *dtls.Server
	server, err = dtls.NewServer(dtls.ServerOptions{
		Certificate: &certificate,
		Roots:       authority.Roots(),
		InstallKey:  func(peer han.EUI64) (dtls.Key, bool) { return key, peer == gasMeter },
		Send: func(_ han.EUI64, datagram []byte) error {
			w.fromHub <- datagram
			return nil
		},
		Receive: func(peer han.EUI64, record []byte) {
			if err := server.Send(peer, record); err != nil {
				t.Error(err)
			}
		},
		Refused: func(peer han.EUI64, reason error) { t.Errorf("hub refused %s: %v", peer, reason) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.toHub = func(datagram []byte) { server.Receive(gasMeter, datagram) }
	t.Cleanup(func() { server.Close() })
	return server
}

// talk makes a v2 association and exchanges records on it.
func talk(t *testing.T, server *dtls.Server, w *wire, config *v2.Config) {
	t.Helper()
	config.EllipticCurves = []elliptic.Curve{elliptic.P256}
	config.ExtendedMasterSecret = v2.RequireExtendedMasterSecret
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := v2.ClientWithContext(ctx, w, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, size := range []int{1, 64, 1600} {
		record := make([]byte, size)
		if _, err := conn.Write(record); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(make([]byte, 8192))
		if err != nil || n != size {
			t.Fatalf("%d bytes came back, %v; want %d", n, err, size)
		}
	}
	if c := server.Counters(); c.HandshakesCompleted != 1 || c.RecordsReceived != 3 {
		t.Errorf("hub counts %+v", c)
	}
}

func newAuthority(t *testing.T) *pki.Authority {
	t.Helper()
	authority, err := pki.Init(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func TestV2DeviceWithCertificate(t *testing.T) {
	authority, w := newAuthority(t), newWire()
	server := startHub(t, w, authority, dtls.Key{})
	credential, err := authority.Issue(gasMeter, pki.RoleDevice)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, server, w, &v2.Config{
		CipherSuites: []v2.CipherSuiteID{v2.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8},
		Certificates: []tls.Certificate{credential.TLS()},
		RootCAs:      authority.Roots(),
	})
}

func TestV2DeviceWithInstallCode(t *testing.T) {
	key := installcode.New([installcode.SecretSize]byte{1, 2, 3}).Key()
	authority, w := newAuthority(t), newWire()
	server := startHub(t, w, authority, key)
	talk(t, server, w, &v2.Config{
		CipherSuites:    []v2.CipherSuiteID{v2.TLS_PSK_WITH_AES_128_CCM_8},
		PSK:             func([]byte) ([]byte, error) { return key[:], nil },
		PSKIdentityHint: []byte(gasMeter.String()),
	})
}
