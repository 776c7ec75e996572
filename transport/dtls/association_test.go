package dtls

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/pki"
)

func TestDeviceAndHubTalk(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server, client := h.startHub(nil), h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		h.mustTalk(server, gasMeter, client)
		time.Sleep(30 * 24 * time.Hour) // a month without a word
		h.mustTalk(server, gasMeter, client)
		want := Counters{HandshakesStarted: 1, HandshakesCompleted: 1, RecordsSent: 2, RecordsReceived: 2}
		if got := server.Counters(); got != want {
			t.Errorf("server counts %+v, want %+v", got, want)
		}
		if got := client.Counters(); got != want {
			t.Errorf("client counts %+v, want %+v", got, want)
		}
	})
}

func TestRecordCosts29Bytes(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.startHub(nil)
		client := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		h.setFilter(func(_ han.EUI64, _ bool, datagram []byte) bool {
			h.note("%d bytes", len(datagram))
			return true
		})
		if err := client.Send(make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := h.read(); !strings.HasPrefix(got, "93 bytes\n") {
			t.Errorf("64 bytes of application data made %s", got)
		}
	})
}

func TestRecordsOverTheLimitAreRefused(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server, client := h.startHub(nil), h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		if err := client.Send(make([]byte, MaxRecord+1)); !errors.Is(err, errRecordTooLong) {
			t.Errorf("client: %v", err)
		}
		if err := server.Send(gasMeter, make([]byte, MaxRecord+1)); !errors.Is(err, errRecordTooLong) {
			t.Errorf("server: %v", err)
		}
		if err := client.Send(make([]byte, MaxRecord)); err != nil {
			t.Error(err)
		}
	})
}

func TestSendWithoutAssociation(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		server := h.startHub(nil)
		if err := server.Send(gasMeter, []byte("x")); !errors.Is(err, ErrNoAssociation) {
			t.Errorf("server: %v", err)
		}
		h.setFilter(func(han.EUI64, bool, []byte) bool { return false })
		if err := h.startDevice(gasMeter, nil).Send([]byte("x")); !errors.Is(err, ErrNoAssociation) {
			t.Errorf("client: %v", err)
		}
	})
}

func TestSendErrorOfTheCarrierIsReturned(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.startHub(nil)
		down := errors.New("the broker is not connected")
		cut := false
		client := h.startDevice(gasMeter, func(o *ClientOptions) {
			send := o.Send
			o.Send = func(datagram []byte) error {
				if cut {
					return down
				}
				return send(datagram)
			}
		})
		h.expectEstablished(gasMeter)
		cut = true
		if err := client.Send([]byte("x")); !errors.Is(err, down) {
			t.Errorf("Send: %v, want %v", err, down)
		}
		cut = false // an association outlives a time without a carrier
		if err := client.Send([]byte("y")); err != nil {
			t.Error(err)
		}
		h.expect(fmt.Sprintf("hub got %q from %s", "y", gasMeter))
	})
}

func TestIdentityMustBeTheTopics(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.startHub(nil)
		h.startDevice(gasMeter, func(o *ClientOptions) { o.Certificate = h.certificate(display) })
		h.expectBoth(
			"hub refused 00DB1234567890A1: the certificate of 00DB1234567890A4 was used by 00DB1234567890A1",
			"00DB1234567890A1 failed: the other side refused: bad certificate")
	})
}

func TestDeviceRefusesAnImposterHub(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.startHub(func(o *ServerOptions) { o.Certificate = h.certificate(display) })
		h.startDevice(gasMeter, nil)
		synctest.Wait()
		h.expectBoth(
			"00DB1234567890A1 failed: the certificate of 00DB1234567890A4 was used by 00DB1234567890A3",
			"hub refused 00DB1234567890A1: the other side refused: bad certificate")
	})
}

func TestCertificateOfAnotherRootIsRefused(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		other, err := pki.Init(t.TempDir(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		h.startHub(nil)
		h.startDevice(gasMeter, func(o *ClientOptions) {
			credential, err := other.Issue(gasMeter, pki.RoleDevice)
			if err != nil {
				t.Fatal(err)
			}
			certificate := credential.TLS()
			o.Certificate = &certificate
		})
		synctest.Wait()
		got := h.read()
		if !strings.Contains(got, "hub refused 00DB1234567890A1: x509: certificate signed by unknown authority") ||
			!strings.Contains(got, "00DB1234567890A1 failed: the other side refused: bad certificate") {
			t.Errorf("diary:\n%s", got)
		}
	})
}

