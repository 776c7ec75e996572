package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/nodetest"
)

// joined gives a gas meter its tunnel.
func (h *home) joined() uint16 {
	h.t.Helper()
	frames := h.say(gsme, tunnel.ClusterID, asClient(tunnel.CommandRequestTunnel), tunnel.RequestTunnel{Protocol: tunnel.ProtocolGBHRGP})
	return parsed(h.t, frames, tunnel.CommandRequestTunnelResponse, tunnel.ParseRequestTunnelResponse).TunnelID
}

// put has a meter hand over a message, through the tunnel that it has.
func (h *home) put(eui han.EUI64, message []byte) []han.Frame {
	h.t.Helper()
	d, _ := h.store.Device(eui)
	if eui == gsme {
		return h.say(eui, tunnel.ClusterID, asClient(tunnel.CommandTransferDataToServer),
			tunnel.TransferData{TunnelID: d.TunnelID, Data: tunnel.Put{Message: message}.Append(nil)})
	}
	return h.say(eui, tunnel.ClusterID, asServer(tunnel.CommandTransferDataToClient), tunnel.TransferData{TunnelID: d.TunnelID, Data: message})
}

var layouts = map[han.EUI64]gbcs.Layout{esme: gbcs.LayoutDLMS, gsme: gbcs.LayoutGBZ}

// alertOf returns a receipt for nodetest.Image.
func (h *home) alertOf(eui han.EUI64, code gbcs.AlertCode) []byte {
	m := gbcs.Message{
		CRA: gbcs.Alert, OriginatorCounter: uint64(h.Now.UnixMilli()), Originator: eui, Recipient: nodetest.Config().Supplier,
		Code: map[han.EUI64]gbcs.MessageCode{esme: gbcs.CodeDistributionReceiptESME, gsme: gbcs.CodeDistributionReceiptGSME}[eui],
	}
	m.Payload = gbcs.DistributionReceiptAlert{
		AlertHead: gbcs.AlertHead{Layout: layouts[eui], Code: code}, ImageHash: nodetest.Image.ImageHash,
	}.Append(nil)
	return devicetest.Protected(m)
}

// responseTo returns a meter's response to the command in the store.
func (h *home) responseTo(eui han.EUI64, r gbcs.ActivateFirmwareResponse) []byte {
	h.t.Helper()
	commands := h.store.MessagesOf(eui)
	if len(commands) == 0 {
		h.t.Fatal("no command to answer")
	}
	c, err := gbcs.ParseMessage(commands[len(commands)-1].Bytes)
	h.must(err)
	return devicetest.Protected(gbcs.Message{
		CRA: gbcs.Response, OriginatorCounter: c.OriginatorCounter, Originator: eui, Recipient: c.Originator,
		Code: c.Code, Payload: r.Append(nil),
	})
}

func TestAReceiptMovesTheUpdate(t *testing.T) {
	for _, eui := range []han.EUI64{gsme, esme} {
		for code, want := range map[gbcs.AlertCode]store.UpdateState{
			gbcs.AlertFirmwareVerificationSuccessful: store.UpdateTransferred,
			gbcs.AlertFirmwareVerificationFailed:     store.UpdateFailed,
		} {
			h := newHome(t)
			h.joined()
			h.opened(7)
			h.must(h.distribute(nodetest.Image, eui))
			since := h.alerts()
			message := h.alertOf(eui, code)
			h.expectSent(h.put(eui, message), "0704 general 0B")
			h.expectUpdate(eui, nodetest.Image, want)
			h.expectAlerts(since, code)
			// Its confirmation was lost, so it is put again: confirmed, and kept once.
			h.expectSent(h.put(eui, message), "0704 general 0B")
			h.expectAlerts(since, code)
			// The hub was killed before it could confirm: the meter puts it once more.
			h.restart()
			h.expectSent(h.put(eui, message), "0704 general 0B")
			h.expectAlerts(since, code)
			if stored := h.store.Inbox(since, 1); string(stored[0].Bytes) != string(message) {
				t.Errorf("stored % x", stored[0].Bytes)
			}
			if hub.ImageWaiting(h.hub.Hub, h.Now, eui) {
				t.Errorf("%s: the image still waits", eui)
			}
		}
	}
}

