package link

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/loopback"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/transport/broker"
	"github.com/commshub/commshub/transport/mqtt"
)

const (
	hubID    han.EUI64 = 0x00DB1234567890A3
	gasMeter han.EUI64 = 0x00DB1234567890A1
	display  han.EUI64 = 0x00DB1234567890A4

	patience = 10 * time.Second
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// home is a broker with certificates and accounts for a hub and its devices.
type home struct {
	t         testing.TB
	authority *pki.Authority
	storeDir  string
	listen    string
	broker    *broker.Broker
}

func newHome(t testing.TB) *home {
	t.Helper()
	authority, err := pki.Init(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := &home{t: t, authority: authority, storeDir: t.TempDir(), listen: loopback.Free(t)}
	h.startBroker()
	t.Cleanup(func() { h.broker.Close() })
	return h
}

// startBroker runs a broker where a user's password is its name.
func (h *home) startBroker() {
	h.t.Helper()
	b, err := broker.Start(broker.Options{StoreDir: h.storeDir, Listen: h.listen, Password: func(username, password string) (broker.Grant, error) {
		id, err := han.ParseEUI64(username)
		switch {
		case username == tester && password == tester:
			return everything, nil
		case err != nil || username != password:
			return broker.Grant{}, errors.New("unknown user")
		case id == hubID:
			return broker.HubGrant(hubID), nil
		default:
			return broker.DeviceGrant(hubID, id), nil
		}
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.broker = b
}

func (h *home) account(id han.EUI64) Broker {
	return Broker{URL: h.broker.URL(), Username: id.String(), Password: id.String(), RetryMax: 100 * time.Millisecond}
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

// diary collects what one end got and was told.
type diary struct {
	frames  chan han.Frame
	stamps  chan han.Stamp
	notices chan string
}

func newDiary() *diary {
	return &diary{frames: make(chan han.Frame, 64), stamps: make(chan han.Stamp, 64), notices: make(chan string, 64)}
}

func (d *diary) receive(f han.Frame, st *han.Stamp) {
	f.Payload = append([]byte(nil), f.Payload...)
	d.frames <- f
	if st != nil {
		d.stamps <- *st
	}
}

func (d *diary) receivers() Receivers {
	return Receivers{Frame: d.receive, Stamp: func(_ han.EUI64, st han.Stamp) { d.stamps <- st }}
}

func (d *diary) tell() Notices {
	return Notices{
		Broker: func(up bool, reason error) {
			if up {
				d.notices <- "broker up"
			} else {
				d.notices <- fmt.Sprintf("broker down: %v", reason)
			}
		},
		Association: func(peer han.EUI64, established bool, reason error) {
			if established {
				d.notices <- fmt.Sprintf("association with %s", peer)
			} else {
				d.notices <- fmt.Sprintf("association lost with %s: %v", peer, reason)
			}
		},
		Refused: func(peer han.EUI64, reason error) { d.notices <- fmt.Sprintf("refused %s: %v", peer, reason) },
	}
}

// expectNotice skips other notices.
func (d *diary) expectNotice(t testing.TB, part string) {
	t.Helper()
	timeout := time.After(patience)
	var seen []string
	for {
		select {
		case got := <-d.notices:
			if strings.Contains(got, part) {
				return
			}
			seen = append(seen, got)
		case <-timeout:
			t.Fatalf("never told %q, but %q", part, seen)
		}
	}
}

func (d *diary) expectFrame(t testing.TB, want han.Frame) {
	t.Helper()
	select {
	case got := <-d.frames:
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("frame (-want +got):\n%s", diff)
		}
	case <-time.After(patience):
		t.Fatalf("no frame came, want %v", want)
	}
}

func (d *diary) expectStamp(t testing.TB) han.Stamp {
	t.Helper()
	select {
	case got := <-d.stamps:
		return got
	case <-time.After(patience):
		t.Fatal("no stamp came")
		return han.Stamp{}
	}
}

func (h *home) dialHub(change func(*HubOptions)) (*Hub, *diary) {
	h.t.Helper()
	d := newDiary()
	opts := HubOptions{
		Broker: h.account(hubID), Hub: hubID,
		Certificate: h.certificate(hubID), Roots: h.authority.Roots(),
		Receive: d.receivers(), Notices: d.tell(),
		FlightInterval: 100 * time.Millisecond,
	}
	if change != nil {
		change(&opts)
	}
	hub, err := DialHub(context.Background(), opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { hub.Close() })
	return hub, d
}

func (h *home) dialDevice(id han.EUI64, change func(*DeviceOptions)) (*Device, *diary) {
	h.t.Helper()
	d := newDiary()
	opts := DeviceOptions{
		Broker: h.account(id), Device: id, Hub: hubID,
		Certificate: h.certificate(id), Roots: h.authority.Roots(),
		Receive: d.receivers(), Notices: d.tell(),
		FlightInterval: 100 * time.Millisecond, RetryMin: 50 * time.Millisecond, RetryMax: 200 * time.Millisecond,
		HandshakeTimeout: 2 * time.Second,
	}
	if change != nil {
		change(&opts)
	}
	device, err := DialDevice(context.Background(), opts)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { device.Close() })
	return device, d
}

func frameUp(id han.EUI64, payload string) han.Frame {
	return han.Frame{Src: id, Dst: hubID, SrcEndpoint: 1, DstEndpoint: 2, Profile: han.ProfileSmartEnergy, Cluster: 0x0702, Counter: 9, Payload: []byte(payload)}
}

func frameDown(id han.EUI64, payload string) han.Frame {
	f := frameUp(id, payload)
	f.Src, f.Dst = f.Dst, f.Src
	return f
}

func mustSend(t testing.TB, send func(han.Frame, *han.Stamp) error, f han.Frame) {
	t.Helper()
	if err := send(f, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFramesTravelBothWays(t *testing.T) {
	h := newHome(t)
	hub, atHub := h.dialHub(nil)
	meter, atMeter := h.dialDevice(gasMeter, nil)
	ihd, atDisplay := h.dialDevice(display, nil)
	atMeter.expectNotice(t, "association with 00DB1234567890A3")
	atDisplay.expectNotice(t, "association with 00DB1234567890A3")

	mustSend(t, meter.Send, frameUp(gasMeter, "report"))
	atHub.expectFrame(t, frameUp(gasMeter, "report"))
	mustSend(t, hub.Send, frameDown(gasMeter, "flags"))
	atMeter.expectFrame(t, frameDown(gasMeter, "flags"))
	mustSend(t, ihd.Send, frameUp(display, "read"))
	atHub.expectFrame(t, frameUp(display, "read"))

	longest := frameUp(gasMeter, strings.Repeat("x", han.MaxPayload))
	mustSend(t, meter.Send, longest)
	atHub.expectFrame(t, longest)
	if c := hub.Counters(); c.FramesReceived != 3 || c.FramesSent != 1 || c.DTLS.HandshakesCompleted != 2 {
		t.Errorf("hub counts %+v", c)
	}
}

// Stamps travel beside frames and alone, and a frame without one stays without.
func TestStampsTravel(t *testing.T) {
	h := newHome(t)
	hub, atHub := h.dialHub(nil)
	meter, atMeter := h.dialDevice(gasMeter, nil)
	atMeter.expectNotice(t, "association with")
	noon := time.Date(2030, 6, 1, 12, 0, 0, 17, time.UTC)
	beside := han.Stamp{Due: noon, Number: 3, Seen: 2, Promise: noon.Add(time.Hour)}
	if err := meter.Send(frameUp(gasMeter, "report"), &beside); err != nil {
		t.Fatal(err)
	}
	atHub.expectFrame(t, frameUp(gasMeter, "report"))
	alone := han.Stamp{Due: noon, Number: 1, Promise: noon, Asks: true}
	if err := hub.SendStamp(gasMeter, &alone); err != nil {
		t.Fatal(err)
	}
	if got := atHub.expectStamp(t); got != beside {
		t.Errorf("the hub got %+v, want %+v", got, beside)
	}
	if got := atMeter.expectStamp(t); got != alone {
		t.Errorf("the meter got %+v, want %+v", got, alone)
	}
	if c := hub.Counters(); c.FramesReceived != 1 || c.FramesSent != 0 {
		t.Errorf("stamps are counted as frames: %+v", c)
	}
}

func TestInstallCodeJoins(t *testing.T) {
	h := newHome(t)
	key := Key{1, 2, 3}
	_, atHub := h.dialHub(func(o *HubOptions) {
		o.InstallKey = func(peer han.EUI64) (Key, bool) { return key, peer == display }
	})
	ihd, atDisplay := h.dialDevice(display, func(o *DeviceOptions) {
		o.Certificate, o.Roots, o.InstallKey = nil, nil, &key
	})
	atDisplay.expectNotice(t, "association with")
	mustSend(t, ihd.Send, frameUp(display, "read"))
	atHub.expectFrame(t, frameUp(display, "read"))
}

func TestMisaddressedFramesAreRefused(t *testing.T) {
	h := newHome(t)
	hub, atHub := h.dialHub(nil)
	meter, atMeter := h.dialDevice(gasMeter, nil)
	atMeter.expectNotice(t, "association with")

	if err := meter.Send(frameUp(display, "forged"), nil); err == nil {
		t.Error("a frame with another source was sent")
	}
	raw := func(f han.Frame) {
		t.Helper()
		if err := encode(f, nil, meter.session.Send); err != nil {
			t.Fatal(err)
		}
	}
	raw(frameUp(display, "forged"))
	atHub.expectNotice(t, "refused 00DB1234567890A1: frame refused: its source is 00DB1234567890A4, it came from 00DB1234567890A1")
	astray := frameUp(gasMeter, "astray")
	astray.Dst = display
	raw(astray)
	atHub.expectNotice(t, "refused 00DB1234567890A1: frame refused: it is for 00DB1234567890A4, this is 00DB1234567890A3")
	if err := meter.session.Send([]byte("no CBOR")); err != nil {
		t.Fatal(err)
	}
	atHub.expectNotice(t, "refused 00DB1234567890A1: decode frame")
	for range 100 {
		if err := meter.session.Send([]byte("no CBOR")); err != nil {
			t.Fatal(err)
		}
	}
	mustSend(t, meter.Send, frameUp(gasMeter, "report"))
	atHub.expectFrame(t, frameUp(gasMeter, "report"))
	if c := hub.Counters(); c.FramesRefused != 103 {
		t.Errorf("%d frames refused, want 103", c.FramesRefused)
	}
	if told := len(atHub.notices); told > refusalsAtOnce {
		t.Errorf("told %d times", told)
	}
}

func TestUnknownDeviceIsRefusedAndARemovedOneCut(t *testing.T) {
	h := newHome(t)
	var mu sync.Mutex
	known := map[han.EUI64]bool{gasMeter: true}
	hub, atHub := h.dialHub(func(o *HubOptions) {
		o.Authorise = func(peer han.EUI64) error {
			mu.Lock()
			defer mu.Unlock()
			if !known[peer] {
				return errors.New("not in the device log")
			}
			return nil
		}
	})
	meter, atMeter := h.dialDevice(gasMeter, nil)
	atMeter.expectNotice(t, "association with")
	_, atDisplay := h.dialDevice(display, nil)
	atHub.expectNotice(t, "refused 00DB1234567890A4: not in the device log")
	atDisplay.expectNotice(t, "the other side refused: access denied")

	mu.Lock()
	delete(known, gasMeter)
	mu.Unlock()
	hub.Drop(gasMeter)
	atMeter.expectNotice(t, "association lost")
	atMeter.expectNotice(t, "access denied")
	if err := meter.Send(frameUp(gasMeter, "x"), nil); !errors.Is(err, ErrNoAssociation) {
		t.Errorf("Send after Drop: %v", err)
	}
	if len(atHub.frames) > 0 {
		t.Errorf("got %v", <-atHub.frames)
	}
}

func TestClockReachesDevices(t *testing.T) {
	h := newHome(t)
	hub, _ := h.dialHub(nil)
	clock := Clock{Wall: time.Now().UTC(), Emulated: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC), Speed: 600}
	if err := hub.PublishClock(clock); err != nil {
		t.Fatal(err)
	}
	clocks := make(chan Clock, 1)
	h.dialDevice(gasMeter, func(o *DeviceOptions) { o.Clock = func(c Clock) { clocks <- c } })
	select {
	case got := <-clocks:
		if !got.Equal(clock) {
			t.Errorf("got %+v, want %+v", got, clock)
		}
	case <-time.After(patience):
		t.Error("no clock came")
	}
}

func TestAssociationOutlivesABrokerRestart(t *testing.T) {
	h := newHome(t)
	hub, atHub := h.dialHub(nil)
	meter, atMeter := h.dialDevice(gasMeter, nil)
	atMeter.expectNotice(t, "association with")
	h.broker.Close()
	atHub.expectNotice(t, "broker down")
	atMeter.expectNotice(t, "broker down")
	if err := meter.Send(frameUp(gasMeter, "lost"), nil); !errors.Is(err, mqtt.ErrDown) {
		t.Errorf("Send without broker: %v", err)
	}
	h.startBroker()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := errors.Join(hub.WaitUp(ctx), meter.end.carrier.WaitUp(ctx)); err != nil {
		t.Fatal(err)
	}
	mustSend(t, meter.Send, frameUp(gasMeter, "report"))
	atHub.expectFrame(t, frameUp(gasMeter, "report"))
	if c := meter.Counters(); c.DTLS.HandshakesStarted != 1 {
		t.Errorf("%d handshakes", c.DTLS.HandshakesStarted)
	}
}

func TestDeviceFindsARestartedHub(t *testing.T) {
	h := newHome(t)
	before, atHub := h.dialHub(nil)
	meter, atMeter := h.dialDevice(gasMeter, nil)
	atMeter.expectNotice(t, "association with")
	atHub.expectNotice(t, "association with")
	before.Close()
	atMeter.expectNotice(t, "association lost")
	_, atHub = h.dialHub(nil)
	atMeter.expectNotice(t, "association with")
	mustSend(t, meter.Send, frameUp(gasMeter, "report"))
	atHub.expectFrame(t, frameUp(gasMeter, "report"))
}

func TestCloseAndContextEndALink(t *testing.T) {
	h := newHome(t)
	ctx, cancel := context.WithCancel(context.Background())
	d := newDiary()
	hub, err := DialHub(ctx, HubOptions{
		Broker: h.account(hubID), Hub: hubID, Receive: d.receivers(),
		Certificate: h.certificate(hubID), Roots: h.authority.Roots(),
	})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	hub.Close()
	hub.Close()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	device, err := DialDevice(ended, DeviceOptions{
		Broker: h.account(gasMeter), Device: gasMeter, Hub: hubID, Receive: d.receivers(),
		Certificate: h.certificate(gasMeter), Roots: h.authority.Roots(),
	})
	if err != nil {
		t.Fatal(err)
	}
	device.Close()
	if err := device.Send(frameUp(gasMeter, "x"), nil); err == nil {
		t.Error("Send after Close")
	}
}

func TestDialRefuses(t *testing.T) {
	h := newHome(t)
	receive := Receivers{Frame: func(han.Frame, *han.Stamp) {}}
	hubs := map[string]HubOptions{
		"no receive function": {Broker: h.account(hubID), Hub: hubID, Certificate: h.certificate(hubID), Roots: h.authority.Roots()},
		"no credential":       {Broker: h.account(hubID), Hub: hubID, Receive: receive},
		"no broker":           {Hub: hubID, Receive: receive, Certificate: h.certificate(hubID), Roots: h.authority.Roots()},
	}
	for name, opts := range hubs {
		if _, err := DialHub(context.Background(), opts); err == nil || !strings.HasPrefix(err.Error(), "dial hub: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	devices := map[string]DeviceOptions{
		"no receive function": {Broker: h.account(gasMeter), Device: gasMeter, Hub: hubID, InstallKey: &Key{}},
		"no credential":       {Broker: h.account(gasMeter), Device: gasMeter, Hub: hubID, Receive: receive},
		"no broker":           {Device: gasMeter, Hub: hubID, Receive: receive, InstallKey: &Key{}},
	}
	for name, opts := range devices {
		if _, err := DialDevice(context.Background(), opts); err == nil || !strings.HasPrefix(err.Error(), "dial device: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