func TestExpiredCertificateIsRefused(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		h.startHub(nil)
		time.Sleep(11 * 365 * 24 * time.Hour)
		h.startDevice(gasMeter, nil)
		synctest.Wait()
		if got := h.read(); !strings.Contains(got, "certificate has expired") {
			t.Errorf("diary:\n%s", got)
		}
	})
}

func TestInstallCode(t *testing.T) {
	key := Key{1, 2, 3}
	withKey := func(k Key) func(*ClientOptions) {
		return func(o *ClientOptions) { o.Certificate, o.Roots, o.InstallKey = nil, nil, &k }
	}
	hubWith := func(o *ServerOptions) {
		o.InstallKey = func(peer han.EUI64) (Key, bool) { return key, peer == gasMeter }
	}
	t.Run("beside certificates", func(t *testing.T) {
		inHome(t, func(t *testing.T, h *home) {
			server := h.startHub(hubWith)
			client := h.startDevice(gasMeter, withKey(key))
			h.expectEstablished(gasMeter)
			h.mustTalk(server, gasMeter, client)
			other := h.startDevice(display, nil)
			h.expectEstablished(display)
			h.mustTalk(server, display, other)
		})
	})
	t.Run("alone", func(t *testing.T) {
		inHome(t, func(t *testing.T, h *home) {
			server := h.startHub(func(o *ServerOptions) { hubWith(o); o.Certificate, o.Roots = nil, nil })
			client := h.startDevice(gasMeter, withKey(key))
			h.expectEstablished(gasMeter)
			h.mustTalk(server, gasMeter, client)
		})
	})
	refusals := []struct {
		name, want string
		hub        func(*ServerOptions)
		device     han.EUI64
		client     func(*ClientOptions)
	}{
		{"a wrong code", "hub refused 00DB1234567890A1: no answer within 10s: do both sides have the same install code?", hubWith, gasMeter, withKey(Key{9})},
		{"a device without one", "hub refused 00DB1234567890A4: no install code is known for 00DB1234567890A4", hubWith, display, withKey(key)},
		{"another device's", `hub refused 00DB1234567890A4: the install code of "00DB1234567890A1" was used by 00DB1234567890A4`, hubWith, display,
			func(o *ClientOptions) { withKey(key)(o); o.Device = gasMeter }},
		{"a hub that takes none", "client+server do not support any shared cipher suites", nil, gasMeter, withKey(key)},
	}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			inHome(t, func(t *testing.T, h *home) {
				h.startHub(tt.hub)
				h.startDevice(tt.device, tt.client)
				time.Sleep(11 * time.Second)
				synctest.Wait()
				if got := h.read(); !strings.Contains(got, tt.want) || strings.Contains(got, "established") {
					t.Errorf("diary:\n%s\nwant %q", got, tt.want)
				}
			})
		})
	}
}