func TestAnActivationEndsAsTheMeterSays(t *testing.T) {
	for code, want := range map[gbcs.ActivationCode]store.UpdateState{
		gbcs.ActivationSuccess: store.UpdateActivated, gbcs.ActivationFailure: store.UpdateFailed,
		gbcs.ActivationNoImageHeld: store.UpdatePending, gbcs.ActivationHashMismatch: store.UpdateTransferred,
	} {
		t.Run(code.String(), func(t *testing.T) {
			h := newHome(t)
			h.joined()
			h.transferred(gsme)
			h.must(h.activate(gsme, time.Time{}))
			h.expectUpdate(gsme, nodetest.Image, store.UpdateActivating)
			runs := uint32(1)
			if code == gbcs.ActivationSuccess {
				runs = 2
			}
			h.put(gsme, h.responseTo(gsme, gbcs.ActivateFirmwareResponse{Outcome: gbcs.ActivationOutcome{Code: code, FirmwareVersion: runs}}))
			u := h.expectUpdate(gsme, nodetest.Image, want)
			if !strings.Contains(u.Outcome, fmt.Sprintf("%s, runs version %08X", code, runs)) {
				t.Errorf("outcome %q", u.Outcome)
			}
			if o := h.store.OrdersOf(gsme)[0]; !o.State.Ended() || !strings.Contains(u.Outcome, o.Outcome) {
				t.Errorf("the order is %s (%s)", o.State, o.Outcome)
			}
			if lost, waits := code == gbcs.ActivationNoImageHeld, hub.ImageWaiting(h.hub.Hub, h.Now.Add(time.Hour), gsme); lost != waits {
				t.Errorf("the image waits for the device: %t", waits)
			}
		})
	}
}

func TestADatedActivationIsAcceptedFirst(t *testing.T) {
	h := newHome(t)
	h.joined()
	h.transferred(gsme)
	at := h.Now.Add(48 * time.Hour)
	h.must(h.activate(gsme, at))
	h.put(gsme, h.responseTo(gsme, gbcs.ActivateFirmwareResponse{Accepted: true}))
	u := h.expectUpdate(gsme, nodetest.Image, store.UpdateDated)
	if want := "accepted, at " + at.Format(time.RFC3339); u.Outcome != want {
		t.Errorf("outcome %q, want %q", u.Outcome, want)
	}
	h.must(h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.CancelActivation(now, out, gsme) }))
	h.put(gsme, h.responseTo(gsme, gbcs.ActivateFirmwareResponse{Accepted: true}))
	h.expectUpdate(gsme, nodetest.Image, store.UpdateTransferred)
}

// TestWhatIsNoMessageOfTheMeterIsNotConfirmed, so that the meter keeps it.
func TestWhatIsNoMessageOfTheMeterIsNotConfirmed(t *testing.T) {
	h := newHome(t)
	h.joined()
	h.opened(7)
	since := h.alerts()
	good := h.alertOf(gsme, gbcs.AlertFirmwareVerificationSuccessful)
	command := gbcs.Message{CRA: gbcs.Command, Originator: gsme, Recipient: esme, Code: gbcs.CodeActivateFirmware}.Append(nil)
	for name, tt := range map[string]struct {
		from    han.EUI64
		message []byte
		says    string
	}{
		"somebody else's":   {esme, good, "message of " + gsme.String() + " came from " + esme.String()},
		"a command":         {gsme, command, "a meter sent the command"},
		"half of it":        {gsme, good[:len(good)/2], ""},
		"bytes of no sense": {gsme, []byte("hello"), ""},
	} {
		h.forget()
		h.expectSent(h.put(tt.from, tt.message))
		if got := h.refused(); len(got) != 1 || !strings.Contains(got[0], tt.says) {
			t.Errorf("%s: refused %q, want %q", name, got, tt.says)
		}
	}
	h.expectAlerts(since)
}

