package systemtest

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/live"
)

// forgedAddition is an order to the CHF to add a device (CCS01), good but for one thing.
type forgedAddition struct {
	what    string
	device  han.EUI64
	counter uint64
	keys    home.Keyring
}

// forgedAdditions say what is wrong with an order, and additionAlerts what the supplier is
// told of each.
var (
	forgedAdditions = []string{"supplier", "wrong-key", "to-the-proxy", "altered", "replayed"}
	additionAlerts  = []gbcs.AlertCode{
		gbcs.AlertSourceLacksAuthority, gbcs.AlertCommandIntegrityCheckFailed, gbcs.AlertOtherAuthenticationFailure,
		gbcs.AlertCommandIntegrityCheckFailed, gbcs.AlertOtherAuthenticationFailure,
	}
)

// bytes returns the message; replayed it is, byte for byte, the broker's own with the same
// counter.
func (f forgedAddition) bytes() []byte {
	own := func(eui han.EUI64) seal.Keys { return must(f.keys.Own(eui)) }
	cfg := hub.DefaultConfig()
	m := gbcs.Message{
		CRA: gbcs.Command, OriginatorCounter: f.counter, Originator: home.Broker, Recipient: cfg.CHF, Code: gbcs.CodeAddDevice,
		OtherInfo: gbcs.Supplementary{Party: cfg.Supplier, Counter: f.counter}.Append(nil),
		Payload: gbcs.AddDeviceCommand{
			InvokeID: gbcs.InvokeIDOf(f.counter), Device: f.device, DeviceType: uint8(store.KindGSME), JoinTimeout: gbcs.DefaultJoinTimeout,
		}.Append(nil),
	}
	maker := home.Broker
	switch f.what {
	case "supplier":
		m.Originator = cfg.Supplier
	case "wrong-key":
		maker = stranger
	case "to-the-proxy":
		m.Recipient = cfg.EUI64
	}
	b := must(seal.Protect(m, nil, func() (seal.Secret, error) {
		return seal.Agree(own(maker).KA, own(m.Recipient).KA.PublicKey())
	})).Append(nil)
	if f.what == "altered" {
		b[len(b)/2] ^= 0x01
	}
	return b
}

// give has the CHF get it, as somebody could who is between the broker and the hub.
func (f forgedAddition) give(h *hub.Hub, now time.Time, out *han.Outbox) error {
	sequence := uint64(now.UnixMilli()) // of the hub's queue
	return h.Send(now, out, h.CHF(), gasproxy.Message{Sequence: sequence, Code: uint16(gbcs.CodeAddDevice), Data: f.bytes()})
}

// lastAddition returns the counter of the last order to add a device.
func lastAddition(records *store.Store) (counter uint64) {
	for _, o := range records.OrdersOf(hub.DefaultConfig().CHF) {
		if gbcs.MessageCode(o.Code) == gbcs.CodeAddDevice {
			counter = o.Counter
		}
	}
	return counter
}

// TestTheDeviceLogIsOrderedOverTheRealStack: with keys from a folder of certificates the
// CHF takes a device that the broker adds, refuses what is forged, and shuts a device out
// that the broker removes.
func TestTheDeviceLogIsOrderedOverTheRealStack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	h := startLiveHome(t, ctx, samePolicy)
	defer h.close()
	h.start(live.HubOptions{Speed: 1200})
	order := func(f func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error) {
		t.Helper()
		must(0, h.Order(f))
	}
	entry := store.Device{EUI64: theGSME, Kind: store.KindESME, HasInstallCode: true, InstallCode: [16]byte{1, 2, 3}}
	add := func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error { return e.AddDevice(now, out, entry) }
	order(add)
	h.meter(sameMeter(store.KindESME))
	heard := func() bool { d, ok := h.hub.Store.Device(theGSME); return ok && h.hub.Store.LastHeard(d) != 0 }
	h.until(heard)
	if d, _ := h.hub.Store.Device(theGSME); !d.HasInstallCode || d.InstallCode != entry.InstallCode {
		t.Errorf("the device log has %+v, want the install code that the order carried", d)
	}
	order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.RemoveDevice(now, out, theGSME)
	})
	for i, what := range forgedAdditions {
		since := h.hub.Store.LastInbox()
		must(0, h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
			f := forgedAddition{what: what, device: theGSME, counter: uint64(now.UnixMilli()), keys: h.keys}
			if what == "replayed" {
				f.counter = lastAddition(h.hub.Store)
			}
			return f.give(hb, now, out)
		}))
		h.until(func() bool {
			return slices.ContainsFunc(h.hub.Store.Inbox(since, math.MaxInt), func(e store.InboxEntry) bool { return gbcs.AlertCode(e.Code) == additionAlerts[i] })
		})
		if _, there := h.hub.Store.Device(theGSME); there {
			t.Fatalf("%s: the device is in the device log", what)
		}
	}
	order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.RestoreDeviceLog(now, out, []han.EUI64{theGSME})
	})
	h.until(heard)
	order((*headend.HeadEnd).ReadDeviceLog)
}
