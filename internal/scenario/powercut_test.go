package scenario

import (
	"fmt"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

// TestAPowerCutAtAnyFlashOperationOfAMeterLosesNothing plays a whole update of
// each kind of meter, from the first boot to the new firmware, with a power cut
// before, in the middle of and after each flash operation. Every time the update
// must finish within a day, the meter must end on the new firmware, and the
// supplier must have been told of the verification and of the activation.
func TestAPowerCutAtAnyFlashOperationOfAMeterLosesNothing(t *testing.T) {
	for _, kind := range []hub.Kind{hub.KindGSME, hub.KindESME} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			whole := newCutHome(kind)
			if err := whole.play(); err != nil {
				t.Fatal(err)
			}
			operations := whole.Chip(cutMeter).Stats().Operations
			t.Logf("an update from the first boot on takes %d flash operations", operations)
			stride := int64(1)
			if testing.Short() {
				stride = 7
			}
			for n := int64(1); n <= operations; n += stride {
				for _, cut := range []flash.Cut{flash.CutBefore, flash.CutTorn, flash.CutAfter} {
					h := newCutHome(kind)
					h.Chip(cutMeter).CutAt(n, cut)
					if err := h.play(); err != nil {
						t.Fatalf("cut %s operation %d: %v", cut, n, err)
					}
				}
			}
		})
	}
}

const cutMeter = DefaultGSME

type cutHome struct {
	*Simulation
	image *imagecache.Image
}

var (
	cutFactory = testimage.GB(testimage.Options{Version: 1, Sequence: 1, PayloadSize: 400})
	cutImage   = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 3000})))
)

func newCutHome(kind hub.Kind) *cutHome {
	cfg := hub.DefaultConfig()
	cfg.Policy = gasproxy.Blocks(40)
	h := &cutHome{image: cutImage}
	h.Simulation = NewSimulation(sim.Config{Start: storyStart, Seed: 1, Link: radio.Link{Params: phy.Band2G4()}}, cfg)
	m := NewMeter(cutMeter, kind, testimage.Policy(bootloader.TrustSigned), cutFactory)
	m.SupplierKey = &testimage.Supplier().PublicKey
	m.SlotCapacity = 8 << 10
	if err := h.AddMeter(m); err != nil {
		panic(err)
	}
	if err := h.Upload(cutImage); err != nil {
		panic(err)
	}
	if err := h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		return hb.Distribute(now, out, cutImage.FileHash, []han.EUI64{cutMeter})
	}); err != nil {
		panic(err)
	}
	return h
}

// play runs the home to its end, as a supplier who activates what was verified.
func (h *cutHome) play() error {
	limit := storyStart.Add(24 * time.Hour)
	if !h.RunUntil(limit, func() bool { return h.state() >= hub.UpdateTransferred }) {
		return fmt.Errorf("the image was not transferred within a day; the update is %s", h.state())
	}
	if err := h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		return hb.Activate(now, out, hub.Activation{Device: cutMeter, Hash: h.image.ImageHash})
	}); err != nil {
		return err
	}
	if !h.RunUntil(limit, func() bool { return h.told(gbcs.AlertFirmwareVersionChanged) }) {
		return fmt.Errorf("the change of version was not told within a day; the update is %s", h.state())
	}
	h.Run(h.Now().Add(time.Hour))
	status := h.MeterStatus(cutMeter)
	switch {
	case status.Version != 2 || status.Trial:
		return fmt.Errorf("ended on version %d, trial %v", status.Version, status.Trial)
	case status.SlotHash != h.image.FileHash:
		return fmt.Errorf("the running slot does not hold the image")
	case h.state() != hub.UpdateActivated:
		return fmt.Errorf("the update ended %s", h.state())
	case !h.told(gbcs.AlertFirmwareVerificationSuccessful):
		return fmt.Errorf("the supplier was not told of the verification")
	case h.told(gbcs.AlertFirmwareVerificationFailed):
		return fmt.Errorf("the supplier was told of a failed verification")
	default:
		return nil
	}
}

func (h *cutHome) state() hub.UpdateState {
	u, _ := h.Store().Update(cutMeter, h.image.FileHash)
	return hub.UpdateState(u.State)
}

func (h *cutHome) told(code gbcs.AlertCode) bool {
	for _, a := range h.Store().Alerts(0, 1000) {
		if gbcs.AlertCode(a.Code) == code {
			return true
		}
	}
	return false
}