// Whoever has another code is slowed: each try in a row makes the next one wait longer. The
// device itself gets in as soon as that is over, and a certificate at any time.
func TestTriesAtAnInstallCodeAreCountedAndSlowed(t *testing.T) {
	inHome(t, func(t *testing.T, h *home) {
		key := Key{1, 2, 3}
		var told atomic.Int64 // handshakes run in goroutines of their own
		server := h.startHub(func(o *ServerOptions) {
			o.InstallKey = func(han.EUI64) (Key, bool) { return key, true }
			o.Unproven = func(peer han.EUI64, inARow int) {
				if want := int(told.Add(1)); peer != gasMeter || inARow != want {
					t.Errorf("told of try %d of %s, want %d", inARow, peer, want)
				}
			}
		})
		withKey := func(k Key) func(*ClientOptions) {
			return func(o *ClientOptions) { o.Certificate, o.Roots, o.InstallKey = nil, nil, &k }
		}
		guesser := h.startDevice(gasMeter, withKey(Key{9}))
		time.Sleep(time.Hour)
		// One try a minute, and a handshake of 10 s each.
		if n := told.Load(); n < 45 || n > 70 {
			t.Errorf("%d tries in an hour, want about one a minute", n)
		}
		if c := server.Counters(); c.Unproven != uint64(told.Load()) || c.HandshakesCompleted != 0 {
			t.Errorf("told of %d tries, counted %+v", told.Load(), c)
		}
		got := h.read()
		for _, want := range []string{
			"hub refused 00DB1234567890A1: the install code was not proved ", " times in a row: the next try counts in ",
			"00DB1234567890A1 failed: the hub refused: it knows no install code of this device, or waits after tries that did not prove it",
			"00DB1234567890A1 failed: no answer within 10s: do both sides have the same install code?",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("nobody said %q:\n%s", want, got[:min(len(got), 2000)])
			}
		}
		if err := guesser.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second) // its last handshake makes room for another
		synctest.Wait()
		h.read()
		certified := h.startDevice(gasMeter, nil)
		h.expectEstablished(gasMeter)
		if err := certified.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(longestPause)
		synctest.Wait()
		h.read()
		h.startDevice(gasMeter, withKey(key))
		h.expectEstablished(gasMeter)
		if _, wait := server.tries.begin(gasMeter); wait != 0 {
			t.Errorf("after a proof the next try waits %s", wait)
		}
	})
}

// What was tried before does not count once the code is proved, or the device has left the
// device log.
func TestTriesAtAnInstallCodeAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all tries
		for n := 1; n <= 8; n++ {
			if got, wait := all.begin(gasMeter); got != n || wait != 0 {
				t.Fatalf("try %d: %d in a row, waits %s", n, got, wait)
			}
			want := min(time.Second<<(n-1), time.Minute)
			if _, wait := all.begin(gasMeter); wait != want {
				t.Errorf("after %d tries: a pause of %s, want %s", n, wait, want)
			}
			if _, wait := all.begin(display); wait != 0 {
				t.Errorf("another device waits %s", wait)
			}
			all.forget(display)
			time.Sleep(want)
		}
		all.forget(gasMeter)
		if got, wait := all.begin(gasMeter); got != 1 || wait != 0 {
			t.Errorf("after a proof: %d in a row, waits %s", got, wait)
		}
	})
}

func TestOptionsAreChecked(t *testing.T) {
	h := newHome(t)
	send := func(han.EUI64, []byte) error { return nil }
	receive := func(han.EUI64, []byte) {}
	certificate := h.certificate(hub)
	servers := map[string]ServerOptions{
		"no credential": {Send: send, Receive: receive},
		"no roots":      {Certificate: certificate, Send: send, Receive: receive},
		"no carrier":    {Certificate: certificate, Roots: h.roots(), Receive: receive},
	}
	for name, opts := range servers {
		if _, err := NewServer(opts); err == nil {
			t.Errorf("server with %s was made", name)
		}
	}
	clients := map[string]ClientOptions{
		"no credential": {Device: gasMeter, Hub: hub, Send: func([]byte) error { return nil }, Receive: func([]byte) {}},
		"no hub":        {Device: gasMeter, InstallKey: &Key{}, Send: func([]byte) error { return nil }, Receive: func([]byte) {}},
	}
	for name, opts := range clients {
		if _, err := NewClient(opts); err == nil {
			t.Errorf("client with %s was made", name)
		}
	}
}

func TestHandshakesUnderLoss(t *testing.T) {
	// Every fifth datagram of each way is lost, at another place in each round.
	for round := range 5 {
		inHome(t, func(t *testing.T, h *home) {
			count := round
			h.setFilter(func(han.EUI64, bool, []byte) bool {
				count++
				return count%5 != 0
			})
			server := h.startHub(nil)
			client := h.startDevice(gasMeter, nil)
			time.Sleep(20 * time.Second)
			synctest.Wait()
			h.setFilter(nil)
			h.read()
			h.mustTalk(server, gasMeter, client)
			if c := client.Counters(); c.HandshakesStarted != 1 {
				t.Errorf("round %d took %d handshakes", round, c.HandshakesStarted)
			}
		})
	}
}
