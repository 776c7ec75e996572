package systemtest

import (
	"math"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/gbcs/tree"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/virtual"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/sim"
)

// hubAlert is what the table of use cases says of an alert of the hub, as somebody who holds
// it beside the published messages reads it.
type hubAlert struct {
	useCase gbcs.MessageCode
	to      han.EUI64
}

var hubAlerts = map[gbcs.AlertCode]hubAlert{
	gbcs.AlertCHFDeviceLogChanged:     {0x0018, home.Broker},
	gbcs.AlertFirmwareTransferFail:    {0x0128, home.Broker},
	gbcs.AlertFailureToDeliverToESME:  {0x00D5, home.Broker},
	gbcs.AlertGSMECommandNotRetrieved: {0x1001, hub.DefaultConfig().Supplier},
	gbcs.AlertDeviceJoiningFailed:     {0x1000, hub.DefaultConfig().Supplier},
	gbcs.AlertCriticalDutyCycle:       {0x1000, hub.DefaultConfig().Supplier},
	gbcs.AlertCriticalDutyCycleEnded:  {0x1000, hub.DefaultConfig().Supplier},
}

// checkHubAlerts holds what an inbox has of the hub's alerts against that, and returns the
// payloads of each code in their order. A reader of any message finds nothing that it cannot
// name, and whoever has the recipient's keys finds it authentic.
func checkHubAlerts(t *testing.T, records *store.Store, keys home.Keyring) (payloads map[gbcs.AlertCode][]gbcs.Payload) {
	t.Helper()
	chf := hub.DefaultConfig().CHF
	payloads = map[gbcs.AlertCode][]gbcs.Payload{}
	var counter uint64
	for _, e := range records.Inbox(0, math.MaxInt) {
		want, ours := hubAlerts[gbcs.AlertCode(e.Code)]
		if !ours {
			continue
		}
		m, err := gbcs.ParseMessage(e.Bytes)
		if err != nil || e.Forged {
			t.Errorf("%q, forged %v: %v", e.Text, e.Forged, err)
			continue
		}
		if m.CRA != gbcs.Alert || m.Originator != chf || m.Recipient != want.to || m.Code != want.useCase || e.MessageCode != uint16(m.Code) || m.OriginatorCounter <= counter {
			t.Errorf("%q: %+v after counter %d, want %+v", e.Text, m, counter, want)
		}
		counter = m.OriginatorCounter
		sender := must(keys.Own(chf))
		if err := seal.Check(m, &sender.DS.PublicKey, func() (seal.Secret, error) {
			return seal.Agree(must(keys.Own(want.to)).KA, sender.KA.PublicKey())
		}); err != nil {
			t.Errorf("%q: %v", e.Text, err)
		}
		if read := tree.Decode(e.Bytes); len(read.Problems) > 0 {
			t.Errorf("%q: %v", e.Text, read.Problems)
		}
		p, err := m.ParsePayload()
		if err != nil {
			t.Errorf("%q: %v", e.Text, err)
		}
		payloads[gbcs.AlertCode(e.Code)] = append(payloads[gbcs.AlertCode(e.Code)], p)
	}
	return payloads
}

