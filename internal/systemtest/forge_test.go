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
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/live"
)

// stranger is another supplier, without authority over the home's meters.
const stranger han.EUI64 = 0x90B3D51F30010001

// forgery is an order to activate, good but for one thing.
type forgery struct {
	what    string
	device  han.EUI64 // that it is given to
	hash    ota.ImageHash
	counter uint64
	keys    home.Keyring
}

// forgeries say what is wrong with an order.
var forgeries = []string{"another-supplier", "wrong-key", "other-meter", "stale", "altered"}

// bytes returns the message.
func (f forgery) bytes() []byte {
	own := func(eui han.EUI64) seal.Keys { return must(f.keys.Own(eui)) }
	supplier := hub.DefaultConfig().Supplier
	m := gbcs.Message{
		CRA: gbcs.Command, OriginatorCounter: f.counter, Originator: supplier, Recipient: f.device, Code: gbcs.CodeActivateFirmware,
	}
	signs := supplier
	switch f.what {
	case "another-supplier":
		m.Originator, signs = stranger, stranger
	case "wrong-key":
		signs = stranger
	case "other-meter":
		m.Recipient = theESME
		if f.device == theESME {
			m.Recipient = theGSME
		}
	case "stale":
		m.OriginatorCounter = 1
	}
	m.Payload = gbcs.ActivateFirmwareCommand{ImageHash: f.hash, OriginatorCounter: m.OriginatorCounter}.Append(nil)
	b := must(seal.Protect(m, own(signs).DS, func() (seal.Secret, error) {
		return seal.Agree(own(home.Broker).KA, own(m.Recipient).KA.PublicKey())
	})).Append(nil)
	if f.what == "altered" {
		b[len(b)/2] ^= 0x01
	}
	return b
}

// give has the hub hand it to its device, as somebody could who is between the supplier and
// the hub.
func (f forgery) give(h *hub.Hub, now time.Time, out *han.Outbox) error {
	return h.Send(now, out, f.device, gasproxy.Message{Sequence: f.counter, Code: uint16(gbcs.CodeActivateFirmware), Data: f.bytes()})
}

// TestForgedOrdersOverTheRealStack: a meter over broker and DTLS, with keys from a folder
// of certificates, refuses what it must not take, and then takes the supplier's own order.
func TestForgedOrdersOverTheRealStack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	h := startLiveHome(t, ctx, samePolicy)
	defer h.close()
	h.start(live.HubOptions{Speed: 1200})
	h.addDevice(theGSME, store.KindESME)
	meter := h.meter(sameMeter(store.KindESME))
	u := updateOf(h, sameImage, theGSME)
	must(0, h.await(func() bool { d, ok := h.hub.Store.Device(theGSME); return ok && h.hub.Store.LastHeard(d) != 0 }))
	must(0, u.distribute())
	must(0, u.awaitTransfer())
	must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.ReadVersion(now, out, theGSME)
	}))
	answered := func() bool {
		o := h.hub.Store.OrdersOf(theGSME)
		return o[len(o)-1].State == store.OrderDone
	}
	h.until(answered)
	want := []gbcs.AlertCode{
		gbcs.AlertSourceLacksAuthority, gbcs.AlertTrustedSourceAuthenticationFailure, gbcs.AlertOtherAuthenticationFailure,
		gbcs.AlertOtherAuthenticationFailure, gbcs.AlertCommandIntegrityCheckFailed,
	}
	for i, what := range forgeries {
		since := h.hub.Store.LastInbox()
		must(0, h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
			f := forgery{what: what, device: theGSME, hash: sameImage.ImageHash, counter: uint64(now.UnixMilli()), keys: h.keys}
			return f.give(hb, now, out)
		}))
		// A message that comes twice is told twice.
		h.until(func() bool {
			return slices.ContainsFunc(h.hub.Store.Inbox(since, math.MaxInt), func(e store.InboxEntry) bool { return gbcs.AlertCode(e.Code) == want[i] }) &&
				len(h.hub.Store.MessagesOf(theGSME)) == 0
		})
		if s, ok := meter.MeterStatus(); !ok || s.Version != 1 {
			t.Fatalf("%s: the meter runs version %d", what, s.Version)
		}
	}
	must(0, u.activate())
	h.until(func() bool { s, ok := meter.MeterStatus(); return ok && s.Version == 2 })
}
