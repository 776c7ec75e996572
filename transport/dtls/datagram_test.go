package dtls

import (
	"errors"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/codectest"
)

const (
	goldenHello = `
		16 FE FD 00 00 00 00 00 00 00 00 00 36   # handshake, epoch 0, 54 bytes
		01 00 00 2A 00 00 00 00 00 00 00 2A      # ClientHello of 42 bytes, message 0, whole
		FE FD                                    # DTLS 1.2
		00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F
		10 11 12 13 14 15 16 17 18 19 1A 1B 1C 1D 1E 1F
		00 00 00 02 C0 AE 01 00                  # no session, no cookie, one suite
	`
	goldenFlight = `
		16 FE FD 00 00 00 00 00 00 00 02 00 0C   # handshake, epoch 0
		0E 00 00 00 00 02 00 00 00 00 00 00      # ServerHelloDone
		14 FE FD 00 00 00 00 00 00 00 03 00 01 01
		16 FE FD 00 01 00 00 00 00 00 00 00 02 AA BB
	`
	goldenAlert     = `15 FE FD 00 00 00 00 00 00 00 00 00 02 02 14`
	goldenProtected = `17 FE FD 00 01 00 00 00 00 00 05 00 03 AA BB CC`
)

func classifyOrRefuse(datagram []byte) (kind, error) {
	what, _ := classify(datagram)
	if what == malformed {
		return malformed, errors.New("malformed")
	}
	return what, nil
}

func TestClassifyGoldens(t *testing.T) {
	for _, tt := range []struct {
		name, golden string
		want         kind
	}{
		{"ClientHello", goldenHello, hello},
		{"alert", goldenAlert, alert},
		{"protected record", goldenProtected, protected},
	} {
		t.Run(tt.name, func(t *testing.T) {
			datagram := codectest.Hex(t, tt.golden)
			if got, _ := classify(datagram); got != tt.want {
				t.Errorf("kind %d, want %d", got, tt.want)
			}
			codectest.RefusesPrefixes(t, datagram, classifyOrRefuse)
		})
	}
	// A flight of several records is cut at a record border to a shorter flight.
	if got, _ := classify(codectest.Hex(t, goldenFlight)); got != flight {
		t.Errorf("kind %d of a flight", got)
	}
}

func TestHelloGivesItsRandom(t *testing.T) {
	_, got := classify(codectest.Hex(t, goldenHello))
	for i, b := range got {
		if int(b) != i {
			t.Fatalf("random % X", got)
		}
	}
}

func TestHelloInLaterFragmentsIsNoNewAttempt(t *testing.T) {
	datagram := codectest.Hex(t, goldenHello)
	datagram[recordHeader+8] = 1 // fragment offset
	if got, _ := classify(datagram); got != flight {
		t.Errorf("kind %d, want a flight", got)
	}
}

func TestPlaintextAlertIsOne(t *testing.T) {
	if got, _ := classify(plaintextAlert(alertBadRecordMAC)); got != alert {
		t.Errorf("kind %d", got)
	}
}

func FuzzClassify(f *testing.F) {
	for _, golden := range []string{goldenHello, goldenFlight, goldenAlert, goldenProtected} {
		f.Add(codectest.Hex(f, golden))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		what, _ := classify(datagram)
		if what == malformed {
			return
		}
		if len(datagram) <= recordHeader || datagram[0] < typeChangeCipherSpec || datagram[0] > typeApplicationData {
			t.Errorf("kind %d of % X", what, datagram)
		}
	})
}

// FuzzOutsider feeds anything to both ends of an association. A single datagram
// does no harm (TestOutsidersCannotEndAnAssociation); but here one follows the
// other, and a forged hint makes the device shake hands, which a forged flight
// in the middle may spoil. The ends must always find each other again.
func FuzzOutsider(f *testing.F) {
	for _, golden := range []string{goldenHello, goldenFlight, goldenAlert, goldenProtected} {
		f.Add(codectest.Hex(f, golden))
	}
	for _, datagram := range outsiders() {
		f.Add(datagram)
	}
	h := newHome(f)
	atHub, atMeter := make(chan string, 64), make(chan string, 64)
	server := h.startHub(func(o *ServerOptions) {
		o.Receive = receiver(atHub)
		o.HandshakeTimeout, o.FlightInterval = 300*time.Millisecond, 20*time.Millisecond
	})
	client := h.startDevice(gasMeter, func(o *ClientOptions) {
		o.Receive = func(record []byte) { atMeter <- string(record) }
		o.HandshakeTimeout, o.FlightInterval = 300*time.Millisecond, 20*time.Millisecond
		o.RetryMin, o.RetryMax, o.Patience = 10*time.Millisecond, 50*time.Millisecond, 100*time.Millisecond
	})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		server.Receive(gasMeter, datagram)
		client.Receive(datagram)
		waitFor(t, func() bool {
			return client.Send([]byte("ping")) == nil && arrives(atHub) &&
				server.Send(gasMeter, []byte("pong")) == nil && arrives(atMeter)
		})
		h.read()
	})
}

func receiver(to chan<- string) func(han.EUI64, []byte) {
	return func(_ han.EUI64, record []byte) { to <- string(record) }
}

func arrives(at <-chan string) bool {
	select {
	case <-at:
		return true
	case <-time.After(50 * time.Millisecond):
		return false
	}
}
