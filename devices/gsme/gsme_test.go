package gsme_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/devicetest"
	"github.com/commshub/commshub/internal/trace"
)

// home is a gas meter and a hub that does as the test wants.
type home struct {
	*devicetest.Player
	meter        *gsme.Meter
	hub          zcl.Station
	queue        []han.Frame // from the meter, not yet answered
	consumptions []han.Frame
	said         []string
	kinds        []trace.Kind
	beats        []time.Time // when windows began

	mute     string        // what the hub does not answer
	refuses  string        // a step that is refused once
	mirror   uint16        // endpoint it gives
	refusal  tunnel.Status // of a tunnel
	skew     time.Duration // of its clock
	messages [][]byte      // that wait for the meter
	put      []gbcs.Message
	noTunnel bool // it forgets the tunnel once
	blocks   block.Receiver
	onPut    func(n int) // before the n-th put
	puts     int
}

func newHome(t *testing.T, change func(*gsme.Config)) *home {
	t.Helper()
	cfg := devicetest.GSMEConfig()
	if change != nil {
		change(&cfg)
	}
	return newHomeWith(t, cfg, devicetest.Chip())
}

func newHomeOn(t *testing.T, chip *flash.Chip) *home {
	t.Helper()
	return newHomeWith(t, devicetest.GSMEConfig(), chip)
}

func newHomeWith(t *testing.T, cfg gsme.Config, chip *flash.Chip) *home {
	t.Helper()
	h := &home{meter: gsme.New(cfg, chip, devicetest.Start), mirror: 2}
	h.hub = zcl.Station{Node: cfg.Hub, Endpoint: cfg.HubEndpoint}
	h.Player = &devicetest.Player{TB: t, Node: h.meter, Now: devicetest.Start, Sent: h.take, Recorded: h.mind}
	return h
}

func (h *home) mind(r *trace.Record) {
	h.kinds = append(h.kinds, r.Kind)
	if r.Kind == trace.HeartbeatStarted {
		h.beats = append(h.beats, r.At)
	}
}

// take takes a frame that the meter sends.
func (h *home) take(f han.Frame) {
	f.Payload = slices.Clone(f.Payload)
	if header, _, err := zcl.ParseHeader(f.Payload); err == nil && header.ManufacturerSpecific {
		h.consumptions = append(h.consumptions, f) // nobody answers
		return
	}
	h.queue = append(h.queue, f)
	h.said = append(h.said, nameOf(f))
}

// run lets time pass, answering what the meter asks 5 ms later.
func (h *home) run(d time.Duration) {
	until := h.Now.Add(d)
	for {
		for len(h.queue) > 0 {
			f := h.queue[0]
			h.queue = h.queue[1:]
			if answer := h.answer(f); answer.Payload != nil {
				h.Now = h.Now.Add(5 * time.Millisecond)
				h.Frame(answer)
			}
		}
		next, ok := h.meter.NextTimer()
		if !ok || next.At.After(until) {
			break
		}
		h.Advance(next.At)
	}
	h.Advance(until)
}

// window runs until the meter sleeps and returns what it said.
func (h *home) window() string {
	h.said = nil
	next, _ := h.meter.NextTimer()
	h.run(next.At.Sub(h.Now) + time.Minute)
	return strings.Join(h.said, ", ")
}

var names = map[[3]uint16]string{
	{metering.ClusterID, 1, uint16(metering.CommandRequestMirror)}:    "request mirror",
	{metering.ClusterID, 1, uint16(metering.CommandConfigureMirror)}:  "configure mirror",
	{metering.ClusterID, 0, uint16(zcl.CommandReportAttributes)}:      "report",
	{tunnel.ClusterID, 1, uint16(tunnel.CommandRequestTunnel)}:        "request tunnel",
	{tunnel.ClusterID, 1, uint16(tunnel.CommandTransferDataToServer)}: "transfer",
	{zcl.ClusterTime, 0, uint16(zcl.CommandReadAttributes)}:           "read time",
	{ota.ClusterID, 1, uint16(ota.CommandQueryNextImageRequest)}:      "query",
	{tunnel.ClusterID, 0, uint16(zcl.CommandDefaultResponse)}:         "confirm",
	{metering.ClusterID, 0, uint16(zcl.CommandDefaultResponse)}:       "refuse",
	{ota.ClusterID, 0, uint16(zcl.CommandDefaultResponse)}:            "refuse",
	{zcl.ClusterBasic, 0, uint16(zcl.CommandDefaultResponse)}:         "refuse",
	{ota.ClusterID, 1, uint16(ota.CommandImageBlockRequest)}:          "block",
	{ota.ClusterID, 1, uint16(ota.CommandUpgradeEndRequest)}:          "end",
}

func nameOf(f han.Frame) string {
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		return err.Error()
	}
	specific := uint16(0)
	if h.ClusterSpecific {
		specific = 1
	}
	name := names[[3]uint16{f.Cluster, specific, uint16(h.Command)}]
	if name == "transfer" {
		name = map[tunnel.Prefix]string{tunnel.PrefixGet: "get", tunnel.PrefixPut: "put"}[tunnel.Prefix(payload[2])]
	}
	return name
}

