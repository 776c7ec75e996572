package systemtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/transport/link"
)

// TestAHostileMeterGetsNothingOfAnother: an electricity meter that joined, over broker and
// DTLS with a certificate and keys of its own, tries what it can against a gas meter that is
// in the middle of an update and has a message waiting. It reads none of the other's
// image, mailbox and mirror, nothing that it says counts for the other, and its alerts push
// out its own. Then the gas meter takes its message, and its image.
func TestAHostileMeterGetsNothingOfAnother(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	h := startLiveHome(t, ctx, samePolicy)
	defer h.close()
	h.start(live.HubOptions{Speed: 1200})
	h.addDevice(theGSME, store.KindGSME)
	h.addDevice(theESME, store.KindESME)
	u := h.halfUpdated()
	a := h.hostile()
	before := h.of(theGSME)
	for _, tt := range a.attacks() {
		t.Run(tt.what, func(t *testing.T) {
			if got := strings.Join(a.answers(t, tt), ", "); got != tt.want {
				t.Errorf("answered %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff(before, h.of(theGSME)); diff != "" {
				t.Errorf("it did something to the other meter (-before +after):\n%s", diff)
			}
		})
	}
	t.Run("crowds out", func(t *testing.T) { a.crowd(t) })
	t.Run("joins as another", func(t *testing.T) { a.join(t) })

	meter := h.meter(sameMeter(store.KindGSME))
	must(0, u.awaitTransfer())
	h.until(func() bool { return len(h.Store().MessagesOf(theGSME)) == 0 })
	h.until(func() bool {
		return !slices.ContainsFunc(h.Store().OrdersOf(theGSME), func(o store.Order) bool { return o.State != store.OrderDone })
	})
	if s, ok := meter.MeterStatus(); !ok || s.Version != 1 {
		t.Errorf("the meter runs version %d, which nobody ordered", s.Version)
	}
}

// halfUpdated has the gas meter take half of an image, and switches it off. A message of the
// supplier waits for it.
func (h *liveHome) halfUpdated() update {
	meter := h.meter(sameMeter(store.KindGSME))
	h.until(func() bool { _, ok := h.Store().Mirror(theGSME); return ok })
	u := updateOf(h, sameImage, theGSME)
	must(0, u.distribute())
	h.until(func() bool { s, ok := meter.MeterStatus(); return ok && s.Offset > 1000 })
	h.devices = nil
	if err := meter.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.until(func() bool { return !h.hub.Connected(theGSME) })
	must(0, h.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.ReadVersion(now, out, theGSME)
	}))
	return u
}

// otherMeter is what the hub knows and keeps of a meter.
type otherMeter struct {
	Device   store.Device
	Mirror   store.Mirror
	Messages []store.Message
	Updates  []store.Update
	Orders   []store.Order
	Inbox    []store.InboxEntry
}

func (h *liveHome) of(eui han.EUI64) (o otherMeter) {
	s := h.Store()
	o.Device, _ = s.Device(eui)
	o.Mirror, _ = s.Mirror(eui)
	o.Messages, o.Updates, o.Orders = s.MessagesOf(eui), s.UpdatesOf(eui), s.OrdersOf(eui)
	for _, e := range s.Inbox(0, 1_000_000) {
		if e.Device == eui {
			o.Inbox = append(o.Inbox, e)
		}
	}
	return o
}

// hostile is a meter that joined and does what it likes.
type hostile struct {
	*liveHome
	link    *link.Device
	station zcl.Station

	mu  sync.Mutex
	got []han.Frame
}

// attackersTunnel is what the hostile meter calls its tunnel: as the other's.
const attackersTunnel = 1