// TestTheHubsAlertsAreMessages to whom their use cases tell, with bytes in the inbox.
func TestTheHubsAlertsAreMessages(t *testing.T) {
	cfg := hub.DefaultConfig()
	cfg.MailboxTime = time.Hour
	h := virtual.New(sim.Config{Start: storyStart, Seed: 1}, cfg)
	for eui, kind := range map[han.EUI64]store.Kind{theESME: store.KindESME, theGSME: store.KindGSME} {
		must(0, h.AddMeter(newMeter(eui, kind, factoryOfTests)))
	}
	h.Run(storyStart.Add(40 * time.Minute))
	for _, eui := range []han.EUI64{theESME, theGSME} {
		h.Cut(eui, 3*time.Hour)
		must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.ReadVersion(now, out, eui) }))
	}
	order := h.Store().OrdersOf(theESME)[0]
	h.Run(storyStart.Add(2 * time.Hour))
	must(0, h.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error { return hb.JoiningFailed(now, out, theGSME, 5) }))
	secret := [16]byte{1, 2, 3}
	must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.AddDevice(now, out, store.Device{EUI64: 0x1000, Kind: store.KindIHD, HasInstallCode: true, InstallCode: secret})
	}))
	must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.RemoveDevice(now, out, theGSME)
	}))

	told := checkHubAlerts(t, h.Store(), home.SimulatedKeys(1))
	for _, code := range []gbcs.AlertCode{gbcs.AlertGSMECommandNotRetrieved, gbcs.AlertDeviceJoiningFailed} {
		if len(told[code]) != 1 {
			t.Fatalf("%s is told as %#v", code, told[code])
		}
		if _, ok := told[code][0].(gbcs.GenericAlert); !ok {
			t.Errorf("%s is told as %#v", code, told[code][0])
		}
	}
	if u, _ := last(told[gbcs.AlertFailureToDeliverToESME]).(gbcs.UndeliveredAlert); u.Target != theESME || u.Originator != cfg.Supplier || u.Counter != order.Counter {
		t.Errorf("what was not delivered is %+v, want order %d", u, order.Counter)
	}
	changed, _ := last(told[gbcs.AlertCHFDeviceLogChanged]).(gbcs.DeviceLogChangedAlert)
	want := []gbcs.LoggedDevice{{Device: 0x1000, LinkKeyHash: installcode.New(secret).HashedKey()}, {Device: theESME}}
	if len(changed.Devices) != 2 || changed.Devices[0] != want[0] || changed.Devices[1] != want[1] || changed.ExtendedPAN != cfg.EUI64 {
		t.Errorf("the backup is %+v, want %+v", changed, want)
	}
}

func last(payloads []gbcs.Payload) gbcs.Payload {
	if len(payloads) == 0 {
		return nil
	}
	return payloads[len(payloads)-1]
}

// TestImagesThatDoNotReachTheirDeviceAreTold with what became of them: superseded and
// cancelled ones are discarded, and hardware that does not fit has an outcome of its own.
func TestImagesThatDoNotReachTheirDeviceAreTold(t *testing.T) {
	h := virtual.New(sim.Config{Start: storyStart, Seed: 1}, hub.DefaultConfig())
	must(0, h.AddMeter(newMeter(theGSME, store.KindGSME, factoryOfTests)))
	h.Run(storyStart.Add(40 * time.Minute))
	image := func(version uint32, hardware uint16) update {
		o := testimage.Options{PayloadSize: 900, Version: version, Sequence: version, HardwareMin: hardware, HardwareMax: hardware}
		return updateOf(inVirtualTime{Home: h}, must(imagecache.NewImage(testimage.GB(o))), theGSME)
	}
	must(0, image(2, testimage.Hardware).distribute())
	must(0, image(3, testimage.Hardware).distribute())
	must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.CancelUpdate(now, out, theGSME)
	}))
	must(0, image(4, testimage.Hardware+1).distribute())
	h.Run(storyStart.Add(2 * time.Hour))
	must(0, image(5, testimage.Hardware).distribute())
	h.Run(storyStart.Add(4 * time.Hour))
	must(0, image(6, testimage.Hardware).distribute()) // in place of what the meter holds: the hub's part was done
	must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.CancelUpdate(now, out, theGSME)
	}))

	told := checkHubAlerts(t, h.Store(), home.SimulatedKeys(1))[gbcs.AlertFirmwareTransferFail]
	want := []struct {
		version uint32
		outcome gbcs.TransferOutcome
	}{{2, gbcs.TransferImageDiscarded}, {3, gbcs.TransferImageDiscarded}, {4, gbcs.TransferHardwareVersionMismatch}, {6, gbcs.TransferImageDiscarded}}
	if len(told) != len(want) {
		t.Fatalf("told %+v, want %+v", told, want)
	}
	for i, w := range want {
		a := told[i].(gbcs.FirmwareTransferAlert)
		if a.Device != theGSME || a.FirmwareVersion != w.version || a.Outcome != w.outcome {
			t.Errorf("told %+v, want %+v", a, w)
		}
	}
}
