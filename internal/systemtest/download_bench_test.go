package systemtest

import (
	"context"
	"crypto/tls"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/broker"
	"github.com/commshub/commshub/transport/dtls"
	"github.com/commshub/commshub/transport/mqtt"
)

// Figures of the benchmark: a 750 kB image (768,000 bytes) in blocks of 64.
const (
	benchImage = 768_000
	benchBlock = 64
	benchTrips = benchImage / benchBlock
)

// BenchmarkDownload downloads a 750 kB image in blocks of 64 bytes, one in flight,
// unthrottled, through broker and DTLS into a flash file, and in turns does as many
// bare requests and answers of 64 bytes over the same MQTT and DTLS. It reports the
// medians of both and their ratio.
func BenchmarkDownload(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	h := startLiveHome(b, ctx, gasproxy.DefaultPolicy)
	defer h.close()
	h.config.BlockSize = benchBlock
	h.start(live.HubOptions{Speed: 1000}) // the machine is the limit, not the radio
	h.addDevice(theESME, store.KindESME)
	download := h.benchMeter(b)
	bare := h.bareEcho(b)
	turn := func(n int) (downloaded, echoed time.Duration) {
		downloaded = download(uint32(2 + n))
		began := time.Now()
		for range benchTrips {
			bare()
		}
		return downloaded, time.Since(began)
	}
	turn(0)
	var downloads, echoes []time.Duration
	b.ResetTimer()
	for i := range b.N {
		d, e := turn(i + 1)
		downloads, echoes = append(downloads, d), append(echoes, e)
	}
	slices.Sort(downloads)
	slices.Sort(echoes)
	d, e := downloads[len(downloads)/2].Seconds(), echoes[len(echoes)/2].Seconds()
	b.ReportMetric(d, "s/750kB")
	b.ReportMetric(benchTrips/d, "blocks/s")
	b.ReportMetric(benchTrips/e, "bare-trips/s")
	b.ReportMetric(100*e/d, "download/bare-%")
}

// benchMeter starts an electricity meter and returns a function that has it
// download an image of the given version and returns how long that took.
func (h *liveHome) benchMeter(b *testing.B) func(version uint32) time.Duration {
	b.Helper()
	m := newMeter(theESME, store.KindESME, testimage.GB(testimage.Options{Version: 1}))
	m.OTA.MaxDataSize = benchBlock
	began, ended := make(chan time.Time, 1), make(chan time.Time, 1)
	o := h.deviceOptions(theESME)
	o.Observer.Record = func(r *trace.Record) {
		switch r.Kind {
		case trace.DownloadStarted:
			began <- time.Now()
		case trace.DownloadComplete:
			ended <- time.Now()
		default:
		}
	}
	d, err := live.StartMeter(h.ctx, m, filepath.Join(h.dir, "meters"), o)
	if err != nil {
		b.Fatal(err)
	}
	h.devices = append(h.devices, d)
	return func(version uint32) time.Duration {
		spec := imagebuild.DefaultSpec(version)
		spec.ID.Manufacturer, spec.ID.ImageType = testimage.Vendor, testimage.Class
		spec.Sequence = version
		file := must(imagebuild.ExactFile(spec, bootloader.ProgramWorks, 1, benchImage, testimage.Manufacturer(), testimage.Supplier()))
		im := must(imagecache.NewImage(file))
		if err := updateOf(h, im, theESME).distribute(); err != nil {
			b.Fatal(err)
		}
		first := <-began
		return (<-ended).Sub(first)
	}
}

// bareEcho returns a function that sends 64 bytes over MQTT and DTLS to an echo in
// this process and waits for the answer. It borrows the identity of the display.
func (h *liveHome) bareEcho(b *testing.B) func() {
	b.Helper()
	var server *dtls.Server
	var client *dtls.Client
	var serverLink, clientLink *mqtt.Link
	own, roots := must(h.authority.Issue(bareHub, pki.RoleDevice)), h.authority.Roots()
	device := must(h.authority.Issue(theIHD, pki.RoleDevice))
	server = must(dtls.NewServer(dtls.ServerOptions{
		Certificate: tlsOf(own), Roots: roots,
		Send:    func(peer han.EUI64, datagram []byte) error { return serverLink.Send(peer, datagram) },
		Receive: func(peer han.EUI64, record []byte) { _ = server.Send(peer, record) }, // a benchmark that loses one hangs
	}))
	up, answers := make(chan struct{}), make(chan struct{}, 1)
	client = must(dtls.NewClient(dtls.ClientOptions{
		Device: theIHD, Hub: bareHub, Certificate: tlsOf(device), Roots: roots,
		Send:        func(datagram []byte) error { return clientLink.Send(bareHub, datagram) },
		Receive:     func([]byte) { answers <- struct{}{} },
		Established: func() { close(up) },
	}))
	serverLink = h.carrier(b, 0, server.Receive)
	clientLink = h.carrier(b, theIHD, func(_ han.EUI64, datagram []byte) { client.Receive(datagram) })
	h.closers = append(h.closers, serverLink.Close, clientLink.Close, server.Close, client.Close)
	client.CarrierUp(true)
	<-up
	request := make([]byte, benchBlock)
	return func() {
		if err := client.Send(request); err != nil {
			b.Fatal(err)
		}
		<-answers
	}
}

func tlsOf(c *pki.Credential) *tls.Certificate {
	t := c.TLS()
	return &t
}

// bareHub is the address of a second home on the broker.
const bareHub han.EUI64 = 0x00DB1234567890B3

func bareAccounts() map[string]broker.Account {
	return map[string]broker.Account{
		"bare hub":    {Password: "b", Grant: broker.HubGrant(bareHub)},
		"bare device": {Password: "b", Grant: broker.DeviceGrant(bareHub, theIHD)},
	}
}

func (h *liveHome) carrier(b *testing.B, device han.EUI64, receive func(han.EUI64, []byte)) *mqtt.Link {
	b.Helper()
	name := "bare hub"
	if device != 0 {
		name = "bare device"
	}
	l := must(mqtt.Dial(h.ctx, mqtt.Options{
		URL: h.broker.URL(), Username: name, Password: "b", Hub: bareHub, Device: device, Receive: receive,
	}))
	if err := l.WaitUp(h.ctx); err != nil {
		b.Fatal(err)
	}
	return l
}
