package systemtest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/sim"
)

// instants is a transcript of frames with the instants at which they were sent.
type instants struct {
	mu    sync.Mutex
	lines []string
}

func (i *instants) observer(self func(f *han.Frame) bool) han.Observer {
	return han.Observer{Frame: func(now time.Time, f *han.Frame, fate han.Fate) {
		if !self(f) {
			return
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		i.lines = append(i.lines, fmt.Sprintf("%s %s -> %s %d cluster %04X %x copies %d",
			now.UTC().Format(time.RFC3339Nano), f.Src, f.Dst, f.Counter, f.Cluster, f.Payload, fate.Copies))
	}}
}

func (i *instants) all() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.lines)
}

// A home of an electricity and a gas meter, updated: the operations come at instants of
// the emulated clock, the same in virtual and in real time.
var (
	clockDistribute = storyStart.Add(40 * time.Minute)
	clockActivate   = storyStart.Add(10*time.Hour + 7*time.Second)
	clockEnd        = storyStart.Add(12 * time.Hour)
)

func clockMeters() []home.Meter {
	var meters []home.Meter
	for eui, kind := range map[han.EUI64]store.Kind{theESME: store.KindESME, theGSME: store.KindGSME} {
		m := home.NewMeter(eui, kind, testimage.Policy(bootloader.TrustSigned), testimage.GB(testimage.Options{Version: 1, Sequence: 1}))
		m.SupplierKey = &testimage.Supplier().PublicKey
		m.SlotCapacity = 32 << 10
		m.DriftPPM = 20
		meters = append(meters, m)
	}
	slices.SortFunc(meters, func(a, b home.Meter) int { return int(a.EUI64) - int(b.EUI64) })
	return meters
}

func clockDistributes(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
	return e.Distribute(now, out, headend.Distribution{Image: sameImage.FileHash, Devices: []han.EUI64{theESME, theGSME}})
}

func clockActivates(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
	for _, eui := range []han.EUI64{theESME, theGSME} {
		if err := e.Activate(now, out, headend.Activation{Device: eui, Hash: sameImage.ImageHash}); err != nil {
			return err
		}
	}
	return nil
}

func clockInVirtualTime(t *testing.T, loss fault.Share) []string {
	t.Helper()
	var frames instants
	cfg := hub.DefaultConfig()
	cfg.Policy = samePolicy
	link := home.Link(fault.Link{Loss: loss}, cfg.Battery)
	s := virtual.New(sim.Config{
		Start: storyStart, Seed: 7, Link: link, Observer: frames.observer(func(*han.Frame) bool { return true }),
	}, cfg)
	for _, m := range clockMeters() {
		if err := s.AddMeter(m); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Upload(sameImage); err != nil {
		t.Fatal(err)
	}
	at := func(at time.Time, f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error) {
		s.Schedule(at, func() {
			if err := s.Order(f); err != nil {
				t.Error(err)
			}
		})
	}
	at(clockDistribute, clockDistributes)
	at(clockActivate, clockActivates)
	s.Run(clockEnd)
	return frames.all()
}

// TestOneProcessIsVirtualTimePacedByTheWall: frame by frame, at the same instants to the
// nanosecond, without loss and with, at any speed.
func TestOneProcessIsVirtualTimePacedByTheWall(t *testing.T) {
	for _, loss := range []fault.Share{0, 200_000} {
		want := clockInVirtualTime(t, loss)
		if len(want) < 1000 {
			t.Fatalf("only %d frames in virtual time", len(want))
		}
		for _, speed := range []float64{36_000, 1e6} {
			t.Run(fmt.Sprintf("loss %d ppm, speed %g", loss, speed), func(t *testing.T) {
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
				compareFrames(t, want, clockLive(t, loss, speed, false))
			})
		}
	}
}

// TestSeparateProcessesKeepTimeTogether: each device follows the hub's clock by messages
// alone, and all the same every frame is sent at the instant at which it is sent in
// virtual time. Frames of independent devices that are sent at different instants may
// come into the transcript in another order, so they are put into that of instants.
func TestSeparateProcessesKeepTimeTogether(t *testing.T) {
	for _, loss := range []fault.Share{0, 200_000} {
		want := clockInVirtualTime(t, loss)
		slices.Sort(want)
		for _, speed := range []float64{36_000, 1e6} {
			t.Run(fmt.Sprintf("loss %d ppm, speed %g", loss, speed), func(t *testing.T) {
				defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
				got := clockLive(t, loss, speed, true)
				slices.Sort(got)
				compareFrames(t, want, got)
			})
		}
	}
}

func compareFrames(t *testing.T, want, got []string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			t.Fatalf("frame %d of %d:\nvirtual time %s\nlive         %s", i, len(want), want[i], got[i])
		}
	}
	if len(want) != len(got) {
		t.Fatalf("%d frames, %d in virtual time", len(got), len(want))
	}
}

func clockLive(t *testing.T, loss fault.Share, speed float64, separate bool) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var frames instants
	h := startLiveHome(t, ctx, samePolicy)
	h.keys = home.SimulatedKeys(7) // those of virtual time: frames are compared to the byte
	defer h.close()
	sentBy := func(eui han.EUI64) func(f *han.Frame) bool {
		return func(f *han.Frame) bool { return f.Src == eui }
	}
	h.start(live.HubOptions{
		Speed: speed, Start: storyStart, Paused: true, Seed: 7, Link: fault.Link{Loss: loss},
		Observe: func(*live.Hub) han.Observer { return frames.observer(sentBy(h.config.EUI64)) },
	})
	for _, m := range clockMeters() {
		h.addDevice(m.EUI64, m.Kind)
		o := h.deviceOptions(m.EUI64)
		o.Seed, o.Link, o.Observer = 7, fault.Link{Loss: loss}, frames.observer(sentBy(m.EUI64))
		if !separate {
			o.Clock = h.hub.Clock
		}
		d, err := live.StartMeter(ctx, m, filepath.Join(h.dir, "meters"), o)
		if err != nil {
			t.Fatal(err)
		}
		h.devices = append(h.devices, d)
	}
	if err := h.Upload(sameImage); err != nil {
		t.Fatal(err)
	}
	failed := func(err error) { t.Error(err) }
	h.hub.OrderAt(clockDistribute, clockDistributes, failed)
	h.hub.OrderAt(clockActivate, clockActivates, failed)
	h.hub.Clock.RunUntil(clockEnd, nil)
	h.until(func() bool { return h.hub.Clock.Anchor().Paused })
	return frames.all()
}
