package gasproxy_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

const (
	hubEUI han.EUI64 = 0x00DB1234567890A3
	gsme   han.EUI64 = 0x00DB1234567890A1
	second han.EUI64 = 0x00DB1234567890B1
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

var errDisk = errors.New("the disk is full")

// communications is the hub around the proxy.
type communications struct {
	broken       bool // nothing can be stored
	image        bool // one waits for every meter
	joins        map[han.EUI64]gasproxy.Join
	mirrors      int
	consumptions [][]byte
	windows      []time.Time
	messages     []string
	delivered    []uint64
	expired      []uint64
}

func (*communications) KeepAccount(time.Time, han.EUI64, []zcl.Attribute) error { return nil }
func (*communications) Account(han.EUI64, uint16) (zcl.Value, bool)             { return zcl.Value{}, false }

func (c *communications) store() error {
	if c.broken {
		return errDisk
	}
	return nil
}

func (c *communications) KeepMirror(time.Time, *han.Outbox, han.EUI64, *gasproxy.Mirror) error {
	c.mirrors++
	return c.store()
}

func (c *communications) Consumed(_ time.Time, _ han.EUI64, consumption []byte) {
	c.consumptions = append(c.consumptions, slices.Clone(consumption))
}

func (c *communications) KeepJoin(device han.EUI64, j gasproxy.Join) error {
	if err := c.store(); err != nil {
		return err
	}
	c.joins[device] = j
	return nil
}

func (c *communications) FromMeter(_ time.Time, _ *han.Outbox, _ han.EUI64, message []byte) error {
	c.messages = append(c.messages, string(message))
	return c.store()
}

func (c *communications) MessageDelivered(_ time.Time, _ *han.Outbox, _ han.EUI64, m gasproxy.Message) error {
	c.delivered = append(c.delivered, m.Sequence)
	return c.store()
}

func (c *communications) MessageExpired(_ time.Time, _ *han.Outbox, _ han.EUI64, m gasproxy.Message) error {
	c.expired = append(c.expired, m.Sequence)
	return c.store()
}

func (c *communications) ImageWaiting(time.Time, han.EUI64) bool { return c.image }

func (c *communications) WindowOpened(now time.Time, _ *han.Outbox, _ han.EUI64) error {
	c.windows = append(c.windows, now)
	return c.store()
}

// home is a proxy and the gas meters that the test plays.
type home struct {
	*gasproxy.Proxy
	t    rapid.TB
	hub  *communications
	cfg  gasproxy.Config
	now  time.Time
	err  error // of the last frame
	sent []han.Frame
	from map[han.EUI64]*zcl.Station
}

func newHome(t rapid.TB, policy gasproxy.Policy) *home {
	h := &home{
		t: t, now: start, hub: &communications{joins: map[han.EUI64]gasproxy.Join{}}, from: map[han.EUI64]*zcl.Station{},
		cfg: gasproxy.Config{MirrorEndpoint: 2, Policy: policy, Battery: battery.Default()},
	}
	h.restart()
	return h
}

// restart makes the proxy anew from what its hub kept.
func (h *home) restart() {
	h.Proxy = gasproxy.New(h.cfg, &zcl.Station{Node: hubEUI, Endpoint: 1}, h.hub)
	for _, eui := range []han.EUI64{gsme, second} {
		h.AddMeter(eui, h.hub.joins[eui])
		if h.from[eui] == nil {
			h.from[eui] = &zcl.Station{Node: eui, Endpoint: 3}
		}
	}
}

// say has a meter send a command to an endpoint and returns the answers.
func (h *home) say(from han.EUI64, cluster uint16, endpoint uint8, header zcl.Header, c zcl.Command) []han.Frame {
	h.t.Helper()
	var request, out han.Outbox
	to := zcl.Peer{Node: hubEUI, Endpoint: endpoint, Cluster: cluster}
	if header.TSN != 0 {
		zcl.Answer(h.from[from], &request, to, header, c)
	} else {
		zcl.Send(h.from[from], &request, to, header, c)
	}
	f := request.Frames[0]
	parsed, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		h.t.Fatal(err)
	}
	if cluster == metering.ClusterID {
		h.err = h.HandleMetering(h.now, &out, f, parsed, payload)
	} else {
		h.err = h.HandleTunnel(h.now, &out, f, parsed, payload)
	}
	h.sent = nil
	for _, a := range out.Frames {
		a.Payload = bytes.Clone(a.Payload)
		h.sent = append(h.sent, a)
		if a.Src != hubEUI || a.Dst != from || a.DstEndpoint != h.from[from].Endpoint {
			h.t.Errorf("answered %s", a)
		}
	}
	clear(f.Payload) // it is only valid during the call
	return h.sent
}