// hostile joins the electricity meter, with a tunnel.
func (h *liveHome) hostile() *hostile {
	a := &hostile{liveHome: h, station: zcl.Station{Node: theESME, Endpoint: 1}}
	credential := must(h.authority.Issue(theESME, pki.RoleDevice))
	certificate := credential.TLS()
	joined := make(chan struct{}, 10)
	a.link = must(link.DialDevice(h.ctx, link.DeviceOptions{
		Broker: link.Broker{URL: h.broker.URL(), Username: theESME.String(), Password: "d"},
		Device: theESME, Hub: h.config.EUI64, Certificate: &certificate, Roots: credential.Roots(),
		Receive: link.Receivers{Frame: func(f han.Frame, _ *han.Stamp) {
			f.Payload = bytes.Clone(f.Payload)
			a.mu.Lock()
			defer a.mu.Unlock()
			a.got = append(a.got, f)
		}},
		Notices: link.Notices{Association: func(han.EUI64, bool, error) { joined <- struct{}{} }},
	}))
	h.closers = append(h.closers, a.link.Close)
	h.until(func() bool { return h.hub.Connected(theESME) && len(joined) > 0 })
	reading := zcl.ReportAttributes{Attributes: []zcl.Attribute{{ID: metering.AttributeCurrentSummationDelivered, Value: zcl.Value{Type: zcl.TypeUint48, Number: 1000}}}}
	say(a, metering.ClusterID, h.config.Endpoint, zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}, reading)
	h.until(func() bool { return a.heard(tunnel.ClusterID) })
	say(a, tunnel.ClusterID, h.config.Endpoint, zcl.Header{ClusterSpecific: true, ToClient: true, Command: tunnel.CommandRequestTunnelResponse},
		tunnel.RequestTunnelResponse{TunnelID: attackersTunnel, Status: tunnel.StatusSuccess, MaxTransferSize: tunnel.MaxTransfer})
	h.until(func() bool { d, _ := h.Store().Device(theESME); return d.TunnelID == attackersTunnel })
	return a
}

func (a *hostile) heard(cluster uint16) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.got, func(f han.Frame) bool { return f.Cluster == cluster })
}

// say sends a command to the hub.
func say[C zcl.Command](a *hostile, cluster uint16, endpoint uint8, h zcl.Header, c C) {
	var out han.Outbox
	zcl.Send(&a.station, &out, zcl.Peer{Node: a.config.EUI64, Endpoint: endpoint, Cluster: cluster}, h, c)
	for _, f := range out.Frames {
		if err := a.link.Send(f, nil); err != nil {
			a.t.Fatal(err)
		}
	}
}

// answers carries an attack out and returns what came of it: each answer's status. No bytes
// of the other's image or message may be in any.
func (a *hostile) answers(t *testing.T, tt attack) (all []string) {
	a.mu.Lock()
	a.got = nil
	a.mu.Unlock()
	tt.do()
	say(a, zcl.ClusterTime, a.config.Endpoint, zcl.Header{Command: zcl.CommandReadAttributes}, zcl.ReadAttributes{IDs: []uint16{zcl.AttributeTime}})
	a.until(func() bool { return a.heard(zcl.ClusterTime) }) // answered in the order of what was sent
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.got {
		for what, secret := range a.secrets() {
			if bytes.Contains(f.Payload, secret) {
				t.Errorf("%s is in the answer % X", what, f.Payload)
			}
		}
		if f.Cluster != zcl.ClusterTime {
			all = append(all, answer(t, f))
		}
	}
	return all
}

// secrets are bytes of what is the other's.
func (a *hostile) secrets() map[string][]byte {
	return map[string][]byte{
		"the other's image":   sameBytes[300:316],
		"the other's message": a.Store().MessagesOf(theGSME)[0].Bytes[:16],
	}
}

// sameBytes is the file of sameImage.
var sameBytes = testimage.GB(testimage.Options{Version: 2, Sequence: 2, PayloadSize: 12000})

// answer says in words what a frame of the hub is.
func answer(t *testing.T, f han.Frame) string {
	header, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case !header.ClusterSpecific && header.Command == zcl.CommandDefaultResponse:
		return must(zcl.ParseDefaultResponse(payload)).Status.String()
	case f.Cluster == ota.ClusterID && (header.Command == ota.CommandQueryNextImageResponse || header.Command == ota.CommandImageBlockResponse):
		return zcl.Status(payload[0]).String()
	default:
		return fmt.Sprintf("cluster %04X command %02X", f.Cluster, header.Command)
	}
}

// attack is what a hostile meter tries.
type attack struct {
	what string
	do   func()
	want string // statuses of the answers; empty if there is none
}

