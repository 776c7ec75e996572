package esme_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/esme"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/trace"
)

// home is an electricity meter and a hub that says what the test wants.
type home struct {
	*devicetest.Player
	meter   *esme.Meter
	hub     zcl.Station
	sent    []han.Frame
	records []trace.Record
}

func newHome(t *testing.T, chip *flash.Chip) *home {
	t.Helper()
	cfg := devicetest.ESMEConfig()
	h := &home{meter: esme.New(cfg, chip, devicetest.Start), hub: zcl.Station{Node: cfg.Hub, Endpoint: cfg.HubEndpoint}}
	h.Player = &devicetest.Player{TB: t, Node: h.meter, Now: devicetest.Start,
		Sent: func(f han.Frame) {
			f.Payload = slices.Clone(f.Payload)
			h.sent = append(h.sent, f)
		},
		Recorded: func(r *trace.Record) { h.records = append(h.records, *r) },
	}
	h.Timer()
	return h
}

// after lets time pass and returns what the meter said.
func (h *home) after(d time.Duration) string {
	h.Advance(h.Now.Add(d))
	return h.said()
}

// said returns what the meter said since the last time.
func (h *home) said() string {
	var names []string
	for _, f := range h.sent {
		names = append(names, nameOf(h.TB, f))
	}
	h.sent = nil
	return strings.Join(names, ", ")
}

func nameOf(tb testing.TB, f han.Frame) string {
	h, payload, err := zcl.ParseHeader(f.Payload)
	switch {
	case err != nil:
		tb.Fatal(err)
	case !h.ClusterSpecific && h.Command == zcl.CommandDefaultResponse:
		r, _ := zcl.ParseDefaultResponse(payload)
		return r.Status.String()
	case !h.ClusterSpecific && h.Command == zcl.CommandReportAttributes:
		return "report"
	case f.Cluster == zcl.ClusterTime:
		return "read time"
	case f.Cluster == tunnel.ClusterID && h.Command == tunnel.CommandTransferDataToClient:
		return "deliver"
	case f.Cluster == tunnel.ClusterID && h.Command == tunnel.CommandRequestTunnelResponse:
		r, _ := tunnel.ParseRequestTunnelResponse(payload)
		return "tunnel " + r.Status.String()
	case f.Cluster == tunnel.ClusterID && h.Command == tunnel.CommandTransferDataErrorToClient:
		return "no such tunnel"
	case f.Cluster == ota.ClusterID && h.Command == ota.CommandQueryNextImageRequest:
		return "query"
	}
	return f.String()
}

// tell sends the meter a command of the hub.
func tell[C zcl.Command](h *home, cluster uint16, header zcl.Header, c C) {
	var out han.Outbox
	zcl.Answer(&h.hub, &out, zcl.Peer{Node: h.meter.EUI64(), Endpoint: 1, Cluster: cluster}, header, c)
	h.Frame(out.Frames[0])
}

func (h *home) openTunnel(protocol uint8) {
	tell(h, tunnel.ClusterID, zcl.Header{ClusterSpecific: true, Command: tunnel.CommandRequestTunnel}, tunnel.RequestTunnel{Protocol: protocol})
}

// command sends a GBCS command through a tunnel.
func (h *home) command(id uint16, m []byte) {
	tell(h, tunnel.ClusterID, zcl.Header{ClusterSpecific: true, TSN: 9, Command: tunnel.CommandTransferDataToServer},
		tunnel.TransferData{TunnelID: id, Data: m})
}

// confirm confirms the message sent last.
func (h *home) confirm() { h.answerDefault(zcl.StatusSuccess) }

// answerDefault answers the message sent last with a Default Response.
func (h *home) answerDefault(status zcl.Status) {
	header, _, err := zcl.ParseHeader(h.sent[len(h.sent)-1].Payload)
	if err != nil {
		h.TB.Fatal(err)
	}
	tell(h, tunnel.ClusterID, zcl.Header{TSN: header.TSN, Command: zcl.CommandDefaultResponse},
		zcl.DefaultResponse{Command: header.Command, Status: status})
}

func (h *home) demand(what, got, want string) {
	h.TB.Helper()
	if got != want {
		h.TB.Errorf("%s: said %q, want %q", what, got, want)
	}
}

// readVersion returns a Read Firmware Version command (ECS52).
func readVersion(counter uint64) []byte {
	return devicetest.Protected(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: devicetest.Supplier,
		Recipient: devicetest.ESMEAddress, Code: gbcs.CodeReadESMEFirmwareVersion,
		Payload: gbcs.ReadESMEFirmwareVersionCommand{}.Append(nil)})
}

func TestItReportsWhenSwitchedOnAndInItsInterval(t *testing.T) {
	h := newHome(t, devicetest.Chip())
	h.demand("switched on", h.said(), "report, read time")
	h.demand("until then", h.after(esme.DefaultReportInterval-time.Millisecond), "")
	h.demand("the time is still not known", h.after(time.Millisecond), "report, read time")
	now := zcl.Value{Type: zcl.TypeUTCTime, Number: uint64(zcl.UTCTimeOf(h.Now.Add(-24 * time.Hour)))}
	tell(h, zcl.ClusterTime, zcl.Header{Command: zcl.CommandReadAttributesResponse},
		zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{{ID: zcl.AttributeTime, Value: now}}})
	h.demand("a clock set back by a day", h.after(esme.DefaultReportInterval), "report")
	day := h.after(24*time.Hour - 2*esme.DefaultReportInterval)
	if reports := strings.Count(day, "report"); reports != 286 || strings.Contains(day, "time") {
		t.Errorf("%d reports in a day less ten minutes, want 286; said %q", reports, day)
	}
	h.demand("a day later", h.after(esme.DefaultReportInterval), "report, read time")
}

