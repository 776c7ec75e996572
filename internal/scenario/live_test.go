package scenario

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/broker"
	"github.com/commshub/commshub/transport/link"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// TestTheSameHomeLiveAndInVirtualTime plays one update over a real broker and
// DTLS, and again in virtual time. The frames that hub and meter exchange must be
// the same, in the same order: of a gas meter all of them, from joining to the
// confirmation of the last alert. An electricity meter and its hub talk about
// several things at once, so there only the frames about firmware have an order.
func TestTheSameHomeLiveAndInVirtualTime(t *testing.T) {
	tests := []struct {
		kind    hub.Kind
		cluster uint16 // that is compared, 0 = all
	}{{hub.KindGSME, 0}, {hub.KindESME, ota.ClusterID}}
	for _, tt := range tests {
		t.Run(tt.kind.String(), func(t *testing.T) {
			simulated := &transcript{cluster: tt.cluster}
			playInVirtualTime(t, tt.kind, simulated)
			want := simulated.first(-1)
			t.Logf("%d frames", len(want))
			if len(want) < 500 {
				t.Fatalf("only %d frames in virtual time", len(want))
			}
			live := &transcript{cluster: tt.cluster}
			playLive(t, tt.kind, live, len(want))
			if diff := cmp.Diff(want, live.first(len(want))); diff != "" {
				t.Errorf("frames (-virtual time +live):\n%s", diff)
			}
		})
	}
}

var sameImage = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 12000})))

// samePolicy takes the image in three windows.
const samePolicy = gasproxy.Blocks(100)

func sameMeter(kind hub.Kind) Meter {
	m := NewMeter(DefaultGSME, kind, testimage.Policy(bootloader.TrustSigned), testimage.GB(testimage.Options{Version: 1, Sequence: 1}))
	m.SupplierKey = &testimage.Supplier().PublicKey
	m.SlotCapacity = 32 << 10
	return m
}

func playInVirtualTime(t *testing.T, kind hub.Kind, frames *transcript) {
	t.Helper()
	cfg := hub.DefaultConfig()
	cfg.Policy = samePolicy
	s := NewSimulation(sim.Config{
		Start: storyStart, Seed: 1, Link: radio.Link{Params: phy.Band2G4()},
		Frames: func(_ time.Time, f *han.Frame, _ radio.Fate) { frames.add(f) },
	}, cfg)
	if err := s.AddMeter(sameMeter(kind)); err != nil {
		t.Fatal(err)
	}
	if err := s.Upload(sameImage); err != nil {
		t.Fatal(err)
	}
	operate := func(f func(h *hub.Hub, now time.Time, out *han.Outbox) error) {
		t.Helper()
		if err := s.Operate(f); err != nil {
			t.Fatal(err)
		}
	}
	s.RunUntil(storyStart.Add(time.Hour), func() bool { _, ok := s.Store().Mirror(DefaultGSME); return ok })
	s.Run(s.Now().Add(time.Second))
	operate(distributeSame)
	s.RunUntil(storyStart.Add(24*time.Hour), func() bool { return updateState(s.Store()) == hub.UpdateTransferred })
	s.Run(s.Now().Add(time.Minute))
	operate(activateSame)
	if !s.RunUntil(storyStart.Add(24*time.Hour), func() bool { return len(s.Store().Alerts(0, 100)) == sameAlerts }) {
		t.Fatal("the update did not finish in virtual time")
	}
	s.Run(s.Now().Add(time.Second))
}

// sameAlerts is what the supplier has in its inbox at the end: the device log
// changed, verified, activated, version changed.
const sameAlerts = 4

func distributeSame(h *hub.Hub, now time.Time, out *han.Outbox) error {
	return h.Distribute(now, out, sameImage.FileHash, []han.EUI64{DefaultGSME})
}

func activateSame(h *hub.Hub, now time.Time, out *han.Outbox) error {
	return h.Activate(now, out, hub.Activation{Device: DefaultGSME, Hash: sameImage.ImageHash})
}

func updateState(s *store.Store) hub.UpdateState {
	u, _ := s.Update(DefaultGSME, sameImage.FileHash)
	return hub.UpdateState(u.State)
}

func playLive(t *testing.T, kind hub.Kind, frames *transcript, want int) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	home := startLiveHome(t, ctx, samePolicy)
	defer home.close()
	home.start(LiveHubOptions{Speed: 1200, Frames: func(_ time.Time, f *han.Frame) { frames.add(f) }})
	home.operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		if err := h.AddDevice(now, out, DefaultGSME, kind); err != nil {
			return err
		}
		return h.RegisterImage(now, out, sameImage.Entry, true)
	})
	if err := home.hub.Cache.Add(sameImage); err != nil {
		t.Fatal(err)
	}
	meter := home.meter(sameMeter(kind))
	home.until(func() bool { _, ok := home.hub.Store.Mirror(DefaultGSME); return ok })
	home.operate(distributeSame)
	home.until(func() bool { return updateState(home.hub.Store) == hub.UpdateTransferred })
	home.operate(activateSame)
	home.until(func() bool { return len(frames.first(-1)) >= want })
	home.until(func() bool { s, ok := meter.MeterStatus(); return ok && s.Version == 2 })
	if n := home.hub.Counters().DTLS.HandshakesCompleted; n != 1 {
		t.Errorf("%d DTLS handshakes over the whole update, want 1", n)
	}
}