// answer returns the hub's answer to a frame, or one without a payload.
func (h *home) answer(f han.Frame) han.Frame {
	name := nameOf(f)
	header, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil || name == h.mute {
		return han.Frame{}
	}
	confirm := zcl.DefaultResponse{Command: header.Command}
	if name == h.refuses {
		h.refuses = ""
		confirm.Status = zcl.StatusUnsupCommand
		return frame(h, f, header, false, zcl.CommandDefaultResponse, confirm)
	}
	switch name {
	case "request mirror":
		return frame(h, f, header, true, metering.CommandRequestMirrorResponse, metering.RequestMirrorResponse{Endpoint: h.mirror})
	case "configure mirror":
		return frame(h, f, header, false, zcl.CommandDefaultResponse, confirm)
	case "request tunnel":
		return frame(h, f, header, true, tunnel.CommandRequestTunnelResponse, tunnel.RequestTunnelResponse{TunnelID: 7, Status: h.refusal})
	case "report":
		flags := metering.FunctionalNotificationFlags(0)
		if len(h.messages) > 0 {
			flags = metering.FlagTunnelMessagePending
		}
		return frame(h, f, header, true, metering.CommandMirrorReportAttributeResponse,
			metering.MirrorReportAttributeResponse{Scheme: metering.SchemeB, Words: 1, Flags: [metering.MaxNotificationWords]uint32{uint32(flags)}})
	case "read time":
		v := zcl.Value{Type: zcl.TypeUTCTime, Number: uint64(zcl.UTCTimeOf(h.Now.Add(h.skew)))}
		return frame(h, f, header, false, zcl.CommandReadAttributesResponse,
			zcl.ReadAttributesResponse{Attributes: []zcl.AttributeStatus{{ID: zcl.AttributeTime, Value: v}}})
	case "get", "put":
		return h.transfer(f, header, name, payload)
	default:
		return han.Frame{}
	}
}

func (h *home) transfer(f han.Frame, header zcl.Header, name string, payload []byte) han.Frame {
	if h.noTunnel {
		h.noTunnel = false
		return frame(h, f, header, true, tunnel.CommandTransferDataErrorToClient, tunnel.TransferDataError{TunnelID: 7})
	}
	if name == "put" {
		if h.puts++; h.onPut != nil {
			h.onPut(h.puts)
		}
		answer := zcl.DefaultResponse{Command: header.Command}
		message, err := h.blocks.Take(payload[3:])
		if err != nil {
			answer.Status = zcl.StatusFailure
		}
		if message != nil {
			m, err := gbcs.ParseMessage(message)
			if err != nil {
				h.TB.Fatal(err)
			}
			m.Payload = bytes.Clone(m.Payload)
			h.put = append(h.put, m)
		}
		return frame(h, f, header, false, zcl.CommandDefaultResponse, answer)
	}
	return frame(h, f, header, true, tunnel.CommandTransferDataToClient, tunnel.TransferData{TunnelID: 7, Data: h.getResponse()})
}

func (h *home) getResponse() []byte {
	r := tunnel.GetResponse{}
	if len(h.messages) > 0 {
		r.Message, r.Remaining = h.messages[0], uint8(len(h.messages)-1)
		h.messages = h.messages[1:]
	}
	return r.Append(nil)
}

// frame returns a command of the hub in answer to a frame.
func frame[C zcl.Command](h *home, f han.Frame, header zcl.Header, specific bool, command uint8, c C) han.Frame {
	var out han.Outbox
	a := zcl.Header{ClusterSpecific: specific, ToClient: !header.ToClient, DisableDefaultResponse: command != tunnel.CommandTransferDataToClient || !specific,
		TSN: header.TSN, Command: command}
	zcl.Answer(&h.hub, &out, zcl.PeerOf(f), a, c)
	return out.Frames[0]
}

// tell sends the meter a command of the hub's own accord.
func tell[C zcl.Command](h *home, cluster uint16, specific bool, command uint8, c C) {
	to := han.Frame{Src: h.meter.EUI64(), SrcEndpoint: 1, Cluster: cluster}
	// A meter is the server of the Metering cluster, and the client of the others.
	h.Frame(frame(h, to, zcl.Header{ToClient: cluster == metering.ClusterID, TSN: 0x77}, specific, command, c))
}

// readVersion returns a Read Firmware Version command.
func readVersion(counter uint64) []byte {
	return devicetest.Protected(gbcs.Message{CRA: gbcs.Command, OriginatorCounter: counter, Originator: devicetest.Supplier,
		Recipient: devicetest.GSME().EUI64(), Code: gbcs.CodeReadGSMEFirmwareVersion,
		Payload: gbcs.ReadGSMEFirmwareVersionCommand{}.Append(nil)})
}

func (h *home) count(k trace.Kind) (n int) {
	for _, kind := range h.kinds {
		if kind == k {
			n++
		}
	}
	return n
}

func repeat(what string, n int) string { return strings.TrimSuffix(strings.Repeat(what+", ", n), ", ") }

func (h *home) demand(what, got, want string) {
	h.TB.Helper()
	if got != want {
		h.TB.Errorf("%s: said %q, want %q", what, got, want)
	}
}
