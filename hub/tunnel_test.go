package hub_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
)

// opened has the electricity meter open a tunnel.
func (h *home) opened(id uint16) []han.Frame {
	h.t.Helper()
	return h.say(esme, tunnel.ClusterID, asServer(tunnel.CommandRequestTunnelResponse),
		tunnel.RequestTunnelResponse{TunnelID: id, Status: tunnel.StatusSuccess, MaxTransferSize: tunnel.MaxTransfer})
}

// confirm has the electricity meter confirm the message in a frame.
func (h *home) confirm(message han.Frame) []han.Frame {
	h.t.Helper()
	return h.answerDefault(message, zcl.StatusSuccess)
}

func (h *home) answerDefault(message han.Frame, status zcl.Status) []han.Frame {
	h.t.Helper()
	header, _, err := zcl.ParseHeader(message.Payload)
	h.must(err)
	return h.say(esme, tunnel.ClusterID, zcl.Header{ToClient: true, TSN: header.TSN, Command: zcl.CommandDefaultResponse},
		zcl.DefaultResponse{Command: header.Command, Status: status})
}

func (h *home) queued(eui han.EUI64) int { return len(h.store.MessagesOf(eui)) }

func TestAMessageOpensTheTunnelItNeeds(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	h.must(h.activate(esme, time.Time{}))
	h.expectSent(h.sent, "request tunnel")
	message := h.opened(5)
	h.expectSent(message, "message")
	h.expectSent(h.confirm(message[0]))
	h.expectSent(h.confirm(message[0])) // again: nothing is in flight
	h.Advance(h.Now.Add(48 * time.Hour))
	h.expectSent(h.sent, "request tunnel", "message")
	h.expectUpdate(esme, nodetest.Image, store.UpdateActivating)
}

func TestMessagesGoOneAfterTheOther(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	h.must(h.activate(esme, h.Now.Add(time.Hour)))
	h.must(h.activate(esme, time.Time{}))
	first := h.opened(5)
	h.expectSent(first, "message")
	second := h.confirm(first[0])
	h.expectSent(second, "message")
	h.expectSent(h.confirm(second[0]))
}

func TestAMessageIsRepeatedUntilItIsConfirmed(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	h.must(h.activate(esme, time.Time{}))
	h.opened(5)
	h.forget()
	h.Advance(h.Now.Add(25 * time.Second))
	h.expectSent(h.sent, "message", "message")
	h.expectSent(h.answerDefault(h.sent[1], zcl.StatusUnsupCommand))
	h.forget()
	h.Advance(h.Now.Add(10 * time.Second))
	h.expectSent(h.sent, "message")
	h.expectSent(h.confirm(h.sent[0]))
	h.forget()
	h.Advance(h.Now.Add(time.Hour))
	h.expectSent(h.sent)
}

// TestATunnelOpenedTwiceDoesNotStopTheMessage: the HAN repeats frames, and a repeated
// answer must not take the place of the confirmation that is waited for.
func TestATunnelOpenedTwiceDoesNotStopTheMessage(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	h.must(h.activate(esme, time.Time{}))
	h.expectSent(h.opened(5), "message")
	h.expectSent(h.opened(5))
	h.forget()
	h.Advance(h.Now.Add(15 * time.Second)) // the first message was lost
	h.expectSent(h.sent, "message")
}

func TestAMeterThatOpenedAnotherTunnelGetsTheMessageThere(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	h.must(h.activate(esme, time.Time{}))
	h.opened(5)
	frames := h.opened(6)
	h.expectSent(frames, "message")
	_, payload, err := zcl.ParseHeader(frames[0].Payload)
	h.must(err)
	if data, err := tunnel.ParseTransferData(payload); err != nil || data.TunnelID != 6 {
		t.Errorf("sent %+v (%v), want it in tunnel 6", data, err)
	}
}

func TestARefusedTunnelIsAskedForLater(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	h.must(h.activate(esme, time.Time{}))
	h.say(esme, tunnel.ClusterID, asServer(tunnel.CommandRequestTunnelResponse),
		tunnel.RequestTunnelResponse{TunnelID: tunnel.NoTunnel, Status: tunnel.StatusBusy})
	h.forget()
	h.Advance(h.Now.Add(2 * time.Minute))
	h.expectSent(h.sent)
	h.Advance(h.Now.Add(2 * time.Minute))
	if got := names(h.sent); len(got) == 0 || got[0] != "request tunnel" {
		t.Errorf("sent %q, want the tunnel asked for again", got)
	}
}