// transcript collects what hub and meter say to one another, without what depends
// on the time of day.
type transcript struct {
	cluster uint16 // that is written down, 0 = all

	mu  sync.Mutex
	all []string
}

func (tr *transcript) add(f *han.Frame) {
	if tr.cluster != 0 && f.Cluster != tr.cluster {
		return
	}
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		panic(err)
	}
	body := fmt.Sprintf("%d bytes", len(payload))
	if f.Cluster == ota.ClusterID && !isWait(h, payload) && h.Command != ota.CommandUpgradeEndResponse {
		body = fmt.Sprintf("%x", payload)
	}
	line := fmt.Sprintf("%s -> %s cluster %04X endpoints %d %d header %+v: %s",
		f.Src, f.Dst, f.Cluster, f.SrcEndpoint, f.DstEndpoint, h, body)
	if tr.cluster != 0 { // numbers are counted over all clusters
		h.TSN = 0
		line = fmt.Sprintf("%s -> %s header %+v: %s", f.Src, f.Dst, h, body)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.all = append(tr.all, line)
}

func isWait(h zcl.Header, payload []byte) bool {
	return h.Command == ota.CommandImageBlockResponse && len(payload) > 0 && zcl.Status(payload[0]) == zcl.StatusWaitForData
}

// first returns the first n lines, or all.
func (tr *transcript) first(n int) []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if n < 0 || n > len(tr.all) {
		n = len(tr.all)
	}
	return slices.Clone(tr.all[:n])
}

// liveHome is a broker, a hub and meters in this process, over real sockets.
type liveHome struct {
	t         testing.TB
	ctx       context.Context
	dir       string
	authority *pki.Authority
	broker    *broker.Broker
	config    hub.Config
	hub       *LiveHub
	devices   []*LiveDevice
	closers   []func() error
}

func startLiveHome(t testing.TB, ctx context.Context, policy gasproxy.Policy) *liveHome {
	t.Helper()
	dir := t.TempDir()
	h := &liveHome{t: t, ctx: ctx, dir: dir, config: hub.DefaultConfig()}
	h.config.Policy = policy
	h.authority = must(pki.Init(filepath.Join(dir, "pki"), time.Now()))
	accounts := map[string]broker.Account{"hub": {Password: "h", Grant: broker.HubGrant(h.config.EUI64)}}
	for _, eui := range []han.EUI64{DefaultESME, DefaultGSME, DefaultIHD} {
		accounts[eui.String()] = broker.Account{Password: "d", Grant: broker.DeviceGrant(h.config.EUI64, eui)}
	}
	maps.Copy(accounts, bareAccounts())
	h.broker = must(broker.Start(broker.Options{StoreDir: filepath.Join(dir, "broker"), Accounts: accounts}))
	return h
}

func (h *liveHome) start(o LiveHubOptions) {
	h.t.Helper()
	o.Config, o.Dir = h.config, filepath.Join(h.dir, "hub")
	o.Broker = link.Broker{URL: h.broker.URL(), Username: "hub", Password: "h"}
	o.Credential = must(h.authority.Issue(h.config.EUI64, pki.RoleDevice))
	var err error
	if h.hub, err = StartHub(h.ctx, o); err != nil {
		h.t.Fatal(err)
	}
	if err := h.hub.WaitUp(h.ctx); err != nil {
		h.t.Fatal(err)
	}
}

func (h *liveHome) deviceOptions(eui han.EUI64) LiveDeviceOptions {
	return LiveDeviceOptions{
		Hub:        h.config,
		Broker:     link.Broker{URL: h.broker.URL(), Username: eui.String(), Password: "d"},
		Credential: must(h.authority.Issue(eui, pki.RoleDevice)),
		// A test machine that stalls is not a link that loses frames.
		Patience: 20 * time.Second,
	}
}

func (h *liveHome) meter(m Meter) *LiveDevice {
	h.t.Helper()
	d, err := StartMeter(h.ctx, m, filepath.Join(h.dir, "meters"), h.deviceOptions(m.EUI64))
	if err != nil {
		h.t.Fatal(err)
	}
	h.devices = append(h.devices, d)
	return d
}

func (h *liveHome) operate(f func(hb *hub.Hub, now time.Time, out *han.Outbox) error) {
	h.t.Helper()
	if err := h.hub.Operate(f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *liveHome) until(done func() bool) {
	h.t.Helper()
	for !done() {
		select {
		case <-h.ctx.Done():
			h.t.Fatal("not reached in time")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (h *liveHome) close() {
	for _, c := range h.closers {
		if err := c(); err != nil {
			h.t.Error(err)
		}
	}
	for _, d := range h.devices {
		if err := d.Close(); err != nil {
			h.t.Error(err)
		}
	}
	if h.hub != nil {
		if err := h.hub.Close(); err != nil {
			h.t.Error(err)
		}
	}
	if err := h.broker.Close(); err != nil {
		h.t.Error(err)
	}
}
