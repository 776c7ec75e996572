package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/trace"
)

var (
	chf = nodetest.Config().CHF
	gpf = nodetest.Config().EUI64
)

// readVersion has the supplier ask for a firmware version, and the hub take its turn.
func (h *home) readVersion(eui han.EUI64) {
	h.t.Helper()
	h.must(h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.ReadVersion(now, out, eui) }))
	h.turn()
}

// turn calls the hub for what is due.
func (h *home) turn() {
	h.t.Helper()
	if d, ok := h.hub.NextTimer(); ok && !d.At.After(h.Now) {
		h.must(h.operate(func(now time.Time, out *han.Outbox) error { h.hub.HandleTimer(now, out); return nil }))
	}
}

// toFunction gives the hub a command for one of its functions, as it comes.
func (h *home) toFunction(eui han.EUI64, sequence uint64, message []byte) {
	h.t.Helper()
	h.must(h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.Send(now, out, eui, gasproxy.Message{Sequence: sequence, Code: uint16(gbcs.CodeReadESMEFirmwareVersion), Data: message})
	}))
	h.turn()
}

// inbox returns what came for the supplier after a sequence.
func (h *home) inbox(since uint64) string {
	var lines []string
	for _, a := range h.store.Inbox(since, 100) {
		lines = append(lines, fmt.Sprintf("%s %04X %s", a.Device, a.Code, a.Text))
	}
	return strings.Join(lines, "; ")
}

func (h *home) expectOnlyOrder(eui han.EUI64, state store.OrderState) {
	h.t.Helper()
	if orders := h.store.OrdersOf(eui); len(orders) != 1 || orders[0].State != state || orders[0].DeliveredAt == 0 {
		h.t.Errorf("orders to %s: %+v, want one that is %s", eui, orders, state)
	}
	if waits := h.store.MessagesOf(eui); len(waits) != 0 {
		h.t.Errorf("%d messages wait for %s", len(waits), eui)
	}
}

func TestTheHubTellsItsOwnFirmwareVersion(t *testing.T) {
	h := newHome(t)
	h.readVersion(chf)
	h.expectOnlyOrder(chf, store.OrderDone)
	if got := h.inbox(0); !strings.HasSuffix(got, chf.String()+" 0000 runs firmware version 00000001") {
		t.Errorf("inbox: %s", got)
	}
	if len(h.sent) != 0 {
		t.Errorf("sent on the HAN: %v", h.sent)
	}
}

// TestTheProxyTellsWhatTheGasMeterSaid: the meter need not wake for it.
func TestTheProxyTellsWhatTheGasMeterSaid(t *testing.T) {
	h := newHome(t)
	h.joined()
	h.readVersion(gpf)
	h.expectOnlyOrder(gpf, store.OrderFailed)
	if got := h.inbox(0); !strings.HasSuffix(got, "no firmware version to read: UNSUPPORTED_ATTRIBUTE") {
		t.Errorf("before the meter reported: %s", got)
	}
	d, _ := h.store.Device(gsme)
	d.FirmwareVersion = 0x0A000002
	h.must(h.store.Commit(store.Put(d)))
	h.restart()
	h.readVersion(gpf)
	if got := h.inbox(0); !strings.HasSuffix(got, gpf.String()+" 0000 runs firmware version 0A000002") {
		t.Errorf("inbox: %s", got)
	}
	h.must(h.add(0x00DB1234567890AA, store.KindGSME))
	h.readVersion(gpf)
	if got := h.inbox(0); !strings.HasSuffix(got, "no firmware version to read: UNSUPPORTED_ATTRIBUTE") {
		t.Errorf("of two gas meters: %s", got)
	}
}

// ownCommand is ECS52 to the CHF.
func ownCommand(edit func(*gbcs.Message)) []byte {
	m := gbcs.Message{
		CRA: gbcs.Command, OriginatorCounter: 5, Originator: nodetest.Config().Supplier, Recipient: chf,
		Code: gbcs.CodeReadESMEFirmwareVersion, Payload: gbcs.ReadESMEFirmwareVersionCommand{InvokeID: 5}.Append(nil),
	}
	edit(&m)
	return devicetest.Protected(m)
}

// TestTheHubRefusesCommandsAsAMeterDoes: of another target, from a stranger, stale.
func TestTheHubRefusesCommandsAsAMeterDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*gbcs.Message)
		want string
	}{
		"for another":       {func(m *gbcs.Message) { m.Recipient = esme }, "8F53"},
		"from a stranger":   {func(m *gbcs.Message) { m.Originator = 77 }, "8F30"},
		"stale":             {func(m *gbcs.Message) { m.OriginatorCounter = 4 }, "8F53"},
		"another use case":  {func(m *gbcs.Message) { m.Code = gbcs.CodeActivateFirmware; m.OriginatorCounter = 6 }, ""},
		"payload cut short": {func(m *gbcs.Message) { m.Payload = m.Payload[:4]; m.OriginatorCounter = 6 }, "8F1E"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.toFunction(chf, 1, ownCommand(func(*gbcs.Message) {}))
			since := h.store.LastInbox()
			h.forget()
			h.restart()
			h.toFunction(chf, 2, ownCommand(tt.edit))
			refused := 0
			for _, r := range h.records {
				if r.Kind == trace.CommandRefused && r.Peer == uint64(chf) {
					refused++
				}
			}
			if refused != 1 {
				t.Errorf("%d refusals in %v", refused, h.records)
			}
			if got := h.inbox(since); (tt.want == "") != (got == "") || !strings.HasPrefix(got, strings.TrimSpace(chf.String()+" "+tt.want)) && got != "" {
				t.Errorf("inbox: %q, want %s", got, tt.want)
			}
			if p, _ := h.store.RemoteParty(chf, nodetest.Config().Supplier); p.Counter != 5 {
				t.Errorf("counter %d, want 5", p.Counter)
			}
		})
	}
}

// TestACommandOfTheHubOutlivesIt: one that it had not taken, and one whose answer the
// supplier did not get; either is carried out once.
func TestACommandOfTheHubOutlivesIt(t *testing.T) {
	h := newHome(t)
	h.must(h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.ReadVersion(now, out, chf) }))
	kept := h.store.MessagesOf(chf)
	h.restart()
	h.turn()
	h.expectOnlyOrder(chf, store.OrderDone)
	p, _ := h.store.RemoteParty(chf, nodetest.Config().Supplier)
	if p.Counter != h.store.OrdersOf(chf)[0].Counter || len(p.Response) == 0 {
		t.Errorf("remembers %+v", p)
	}
	since := h.store.LastInbox()
	h.must(h.store.Commit(store.Put(kept[0]), store.Delete(store.InboxEntry{Sequence: since}))) // the answer was lost
	h.Now = h.Now.Add(time.Hour)
	h.restart()
	h.turn()
	h.expectOnlyOrder(chf, store.OrderDone)
	again := h.store.Inbox(since, 2)
	if len(again) != 1 || string(again[0].Bytes) != string(p.Response) {
		t.Errorf("answered again: %+v, want the stored response", again)
	}
}

func TestNoDeviceHasTheAddressOfAFunctionOfTheHub(t *testing.T) {
	h := newHome(t)
	for _, eui := range []han.EUI64{chf, gpf} {
		if err := h.add(eui, store.KindIHD); err == nil {
			t.Errorf("%s was added", eui)
		}
	}
}
