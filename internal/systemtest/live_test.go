package systemtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/virtual"
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
		kind    store.Kind
		cluster uint16 // that is compared, 0 = all
	}{{store.KindGSME, 0}, {store.KindESME, ota.ClusterID}}
	for _, tt := range tests {
		t.Run(tt.kind.String(), func(t *testing.T) {
			simulated := &transcript{cluster: tt.cluster}
			playInVirtualTime(t, tt.kind, simulated)
			want := simulated.first(-1)
			t.Logf("%d frames", len(want))
			if len(want) < 500 {
				t.Fatalf("only %d frames in virtual time", len(want))
			}
			real := &transcript{cluster: tt.cluster}
			playLive(t, tt.kind, real, len(want))
			if diff := cmp.Diff(want, real.first(len(want))); diff != "" {
				t.Errorf("frames (-virtual time +live):\n%s", diff)
			}
		})
	}
}

var sameImage = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 12000})))

// samePolicy takes the image in three windows.
const samePolicy = gasproxy.Blocks(100)

func sameMeter(kind store.Kind) home.Meter {
	m := newMeter(theGSME, kind, testimage.GB(testimage.Options{Version: 1, Sequence: 1}))
	m.SlotCapacity = 32 << 10
	return m
}

// playSame plays the update, and returns when the meter runs the new firmware and
// the supplier has been told everything. rest gives time for what is under way.
func playSame(t *testing.T, h driven, rest func()) {
	t.Helper()
	u := updateOf(h, sameImage, theGSME)
	for _, step := range []func() error{
		func() error { return h.await(func() bool { _, ok := h.Store().Mirror(theGSME); return ok }) },
		u.distribute,
		u.awaitTransfer,
		u.activate,
		func() error { return h.await(func() bool { return len(h.Store().Inbox(0, 100)) == sameAlerts }) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		rest()
	}
}

// sameAlerts is what the supplier has in its inbox at the end: the device log
// changed, verified, activated, version changed.
const sameAlerts = 4

func playInVirtualTime(t *testing.T, kind store.Kind, frames *transcript) {
	t.Helper()
	cfg := hub.DefaultConfig()
	cfg.Policy = samePolicy
	h := inVirtualTime{limit: storyStart.Add(24 * time.Hour), Home: virtual.New(sim.Config{
		Start: storyStart, Seed: 1, Link: radio.Link{Params: phy.Band2G4()},
		Observer: frames.observer(),
	}, cfg)}
	if err := h.AddMeter(sameMeter(kind)); err != nil {
		t.Fatal(err)
	}
	playSame(t, h, func() { h.Run(h.Now().Add(time.Second)) })
}

func playLive(t *testing.T, kind store.Kind, frames *transcript, want int) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	h := startLiveHome(t, ctx, samePolicy)
	defer h.close()
	h.start(live.HubOptions{Speed: 1200, Observe: func(*live.Hub) han.Observer { return frames.observer() }})
	h.addDevice(theGSME, kind)
	meter := h.meter(sameMeter(kind))
	playSame(t, h, func() {})
	h.until(func() bool { return len(frames.first(-1)) >= want })
	h.until(func() bool { s, ok := meter.MeterStatus(); return ok && s.Version == 2 })
	if n := h.hub.Counters().DTLS.HandshakesCompleted; n != 1 {
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

func (tr *transcript) observer() han.Observer {
	return han.Observer{Frame: func(_ time.Time, f *han.Frame, _ han.Fate) { tr.add(f) }}
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
	keys      home.Keyring
	config    hub.Config
	hub       *live.Hub
	devices   []*live.Device
	closers   []func() error
}

func startLiveHome(t testing.TB, ctx context.Context, policy gasproxy.Policy) *liveHome {
	t.Helper()
	dir := t.TempDir()
	h := &liveHome{t: t, ctx: ctx, dir: dir, config: hub.DefaultConfig()}
	h.config.Policy = policy
	h.authority = must(pki.Init(filepath.Join(dir, "pki"), time.Now()))
	h.keys = live.Keys(filepath.Join(dir, "pki"), h.config.Supplier)
	accounts := map[string]broker.Account{"hub": {Password: "h", Grant: broker.HubGrant(h.config.EUI64)}}
	for _, eui := range []han.EUI64{theESME, theGSME, theIHD} {
		accounts[eui.String()] = broker.Account{Password: "d", Grant: broker.DeviceGrant(h.config.EUI64, eui)}
	}
	maps.Copy(accounts, bareAccounts())
	h.broker = must(broker.Start(broker.Options{StoreDir: filepath.Join(dir, "broker"), Accounts: accounts}))
	return h
}

func (h *liveHome) start(o live.HubOptions) {
	h.t.Helper()
	o.Config, o.Dir, o.Keys = h.config, filepath.Join(h.dir, "hub"), h.keys
	o.Broker = link.Broker{URL: h.broker.URL(), Username: "hub", Password: "h"}
	o.Credential = must(h.authority.Issue(h.config.EUI64, pki.RoleDevice))
	var err error
	if h.hub, err = live.StartHub(h.ctx, o); err != nil {
		h.t.Fatal(err)
	}
	if err := h.hub.WaitUp(h.ctx); err != nil {
		h.t.Fatal(err)
	}
}

func (h *liveHome) deviceOptions(eui han.EUI64) live.DeviceOptions {
	return live.DeviceOptions{
		Hub:        h.config,
		Broker:     link.Broker{URL: h.broker.URL(), Username: eui.String(), Password: "d"},
		Credential: must(h.authority.Issue(eui, pki.RoleDevice)),
		Keys:       h.keys,
	}
}

func (h *liveHome) meter(m home.Meter) *live.Device {
	h.t.Helper()
	d, err := live.StartMeter(h.ctx, m, filepath.Join(h.dir, "meters"), h.deviceOptions(m.EUI64))
	if err != nil {
		h.t.Fatal(err)
	}
	h.devices = append(h.devices, d)
	return d
}

func (h *liveHome) addDevice(eui han.EUI64, kind store.Kind) {
	h.t.Helper()
	if err := h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		return hb.AddDevice(now, out, store.Device{EUI64: eui, Kind: kind})
	}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *liveHome) Order(f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error) error {
	return h.hub.Order(f)
}

func (h *liveHome) Upload(im *imagecache.Image) error {
	if err := h.hub.Cache.Add(im); err != nil {
		return err
	}
	a, err := h.hub.HeadEnd.Authorise(im.Entry, h.hub.Cache, false)
	if err != nil {
		return err
	}
	return h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.RegisterImage(now, out, a) })
}

func (h *liveHome) Store() *store.Store { return h.hub.Store }

func (h *liveHome) await(done func() bool) error {
	for !done() {
		select {
		case <-h.ctx.Done():
			return errors.New("not reached in time")
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

func (h *liveHome) until(done func() bool) {
	h.t.Helper()
	if err := h.await(done); err != nil {
		h.t.Fatal(err)
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
