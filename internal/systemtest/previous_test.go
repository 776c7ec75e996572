package systemtest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/previous"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// upgradedHome is a home whose hub and meters were of the release before.
type upgradedHome struct {
	*sim.World
	t       *testing.T
	cfg     hub.Config
	store   *store.Store
	headEnd *headend.HeadEnd
	image   *imagecache.Image
	status  map[store.Kind]func() meter.Status
}

// upgradeHome starts the records and the flash of package previous with these names.
func upgradeHome(t *testing.T, records string, flashes map[store.Kind]string) *upgradedHome {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.db")
	demandNil(t, os.WriteFile(path, previous.File(records), 0o600))
	kept, err := store.Open(path, nil)
	demandNil(t, err)
	t.Cleanup(func() { demandNil(t, kept.Close()) })
	start := previous.Meters()[flashes[store.KindGSME]].At
	if at, ok := previous.Meters()[flashes[store.KindESME]]; ok && at.At.After(start) {
		start = at.At
	}
	h := &upgradedHome{
		World: sim.New(sim.Config{Start: start, Seed: 1, Link: radio.Link{Params: phy.Band2G4()}}),
		t:     t, cfg: hub.DefaultConfig(), store: kept, status: map[store.Kind]func() meter.Status{},
	}
	h.cfg.Policy = gasproxy.Blocks(10)
	h.image, err = imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 1200}))
	demandNil(t, err)
	cache := imagecache.NewMemory()
	demandNil(t, cache.Add(h.image))
	keys := home.SimulatedKeys(1)
	security, err := keys.Supplier(h.cfg.Supplier, seal.Signed)
	demandNil(t, err)
	h.cfg.Functions, err = keys.Functions(h.cfg, seal.Signed)
	demandNil(t, err)
	supplier := headend.Config{Supplier: h.cfg.Supplier, Security: security}
	demandNil(t, headend.ProtectWaiting(supplier, kept))
	buildHub := func(now time.Time) han.Node {
		var out han.Outbox
		h.headEnd = headend.New(supplier, kept)
		hb := hub.New(h.cfg, kept, cache, h.headEnd, now, &out)
		h.headEnd.Connect(now, &out, hb)
		return hb
	}
	h.Add(buildHub(start), buildHub)
	for kind, name := range flashes {
		h.addMeter(kind, name, keys)
	}
	return h
}

// addMeter converts a part and starts its meter.
func (h *upgradedHome) addMeter(kind store.Kind, name string, keys home.Keyring) {
	h.t.Helper()
	eui, role := home.DefaultESME, gbcs.RoleESME
	if kind == store.KindGSME {
		eui, role = home.DefaultGSME, gbcs.RoleGSME
	}
	m := home.NewMeter(eui, kind, testimage.Policy(bootloader.TrustSigned), nil)
	m.SupplierKey, m.SlotCapacity = &testimage.Supplier().PublicKey, previous.SlotCapacity
	var err error
	m.Security, err = keys.Security(eui, h.cfg.Supplier, m.Messages)
	demandNil(h.t, err)
	part, err := meter.Upgrade(m.ESME(h.cfg).Config, role, previous.File(name))
	demandNil(h.t, err)
	chip := flash.New(meter.Geometry(m.SlotCapacity))
	chip.Region(0, chip.Geometry().Sectors).Program(0, part)
	build := func(now time.Time) han.Node {
		if kind == store.KindGSME {
			n := gsme.New(m.GSME(h.cfg), chip, now)
			h.status[kind] = func() meter.Status { return n.Status(h.Now()) }
			return n
		}
		n := esme.New(m.ESME(h.cfg), chip, now)
		h.status[kind] = func() meter.Status { return n.Status(h.Now()) }
		return n
	}
	h.Add(build(h.Now()), build)
}

func (h *upgradedHome) update(eui han.EUI64) store.Update {
	u, ok := h.store.Update(eui, h.image.FileHash)
	if !ok {
		h.t.Fatalf("no update of %s", eui)
	}
	return u
}

