package link

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/broker"
	"github.com/commshub/commshub/transport/dtls"
	"github.com/commshub/commshub/transport/mqtt"
)

// benchPayload is a block of an image, about.
const benchPayload = 64

// benchHubs are two homes on one broker: one speaks frames, one raw bytes.
const (
	bareHub   han.EUI64 = 0x00DB1234567890B3
	bareMeter han.EUI64 = 0x00DB1234567890B1
)

// newBenchHome is a home whose broker knows the bare one too.
func newBenchHome(b *testing.B) *home {
	b.Helper()
	h := newHome(b)
	h.broker.Close()
	accounts := map[string]broker.Account{}
	for id, grant := range map[han.EUI64]broker.Grant{
		hubID:     broker.HubGrant(hubID),
		gasMeter:  broker.DeviceGrant(hubID, gasMeter),
		bareHub:   broker.HubGrant(bareHub),
		bareMeter: broker.DeviceGrant(bareHub, bareMeter),
	} {
		accounts[id.String()] = broker.Account{Password: id.String(), Grant: grant}
	}
	started, err := broker.Start(broker.Options{StoreDir: b.TempDir(), Accounts: accounts})
	if err != nil {
		b.Fatal(err)
	}
	h.broker = started
	return h
}

// exchange sends one request and waits for its answer.
type exchange func() error

// dialBare makes an exchange of raw bytes over mqtt and dtls alone.
func (h *home) dialBare(b *testing.B) exchange {
	b.Helper()
	h.echoBare(b)
	up, answers := make(chan struct{}), make(chan struct{}, 1)
	var carrier *mqtt.Link
	client, err := dtls.NewClient(dtls.ClientOptions{
		Device: bareMeter, Hub: bareHub,
		Certificate: h.certificate(bareMeter), Roots: h.authority.Roots(),
		Send:        func(datagram []byte) error { return carrier.Send(bareHub, datagram) },
		Receive:     func([]byte) { answers <- struct{}{} },
		Established: func() { close(up) },
	})
	if err != nil {
		b.Fatal(err)
	}
	carrier = h.dialCarrier(b, bareMeter, func(_ han.EUI64, datagram []byte) { client.Receive(datagram) })
	client.CarrierUp(true)
	b.Cleanup(func() { client.Close() })
	<-up
	request := make([]byte, benchPayload)
	return func() error {
		if err := client.Send(request); err != nil {
			return err
		}
		<-answers
		return nil
	}
}

// echoBare runs the hub's side: every record comes back.
func (h *home) echoBare(b *testing.B) {
	b.Helper()
	var (
		server  *dtls.Server
		carrier *mqtt.Link
	)
	server, err := dtls.NewServer(dtls.ServerOptions{
		Certificate: h.certificate(bareHub), Roots: h.authority.Roots(),
		Send: func(peer han.EUI64, datagram []byte) error { return carrier.Send(peer, datagram) },
		Receive: func(peer han.EUI64, record []byte) {
			if err := server.Send(peer, record); err != nil {
				b.Error(err)
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	carrier = h.dialCarrier(b, bareHub, server.Receive)
	b.Cleanup(func() { server.Close() })
}

// dialCarrier connects one side of the bare home. Nothing is sent to it before
// it returns.
func (h *home) dialCarrier(b *testing.B, id han.EUI64, receive func(han.EUI64, []byte)) *mqtt.Link {
	b.Helper()
	opts := h.account(id).options()
	opts.Hub, opts.Receive = bareHub, receive
	if id != bareHub {
		opts.Device = id
	}
	carrier, err := mqtt.Dial(context.Background(), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { carrier.Close() })
	if err := carrier.WaitUp(context.Background()); err != nil {
		b.Fatal(err)
	}
	return carrier
}

// dialFrames makes an exchange of frames.
func (h *home) dialFrames(b *testing.B) exchange {
	b.Helper()
	var hub *Hub
	ready := make(chan struct{})
	hub, _ = h.dialHub(func(o *HubOptions) {
		o.Receive.Frame = func(f han.Frame, _ *han.Stamp) {
			<-ready
			f.Src, f.Dst = f.Dst, f.Src
			if err := hub.Send(f, nil); err != nil {
				b.Error(err)
			}
		}
	})
	close(ready)
	answers := make(chan struct{}, 1)
	meter, atMeter := h.dialDevice(gasMeter, func(o *DeviceOptions) {
		o.Receive.Frame = func(han.Frame, *han.Stamp) { answers <- struct{}{} }
	})
	atMeter.expectNotice(b, "association with")
	request := frameUp(gasMeter, string(make([]byte, benchPayload)))
	return func() error {
		if err := meter.Send(request, nil); err != nil {
			return err
		}
		<-answers
		return nil
	}
}

func run(b *testing.B, one exchange) {
	for range 200 {
		if err := one(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if err := one(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "trips/s")
}

// BenchmarkBare is a request and its answer of 64 bytes through broker and DTLS,
// one in flight.
func BenchmarkBare(b *testing.B) { run(b, newBenchHome(b).dialBare(b)) }

// BenchmarkLink is the same with frames.
func BenchmarkLink(b *testing.B) { run(b, newBenchHome(b).dialFrames(b)) }

// BenchmarkLinkAgainstBare does both in turns on one broker, so that whatever
// else the machine does hits both alike, and compares the medians of the turns.
// link/bare is the speed of frames in per cent of that of raw bytes.
func BenchmarkLinkAgainstBare(b *testing.B) {
	const trips = 16 // in a turn
	h := newBenchHome(b)
	bare, frames := h.dialBare(b), h.dialFrames(b)
	turn := func(one exchange) time.Duration {
		began := time.Now()
		for range trips {
			if err := one(); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(began) / trips
	}
	for range 10 {
		turn(bare)
		turn(frames)
	}
	var bareTurns, frameTurns []time.Duration
	b.ResetTimer()
	for i := range b.N {
		if i%2 == 0 {
			bareTurns = append(bareTurns, turn(bare))
			frameTurns = append(frameTurns, turn(frames))
		} else {
			frameTurns = append(frameTurns, turn(frames))
			bareTurns = append(bareTurns, turn(bare))
		}
	}
	bareTrip, frameTrip := median(bareTurns), median(frameTurns)
	b.ReportMetric(1/bareTrip, "bare-trips/s")
	b.ReportMetric(1/frameTrip, "link-trips/s")
	b.ReportMetric(100*bareTrip/frameTrip, "link/bare-%")
}

// median returns seconds.
func median(turns []time.Duration) float64 {
	slices.Sort(turns)
	return turns[len(turns)/2].Seconds()
}