func answer[T any](h *home, frames []han.Frame, command uint8, parse func([]byte) (T, error)) T {
	h.t.Helper()
	var zero T
	if len(frames) != 1 {
		h.t.Fatalf("%d answers (error %v), want one", len(frames), h.err)
		return zero
	}
	header, payload, err := zcl.ParseHeader(frames[0].Payload)
	if err != nil || header.Command != command {
		h.t.Fatalf("answer %+v (%v), want command %02X", header, err, command)
	}
	v, err := parse(payload)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

func fromServer(command uint8) zcl.Header {
	return zcl.Header{ClusterSpecific: true, ToClient: true, Command: command}
}

func fromClient(command uint8) zcl.Header { return zcl.Header{ClusterSpecific: true, Command: command} }

func (h *home) requestMirror(from han.EUI64) []han.Frame {
	return h.say(from, metering.ClusterID, 1, fromServer(metering.CommandRequestMirror), zcl.Empty{})
}

func (h *home) mirrored(from han.EUI64) uint8 {
	h.t.Helper()
	r := answer(h, h.requestMirror(from), metering.CommandRequestMirrorResponse, metering.ParseRequestMirrorResponse)
	return uint8(r.Endpoint)
}

func (h *home) configure(from han.EUI64, period time.Duration) {
	h.t.Helper()
	frames := h.say(from, metering.ClusterID, 1, fromServer(metering.CommandConfigureMirror),
		metering.ConfigureMirror{ReportingInterval: uint32(period / time.Second), NotificationReporting: true, Scheme: metering.SchemeB})
	if r := answer(h, frames, zcl.CommandDefaultResponse, zcl.ParseDefaultResponse); r.Status != zcl.StatusSuccess {
		h.t.Fatalf("configure mirror: %s", r.Status)
	}
}

func number(id uint16, n uint64) zcl.Attribute {
	return zcl.Attribute{ID: id, Value: zcl.Value{Type: zcl.TypeUint48, Number: n}}
}

var complete = zcl.Attribute{ID: metering.AttributeReportingStatus,
	Value: zcl.Value{Type: zcl.TypeEnum8, Number: uint64(metering.ReportingComplete)}}

func (h *home) report(from han.EUI64, endpoint uint8, attributes ...zcl.Attribute) []han.Frame {
	return h.say(from, metering.ClusterID, endpoint, zcl.Header{ToClient: true, DisableDefaultResponse: true, Command: zcl.CommandReportAttributes},
		zcl.ReportAttributes{Attributes: attributes})
}

// heartbeat has the meter report and returns the flags.
func (h *home) heartbeat(from han.EUI64, endpoint uint8) metering.FunctionalNotificationFlags {
	h.t.Helper()
	frames := h.report(from, endpoint, number(metering.AttributeCurrentSummationDelivered, 1), complete)
	r := answer(h, frames, metering.CommandMirrorReportAttributeResponse, metering.ParseMirrorReportAttributeResponse)
	return r.Functional()
}

func (h *home) requestTunnel(from han.EUI64, protocol uint8) []han.Frame {
	return h.say(from, tunnel.ClusterID, 1, fromClient(tunnel.CommandRequestTunnel), tunnel.RequestTunnel{Protocol: protocol})
}

func (h *home) tunnelled(from han.EUI64) uint16 {
	h.t.Helper()
	r := answer(h, h.requestTunnel(from, tunnel.ProtocolGBHRGP), tunnel.CommandRequestTunnelResponse, tunnel.ParseRequestTunnelResponse)
	if r.Status != tunnel.StatusSuccess {
		h.t.Fatalf("no tunnel: %s", r.Status)
	}
	return r.TunnelID
}

func (h *home) transfer(from han.EUI64, id uint16, data []byte) []han.Frame {
	return h.say(from, tunnel.ClusterID, 1, fromClient(tunnel.CommandTransferDataToServer), tunnel.TransferData{TunnelID: id, Data: data})
}

// admit asks for a block of 48 bytes.
func (h *home) admit(device han.EUI64, offset uint32) (ok bool, until time.Time) {
	size, until := h.Admit(h.now, device, ota.Ask{Offset: offset, Size: 48, Most: 48, Total: 1 << 20, Left: 1<<20 - offset, Started: start}, time.Time{})
	return size > 0, until
}

func TestEachMeterHasAMirrorAndATunnelOfItsOwn(t *testing.T) {
	h := newHome(t, nil)
	for range 2 { // asking again changes nothing
		if a, b := h.mirrored(gsme), h.mirrored(second); a != 2 || b != 3 {
			t.Errorf("mirrors on endpoints %d and %d", a, b)
		}
		if a, b := h.tunnelled(gsme), h.tunnelled(second); a != 1 || b != 2 {
			t.Errorf("tunnels %d and %d", a, b)
		}
	}
	h.restart()
	if a, b := h.mirrored(second), h.tunnelled(second); a != 3 || b != 2 {
		t.Errorf("after a restart mirror %d, tunnel %d", a, b)
	}
	h.RemoveMeter(gsme)
	h.AddMeter(gsme, gasproxy.Join{})
	if a, b := h.mirrored(gsme), h.tunnelled(gsme); a != 2 || b != 1 {
		t.Errorf("added again: mirror %d, tunnel %d", a, b)
	}
}

// TestWhatCannotBeStoredIsNotPromised, at the second try neither.
func TestWhatCannotBeStoredIsNotPromised(t *testing.T) {
	h := newHome(t, nil)
	put := tunnel.Put{Message: []byte("alert")}.Append(nil)
	for name, say := range map[string]func() []han.Frame{
		"mirror": func() []han.Frame { return h.requestMirror(gsme) },
		"tunnel": func() []han.Frame { return h.requestTunnel(gsme, tunnel.ProtocolGBHRGP) },
		"report": func() []han.Frame { return h.report(second, h.mirrored(second), complete) },
		"put":    func() []han.Frame { return h.transfer(second, h.tunnelled(second), put) },
		"close": func() []han.Frame {
			return h.say(second, tunnel.ClusterID, 1, fromClient(tunnel.CommandCloseTunnel), tunnel.CloseTunnel{TunnelID: 1})
		},
		"period": func() []han.Frame {
			return h.say(second, metering.ClusterID, 1, fromServer(metering.CommandConfigureMirror), metering.ConfigureMirror{ReportingInterval: 60})
		},
	} {
		h.hub.broken = false
		h.mirrored(second)
		h.tunnelled(second)
		h.hub.broken = true
		for i := range 2 {
			if frames := say(); len(frames) > 0 || !errors.Is(h.err, errDisk) {
				t.Errorf("%s: %d answers, error %v at try %d", name, len(frames), h.err, i+1)
			}
		}
	}
}

func TestAMeterThatIsNotInTheLogIsRefused(t *testing.T) {
	h := newHome(t, nil)
	h.RemoveMeter(second)
	for _, say := range []func() []han.Frame{
		func() []han.Frame { return h.requestMirror(second) },
		func() []han.Frame { return h.requestTunnel(second, tunnel.ProtocolGBHRGP) },
	} {
		if frames := say(); len(frames) > 0 || h.err == nil {
			t.Errorf("%d answers, error %v", len(frames), h.err)
		}
	}
	if err := h.Post(second, gasproxy.Message{}); err == nil {
		t.Error("a message was taken for it")
	}
	if _, ok := h.Mirror(second); ok || h.Waiting(second) != 0 || h.CurrentWindow(second) != (gasproxy.HeartbeatWindow{}) {
		t.Error("something is kept for it")
	}
	if ok, _ := h.admit(second, 0); !ok {
		t.Error("the proxy paces a device that is none of its meters")
	}
}

func TestCommandsThatTheProxyDoesNotSpeak(t *testing.T) {
	h := newHome(t, nil)
	for name, frames := range map[string][]han.Frame{
		"metering": h.say(gsme, metering.ClusterID, 1, fromClient(0x42), zcl.Empty{}),
		"tunnel":   h.say(gsme, tunnel.ClusterID, 1, fromClient(0x42), zcl.Empty{}),
	} {
		if r := answer(h, frames, zcl.CommandDefaultResponse, zcl.ParseDefaultResponse); r.Status != zcl.StatusUnsupCommand {
			t.Errorf("%s: %s", name, r.Status)
		}
	}
	r := answer(h, h.requestTunnel(gsme, 9), tunnel.CommandRequestTunnelResponse, tunnel.ParseRequestTunnelResponse)
	if r.Status != tunnel.StatusProtocolNotSupported || r.TunnelID != tunnel.NoTunnel {
		t.Errorf("another protocol: %+v", r)
	}
	for _, cluster := range []uint16{metering.ClusterID, tunnel.ClusterID} {
		frames := h.say(gsme, cluster, 1, zcl.Header{Command: zcl.CommandDefaultResponse, TSN: 9}, zcl.DefaultResponse{})
		if len(frames) > 0 || h.err != nil {
			t.Errorf("a Default Response: %d answers (%v)", len(frames), h.err)
		}
	}
}

func TestPolicyExamplesAreGood(t *testing.T) {
	for _, example := range gasproxy.PolicyExamples() {
		p, err := gasproxy.ParsePolicy(example)
		if err != nil {
			t.Errorf("%s: %v", example, err)
			continue
		}
		again, err := gasproxy.ParsePolicy(p.String())
		if err != nil || again != p {
			t.Errorf("%s is written %s, which is read as %v (%v)", example, p, again, err)
		}
	}
	for _, bad := range []string{"", "blocks", "blocks=", "blocks=0", "blocks=-1", "blocks=1.5", "blocks=4294967296",
		"radio=", "radio=0s", "radio=-1s", "radio=ten", "radio=10", "speed=1", "=5"} {
		if p, err := gasproxy.ParsePolicy(bad); err == nil {
			t.Errorf("%q is %v", bad, p)
		}
	}
	if !slices.IsSorted(gasproxy.PolicyExamples()) {
		t.Error("examples come in no order")
	}
}