// demandUpdated demands that a meter runs the image and that its order is done.
func (h *upgradedHome) demandUpdated(kind store.Kind, eui han.EUI64) {
	h.t.Helper()
	u := h.update(eui)
	o, _ := h.store.Order(eui, u.Order)
	if s := h.status[kind](); s.Version != 2 || s.SlotHash != h.image.FileHash || u.State != store.UpdateActivated || o.State != store.OrderDone {
		h.t.Errorf("%s: %+v, update %+v, order %+v", kind, s, u, o)
	}
}

// demandAuthentic demands that nothing that came since then was taken for forged.
func (h *upgradedHome) demandAuthentic() {
	h.t.Helper()
	for _, e := range h.store.Inbox(0, 100) {
		if e.Forged || gbcs.AlertCode(e.Code) == gbcs.AlertCommandIntegrityCheckFailed {
			h.t.Errorf("inbox: %+v", e)
		}
	}
}

// TestAHomeOfTheReleaseBeforeGoesOn: half an image comes to its end, an order that waits is
// carried out, and one that is dated at its time; each side takes the other's messages.
func TestAHomeOfTheReleaseBeforeGoesOn(t *testing.T) {
	gas, electricity := home.DefaultGSME, home.DefaultESME
	t.Run("half an image", func(t *testing.T) {
		h := upgradeHome(t, "hub-partial", map[store.Kind]string{store.KindGSME: "gsme-partial"})
		before := h.update(gas).Blocks
		h.RunUntil(h.Now().Add(24*time.Hour), func() bool { return h.update(gas).State == store.UpdateTransferred })
		if u := h.update(gas); u.State != store.UpdateTransferred || u.Blocks >= 2*before+10 {
			t.Fatalf("%+v, %d blocks before", u, before)
		}
		var err error
		demandNil(t, h.Do(h.cfg.EUI64, func(now time.Time, _ han.Node, out *han.Outbox) {
			err = h.headEnd.Activate(now, out, headend.Activation{Device: gas, Hash: h.image.ImageHash})
		}))
		demandNil(t, err)
		h.Run(h.Now().Add(3 * time.Hour))
		h.demandUpdated(store.KindGSME, gas)
		h.demandAuthentic()
	})
	t.Run("dated orders", func(t *testing.T) {
		h := upgradeHome(t, "hub-dated", map[store.Kind]string{store.KindGSME: "gsme-dated", store.KindESME: "esme-dated"})
		h.Run(h.Now().Add(36 * time.Hour))
		if u := h.update(gas); u.State != store.UpdateDated || h.status[store.KindGSME]().Version != 1 {
			t.Fatalf("before its time: %+v", u)
		}
		h.Run(h.Now().Add(36 * time.Hour))
		h.demandUpdated(store.KindGSME, gas)
		h.demandUpdated(store.KindESME, electricity)
		h.demandAuthentic()
		for _, o := range h.store.Orders() {
			if o.State != store.OrderDone {
				t.Errorf("not answered: %+v", o)
			}
		}
	})
	t.Run("orders that wait, and one that was being carried out", func(t *testing.T) {
		h := upgradeHome(t, "hub-activating", map[store.Kind]string{store.KindGSME: "gsme-dated", store.KindESME: "esme-activating"})
		h.Run(h.Now().Add(3 * time.Hour))
		h.demandUpdated(store.KindGSME, gas)
		h.demandUpdated(store.KindESME, electricity)
		h.demandAuthentic()
	})
	t.Run("messages that wait in the meter", func(t *testing.T) {
		h := upgradeHome(t, "hub-updated", map[store.Kind]string{store.KindGSME: "gsme-restarted", store.KindESME: "esme-updated"})
		last := h.store.LastInbox()
		h.Run(h.Now().Add(3 * time.Hour))
		if n := len(h.store.Inbox(last, 100)); n < 2 {
			t.Errorf("%d messages came", n)
		}
		h.demandAuthentic()
	})
}

func demandNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