func (a *hostile) attacks() []attack {
	image, mirror := sameImage.Header.ImageID, must(a.mirrorEndpoint())
	server := zcl.Header{ClusterSpecific: true}
	command := func(c uint8) zcl.Header { h := server; h.Command = c; return h }
	toClient := func(c uint8) zcl.Header { h := command(c); h.ToClient = true; return h }
	atHub := a.config.Endpoint
	alert := func(from han.EUI64) []byte { return a.alert(from, 1<<40) }
	return []attack{
		{"asks for a block of the other's image", func() {
			say(a, ota.ClusterID, atHub, command(ota.CommandImageBlockRequest), ota.ImageBlockRequest{Image: image, Offset: 288, MaxDataSize: 48})
		}, "ABORT"},
		{"asks for a page of it", func() {
			say(a, ota.ClusterID, atHub, command(ota.CommandImagePageRequest), ota.ImagePageRequest{Image: image, Offset: 288, MaxDataSize: 48, PageSize: 480, ResponseSpacing: 50})
		}, "ABORT"},
		{"asks for the next image as the other would", func() {
			running := image
			running.FileVersion = 1
			say(a, ota.ClusterID, atHub, command(ota.CommandQueryNextImageRequest), ota.QueryNextImageRequest{Current: running, HasHardware: true, HardwareVersion: 0x0100})
		}, "NO_IMAGE_AVAILABLE"},
		{"says that the other's download ended", func() {
			say(a, ota.ClusterID, atHub, command(ota.CommandUpgradeEndRequest), ota.UpgradeEndRequest{Status: zcl.StatusInvalidImage, Image: image})
		}, "SUCCESS"},
		{"reads the other's mirror", func() {
			say(a, metering.ClusterID, mirror, zcl.Header{Command: zcl.CommandReadAttributes}, zcl.ReadAttributes{IDs: []uint16{metering.AttributeCurrentSummationDelivered}})
		}, "NOT_AUTHORIZED"},
		{"reports into it", func() {
			say(a, metering.ClusterID, mirror, zcl.Header{ToClient: true, DisableDefaultResponse: true, Command: zcl.CommandReportAttributes},
				zcl.ReportAttributes{Attributes: []zcl.Attribute{{ID: metering.AttributeCurrentSummationDelivered, Value: zcl.Value{Type: zcl.TypeUint48, Number: 1001}}}})
		}, ""},
		{"fetches from the other's mailbox", func() {
			say(a, tunnel.ClusterID, atHub, command(tunnel.CommandTransferDataToServer), tunnel.TransferData{TunnelID: attackersTunnel, Data: tunnel.Get{}.Append(nil)})
		}, "UNSUP_COMMAND"},
		{"asks for a tunnel as the other's", func() {
			say(a, tunnel.ClusterID, atHub, command(tunnel.CommandRequestTunnel), tunnel.RequestTunnel{Protocol: tunnel.ProtocolGBHRGP, Manufacturer: tunnel.ManufacturerNone, MaxTransferSize: tunnel.MaxTransfer})
		}, "UNSUP_COMMAND"},
		{"closes the other's tunnel", func() {
			say(a, tunnel.ClusterID, atHub, command(tunnel.CommandCloseTunnel), tunnel.CloseTunnel{TunnelID: attackersTunnel})
		}, "UNSUP_COMMAND"},
		{"confirms the other's message", func() {
			for tsn := range 256 {
				h := zcl.Header{TSN: uint8(tsn), DisableDefaultResponse: true, Command: zcl.CommandDefaultResponse}
				say(a, tunnel.ClusterID, atHub, h, zcl.DefaultResponse{Command: tunnel.CommandTransferDataToClient, Status: zcl.StatusSuccess})
			}
		}, ""},
		{"sends the other's alert", func() {
			say(a, tunnel.ClusterID, atHub, toClient(tunnel.CommandTransferDataToClient), tunnel.TransferData{TunnelID: attackersTunnel, Data: alert(theGSME)})
		}, ""},
		{"sends a frame as the other", func() {
			f := han.Frame{Src: theGSME, Dst: a.config.EUI64, SrcEndpoint: 1, DstEndpoint: atHub, Profile: han.ProfileSmartEnergy, Cluster: tunnel.ClusterID,
				Payload: zcl.AppendFrame(nil, command(tunnel.CommandTransferDataToServer), tunnel.TransferData{TunnelID: attackersTunnel, Data: tunnel.Get{}.Append(nil)})}
			_ = a.link.Send(f, nil) // its own end may refuse it
		}, ""},
	}
}

func (a *hostile) mirrorEndpoint() (uint8, error) {
	d, ok := a.Store().Device(theGSME)
	if !ok || d.MirrorEndpoint == 0 {
		return 0, fmt.Errorf("the other has no mirror")
	}
	return d.MirrorEndpoint, nil
}