func TestAMeterThatForgotItsTunnelGetsANewOne(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	h.must(h.activate(esme, time.Time{}))
	h.opened(5)
	frames := h.say(esme, tunnel.ClusterID, asServer(tunnel.CommandTransferDataErrorToClient),
		tunnel.TransferDataError{TunnelID: 5, Status: tunnel.TransferNoSuchTunnel})
	h.expectSent(frames, "request tunnel")
	h.expectSent(h.opened(9), "message")
}

// TestAHubThatStartsSendsWhatWasQueued: the command is in the store, so the supplier
// was told that it is on its way.
func TestAHubThatStartsSendsWhatWasQueued(t *testing.T) {
	for name, open := range map[string]bool{"with a tunnel": true, "without a tunnel": false} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			h.transferred(esme)
			if open {
				h.must(h.activate(esme, h.Now.Add(time.Hour)))
				h.confirm(h.opened(5)[0])
			}
			h.must(h.activate(esme, time.Time{}))
			h.restart()
			h.forget()
			h.Advance(h.Now.Add(15 * time.Second))
			if len(h.sent) == 0 {
				t.Fatal("nothing was sent")
			}
			frames := h.sent
			if !open {
				h.expectSent(frames[:1], "request tunnel")
				frames = h.opened(5)
			}
			h.expectSent(frames[:1], "message")
		})
	}
}

func TestAMessageNobodyTakesExpires(t *testing.T) {
	h := newHome(t)
	h.transferred(esme)
	since := h.alerts()
	h.must(h.activate(esme, time.Time{}))
	h.expectUpdate(esme, nodetest.Image, store.UpdateActivating)
	h.Advance(h.Now.Add(24*time.Hour - time.Second))
	h.expectAlerts(since)
	h.Advance(h.Now.Add(time.Second))
	h.expectAlerts(since, gbcs.AlertFailureToDeliverToESME)
	h.expectUpdate(esme, nodetest.Image, store.UpdateTransferred)
	if n := h.queued(esme); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	h.forget()
	h.Advance(h.Now.Add(24 * time.Hour))
	h.expectSent(h.sent)
}

func TestAMessageInATunnelThatIsNotOpenIsRefused(t *testing.T) {
	h := newHome(t)
	frames := h.say(esme, tunnel.ClusterID, asServer(tunnel.CommandTransferDataToClient), tunnel.TransferData{TunnelID: 3, Data: []byte{1}})
	h.expectSent(frames, "no such tunnel", "request tunnel")
}

// TestTooManyMessagesAreRefused and leave nothing behind.
// Frames that overtake each other must not have hub and meter open tunnels for ever: a
// message that comes before the answer that names its tunnel asks for no other.
func TestAMessageThatOvertakesItsTunnelAsksForNone(t *testing.T) {
	h := newHome(t)
	early := func() []han.Frame {
		return h.say(esme, tunnel.ClusterID, asServer(tunnel.CommandTransferDataToClient), tunnel.TransferData{TunnelID: 6})
	}
	h.expectSent(early(), "no such tunnel", "request tunnel")
	h.expectSent(early())
	h.forget()
	h.Advance(h.Now.Add(11 * time.Second)) // nobody answered
	h.expectSent(early(), "no such tunnel", "request tunnel")
	h.opened(6)
	frames := h.say(esme, tunnel.ClusterID, asServer(tunnel.CommandTransferDataErrorToClient),
		tunnel.TransferDataError{TunnelID: 5, Status: tunnel.TransferNoSuchTunnel})
	h.expectSent(frames) // of a tunnel before
}

func TestTooManyMessagesAreRefused(t *testing.T) {
	for _, eui := range []han.EUI64{esme, gsme} {
		h := newHome(t)
		h.transferred(eui)
		for range 16 {
			h.must(h.activate(eui, time.Time{}))
		}
		h.forget()
		before, counter := h.queued(eui), h.counter()
		if err := h.activate(eui, time.Time{}); err == nil {
			t.Errorf("%s: a 17th message was taken", eui)
		}
		if h.queued(eui) != before || h.counter() != counter || len(h.records) > 0 {
			t.Errorf("%s: %d messages, counter %d, records %v after a refusal", eui, h.queued(eui), h.counter(), h.records)
		}
	}
}

func (h *home) counter() uint64 {
	c, _ := h.store.OriginatorCounter(nodetest.Config().Supplier)
	return c.Counter
}