// TestAMessageForASleepingMeterWaitsForIt, through a restart.
func TestAMessageForASleepingMeterWaitsForIt(t *testing.T) {
	h := newHome(t)
	id := h.joined()
	h.transferred(gsme)
	h.must(h.activate(gsme, time.Time{}))
	h.expectSent(h.sent) // it sleeps
	h.restart()
	get := func() (tunnel.GetResponse, zcl.Header) {
		frames := h.say(gsme, tunnel.ClusterID, asClient(tunnel.CommandTransferDataToServer),
			tunnel.TransferData{TunnelID: id, Data: tunnel.Get{}.Append(nil)})
		data := parsed(t, frames, tunnel.CommandTransferDataToClient, tunnel.ParseTransferData)
		header, _, err := zcl.ParseHeader(frames[0].Payload)
		h.must(err)
		return must(tunnel.ParseGetResponse(data.Data)), header
	}
	r, header := get()
	if m, err := gbcs.ParseMessage(r.Message); err != nil || m.Code != gbcs.CodeActivateFirmware || m.Recipient != gsme {
		t.Fatalf("got %+v (%v)", m, err)
	}
	h.say(gsme, tunnel.ClusterID, zcl.Header{TSN: header.TSN, Command: zcl.CommandDefaultResponse},
		zcl.DefaultResponse{Command: header.Command, Status: zcl.StatusSuccess})
	if again, _ := get(); len(again.Message) > 0 {
		t.Error("it was delivered twice")
	}
	h.restart()
	if again, _ := get(); len(again.Message) > 0 {
		t.Error("it was delivered twice, after a restart")
	}
}

func TestAMessageASleepingMeterDoesNotFetchExpires(t *testing.T) {
	h := newHome(t)
	h.transferred(gsme)
	since := h.alerts()
	h.must(h.activate(gsme, time.Time{}))
	h.restart()
	h.Advance(h.Now.Add(24 * time.Hour))
	h.expectAlerts(since, gbcs.AlertGSMECommandNotRetrieved)
	h.expectUpdate(gsme, nodetest.Image, store.UpdateTransferred)
}

// TestEveryDeviceReadsTheMirror, also after a restart, and no other endpoint.
func TestEveryDeviceReadsTheMirror(t *testing.T) {
	h := newHome(t)
	frames := h.say(gsme, metering.ClusterID, asServer(metering.CommandRequestMirror), zcl.Empty{})
	endpoint := parsed(t, frames, metering.CommandRequestMirrorResponse, metering.ParseRequestMirrorResponse).Endpoint
	var out han.Outbox
	zcl.Send(h.devices[gsme], &out, zcl.Peer{Node: h.hub.EUI64(), Endpoint: uint8(endpoint), Cluster: metering.ClusterID},
		zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}, zcl.ReportAttributes{Attributes: []zcl.Attribute{
			{ID: metering.AttributeCurrentSummationDelivered, Value: zcl.Value{Type: zcl.TypeUint48, Number: 4711}},
			{ID: metering.AttributeReportingStatus, Value: zcl.Value{Type: zcl.TypeEnum8, Number: uint64(metering.ReportingComplete)}},
		}})
	h.Frame(out.Frames[0])
	h.restart()
	read := func(endpoint uint8) (zcl.Header, []byte) {
		h.forget()
		var out han.Outbox
		zcl.Send(h.devices[ihd], &out, zcl.Peer{Node: h.hub.EUI64(), Endpoint: endpoint, Cluster: metering.ClusterID},
			zcl.Header{Command: zcl.CommandReadAttributes}, zcl.ReadAttributes{IDs: []uint16{metering.AttributeCurrentSummationDelivered, 0x7777}})
		h.Frame(out.Frames[0])
		header, payload, err := zcl.ParseHeader(h.sent[0].Payload)
		h.must(err)
		return header, payload
	}
	_, payload := read(uint8(endpoint))
	r, err := zcl.ParseReadAttributesResponse(payload)
	if err != nil || len(r.Attributes) != 2 || r.Attributes[0].Value.Number != 4711 || r.Attributes[1].Status != zcl.StatusUnsupAttribute {
		t.Errorf("read %+v (%v)", r, err)
	}
	header, payload := read(99)
	if d, err := zcl.ParseDefaultResponse(payload); err != nil || header.Command != zcl.CommandDefaultResponse || d.Status != zcl.StatusNotFound {
		t.Errorf("no mirror there: %+v (%v)", d, err)
	}
}