// alert returns an alert of somebody's, as well as the hostile meter can make it: signed
// with its own key.
func (a *hostile) alert(from han.EUI64, counter uint64) []byte {
	code := gbcs.AlertLowBatteryCapacity
	head := gbcs.AlertHead{Layout: gbcs.LayoutDLMS, InvokeID: gbcs.InvokeIDOf(counter), Code: code, Time: zcl.UTCTimeOf(storyStart)}
	m := gbcs.Message{CRA: gbcs.Alert, OriginatorCounter: counter, Originator: from, Recipient: a.config.Supplier, Code: gbcs.CodeGenericCriticalAlert,
		Payload: gbcs.GenericAlert{AlertHead: head}.Append(nil)}
	return must(seal.Protect(m, must(a.keys.Own(theESME)).DS, nil)).Append(nil)
}

// crowd fills the inbox with the hostile meter's own alerts, and then sends more.
func (a *hostile) crowd(t *testing.T) {
	const kept, more = 10_000, 20
	others := func() (all []store.InboxEntry) {
		for _, e := range a.Store().Inbox(0, 2*kept) {
			if e.Device != theESME {
				all = append(all, e)
			}
		}
		return all
	}
	before := others()
	var filling []store.Change
	for range kept - len(a.Store().Inbox(0, 2*kept)) {
		filling = append(filling, store.Put(store.InboxEntry{Device: theESME, Text: "sent before"}))
	}
	first, taken := a.Store().NextNumbers(store.SeriesInbox, uint64(len(filling)))
	for i := range filling {
		filling[i] = store.Put(store.InboxEntry{Sequence: first + uint64(i), Device: theESME, Text: "sent before"})
	}
	must(0, a.hub.Operate(func(*hub.Hub, time.Time, *han.Outbox) error { return a.Store().Commit(append(filling, taken)...) }))
	since := a.Store().LastInbox()
	header := zcl.Header{ClusterSpecific: true, ToClient: true, Command: tunnel.CommandTransferDataToClient}
	for i := range uint64(more) {
		say(a, tunnel.ClusterID, a.config.Endpoint, header, tunnel.TransferData{TunnelID: attackersTunnel, Data: a.alert(theESME, 1<<40+i)})
	}
	a.until(func() bool {
		n := 0
		for _, e := range a.Store().Inbox(since, kept) {
			if e.Device == theESME && gbcs.AlertCode(e.Code) == gbcs.AlertLowBatteryCapacity {
				n++
			}
		}
		return n == more
	})
	after := others()
	after = slices.DeleteFunc(after, func(e store.InboxEntry) bool { return e.Sequence > since }) // that some of its own are gone is told
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what others told is another (-before +after):\n%s", diff)
	}
	if n := len(a.Store().Inbox(0, 2*kept)); n > kept+1 {
		t.Errorf("%d entries are kept, want %d and one that tells what is gone", n, kept)
	}
	// What waits for it takes nobody's place either.
	var refused error
	for range 50 {
		if err := a.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
			return e.ReadVersion(now, out, theESME)
		}); err != nil {
			refused = err
		}
	}
	if refused == nil {
		t.Error("any number of messages may wait for a meter that confirms none")
	}
	must(0, a.Order(func(e *headend.HeadEnd, now time.Time, out *han.Outbox) error {
		return e.ReadVersion(now, out, theGSME)
	}))
}

// join tries to be the other: at the broker, whose access list has one topic for each
// device, and with a certificate of its own.
func (a *hostile) join(t *testing.T) {
	told := make(chan string, 100)
	credential := must(a.authority.Issue(theESME, pki.RoleDevice))
	certificate := credential.TLS()
	impostor := must(link.DialDevice(a.ctx, link.DeviceOptions{
		Broker: link.Broker{URL: a.broker.URL(), Username: theESME.String(), Password: "d", ClientID: "impostor"},
		Device: theGSME, Hub: a.config.EUI64, Certificate: &certificate, Roots: credential.Roots(),
		Receive: link.Receivers{Frame: func(han.Frame, *han.Stamp) { told <- "a frame" }},
		Notices: link.Notices{Broker: func(up bool, reason error) { told <- fmt.Sprint(up, reason) }},
	}))
	defer func() { must(0, impostor.Close()) }()
	if got := <-told; !strings.Contains(got, "refused by the broker") {
		t.Errorf("the broker lets it listen to what the other is told: %s", got)
	}
	if a.hub.Connected(theGSME) {
		t.Error("the hub has an association with it as the other")
	}
}
