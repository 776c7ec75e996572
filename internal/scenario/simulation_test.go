package scenario

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

func TestFirst(t *testing.T) {
	var lines []string
	world := sim.Config{
		Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Seed: 1,
		Link: radio.Link{Params: phy.Band2G4()},
		Records: func(r *trace.Record) {
			if r.Kind != trace.BlockReceived {
				lines = append(lines, r.String())
			}
		},
	}
	s := NewSimulation(world, hub.DefaultConfig())
	policy := testimage.Policy(bootloader.TrustSigned)
	factory := testimage.GB(testimage.Options{Version: 1, PayloadSize: 10000})
	for eui, kind := range map[han.EUI64]hub.Kind{DefaultESME: hub.KindESME, DefaultGSME: hub.KindGSME} {
		m := NewMeter(eui, kind, policy, factory)
		m.SupplierKey = &testimage.Supplier().PublicKey
		if err := s.AddMeter(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddDisplay(DefaultIHD); err != nil {
		t.Fatal(err)
	}
	im, err := imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, PayloadSize: 256 << 10}))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Upload(im); err != nil {
		t.Fatal(err)
	}
	if err := s.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
		return h.Distribute(now, out, im.FileHash, []han.EUI64{DefaultESME, DefaultGSME})
	}); err != nil {
		t.Fatal(err)
	}
	s.Run(world.Start.Add(6 * time.Hour))
	for _, eui := range []han.EUI64{DefaultESME, DefaultGSME} {
		if err := s.Operate(func(h *hub.Hub, now time.Time, out *han.Outbox) error {
			return h.Activate(now, out, hub.Activation{Device: eui, Hash: im.ImageHash})
		}); err != nil {
			t.Fatal(err)
		}
	}
	s.Run(world.Start.Add(7 * time.Hour))
	for _, eui := range []han.EUI64{DefaultESME, DefaultGSME} {
		t.Logf("%+v", s.MeterStatus(eui))
	}
	os.WriteFile("/tmp/trace.txt", []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}