func TestMessagesGoThroughTheTunnelOneByOne(t *testing.T) {
	h := newHome(t, devicetest.Chip())
	h.said()
	h.openTunnel(tunnel.ProtocolGBHRGP)
	h.demand("opening", h.said(), "tunnel success")
	h.command(1, readVersion(1))
	h.demand("a command", h.said(), "SUCCESS, deliver")
	h.command(1, readVersion(2))
	h.demand("another, with a message in flight", h.said(), "SUCCESS")
	tell(h, tunnel.ClusterID, zcl.Header{TSN: 0xEE, Command: zcl.CommandDefaultResponse}, zcl.DefaultResponse{})
	h.demand("a confirmation of something else", h.said(), "")
	h.demand("no confirmation", h.after(10*time.Second), "deliver")
	h.demand("still none", h.after(9*time.Second), "")
	h.demand("after ten seconds", h.after(time.Second), "deliver")
	h.sent = nil
	h.Advance(h.Now.Add(10 * time.Second))
	h.answerDefault(zcl.StatusUnsupCommand) // of a frame of which a bit was turned
	h.demand("refused", h.said(), "deliver")
	h.Advance(h.Now.Add(10 * time.Second))
	h.confirm()
	h.demand("confirmed at last", h.said(), "deliver, deliver")
	h.Advance(h.Now.Add(10 * time.Second))
	h.confirm()
	h.demand("the second one", h.said(), "deliver")
	h.demand("nothing left", h.after(time.Minute), "")
}

func TestTunnelsThatAreNotOpen(t *testing.T) {
	chip := devicetest.Chip()
	h := newHome(t, chip)
	h.said()
	h.command(tunnel.NoTunnel, readVersion(1))
	h.demand("none was opened", h.said(), "no such tunnel")
	h.openTunnel(tunnel.ProtocolGBHRGP + 1)
	h.demand("a protocol not spoken", h.said(), "tunnel protocol not supported")
	h.openTunnel(tunnel.ProtocolGBHRGP)
	h.openTunnel(tunnel.ProtocolGBHRGP)
	h.demand("opened twice", h.said(), "tunnel success, tunnel success")
	h.command(2, readVersion(1))
	h.demand("another's", h.said(), "no such tunnel")
	h.command(1, readVersion(1))
	h.demand("its own", h.said(), "SUCCESS, deliver")
	h.Node = esme.New(devicetest.ESMEConfig(), chip, h.Now)
	h.Timer()
	h.command(1, readVersion(2))
	h.demand("after a power cut", h.said(), "report, read time, deliver, SUCCESS")
	tell(h, tunnel.ClusterID, zcl.Header{ClusterSpecific: true, TSN: 4, Command: tunnel.CommandCloseTunnel}, tunnel.CloseTunnel{TunnelID: 1})
	h.demand("closed", h.said(), "SUCCESS")
	h.command(1, readVersion(3))
	h.demand("after that", h.said(), "no such tunnel")
	h.openTunnel(tunnel.ProtocolGBHRGP)
	h.demand("opened anew, what waits goes", h.said(), "tunnel success, deliver")
	forgotten := zcl.Header{ClusterSpecific: true, Command: tunnel.CommandTransferDataErrorToServer}
	tell(h, tunnel.ClusterID, forgotten, tunnel.TransferDataError{TunnelID: 2})
	h.command(1, readVersion(3))
	h.demand("the hub forgot another", h.said(), "SUCCESS")
	tell(h, tunnel.ClusterID, forgotten, tunnel.TransferDataError{TunnelID: 1})
	h.command(1, readVersion(4))
	h.demand("the hub forgot it", h.said(), "no such tunnel")
	tell(h, tunnel.ClusterID, zcl.Header{ClusterSpecific: true, Command: 0x55}, zcl.Empty{})
	h.demand("a command not spoken", h.said(), "UNSUP_COMMAND")
}

func TestFramesThatAreNotTaken(t *testing.T) {
	h := newHome(t, devicetest.Chip())
	h.said()
	before := h.meter.Status(h.Now)
	f := han.Frame{Src: stranger, Dst: h.meter.EUI64(), Cluster: tunnel.ClusterID, Payload: []byte{0, 1, 2}}
	h.Frame(f)
	if h.said() != "" || h.meter.Status(h.Now) != before {
		t.Error("a stranger's frame was taken")
	}
	for _, payload := range [][]byte{nil, {1}, {1, 2}, {0x04, 1, 2}} {
		h.records = nil
		f.Src, f.Payload = h.hub.Node, payload
		h.Frame(f)
		if h.said() != "" || len(h.records) != 1 || h.records[0].Kind != trace.FrameRefused {
			t.Errorf("payload %x: said %q, recorded %v", payload, h.said(), h.records)
		}
	}
	for _, command := range []uint8{tunnel.CommandRequestTunnel, tunnel.CommandTransferDataToServer} {
		tell(h, tunnel.ClusterID, zcl.Header{ClusterSpecific: true, Command: command}, zcl.Empty{})
	}
	tell(h, zcl.ClusterTime, zcl.Header{Command: zcl.CommandReadAttributesResponse}, zcl.Empty{})
	tell(h, ota.ClusterID, zcl.Header{ClusterSpecific: true, ToClient: true, Command: ota.CommandImageNotify}, zcl.Empty{})
	h.demand("malformed commands", h.said(), "MALFORMED_COMMAND")
	tell(h, metering.ClusterID, zcl.Header{ClusterSpecific: true}, zcl.Empty{})
	h.demand("a cluster not spoken", h.said(), "UNSUP_COMMAND")
	if n := len(h.records); n != 1+4 {
		t.Errorf("%d refusals recorded", n)
	}
}
