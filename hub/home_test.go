package hub_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/devicetest"
	described "github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/testimage"
	"github.com/commshub/commshub/internal/trace"
)

const (
	esme = described.DefaultESME
	gsme = described.DefaultGSME
	ihd  = described.DefaultIHD
)

// image is a second one beside nodetest.Image.
var image3 = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 3, Sequence: 3, PayloadSize: 900})))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// home is a hub whose devices are the test's to play.
type home struct {
	*devicetest.Player
	t       *testing.T
	hub     nodetest.SuppliedHub
	store   *store.Store
	cache   *imagecache.Cache
	sent    []han.Frame
	records []trace.Record
	devices map[han.EUI64]*zcl.Station
}

// newHome returns a hub with the three devices in its log and two images in its
// cache.
func newHome(t *testing.T) *home {
	t.Helper()
	h := &home{t: t, store: store.NewMemory(), cache: imagecache.NewMemory(), devices: map[han.EUI64]*zcl.Station{}}
	h.Player = &devicetest.Player{TB: t, Now: devicetest.Start, Sent: h.take, Recorded: h.mind}
	h.restart()
	for eui, kind := range map[han.EUI64]store.Kind{esme: store.KindESME, gsme: store.KindGSME, ihd: store.KindIHD} {
		h.must(h.add(eui, kind))
		h.devices[eui] = &zcl.Station{Node: eui, Endpoint: 1}
	}
	h.upload(nodetest.Image)
	h.upload(image3)
	h.forget()
	return h
}

// restart makes the hub anew from its store.
func (h *home) restart() {
	var out han.Outbox
	h.hub = nodetest.Supply(h.store, h.cache, h.Now, &out)
	h.Node = h.hub
	if len(out.Frames) > 0 {
		h.t.Errorf("a hub that starts sent %d frames", len(out.Frames))
	}
	h.records = append(h.records, out.Records...)
}

func (h *home) take(f han.Frame) {
	f.Payload = bytes.Clone(f.Payload)
	h.sent = append(h.sent, f)
}

func (h *home) mind(r *trace.Record) { h.records = append(h.records, *r) }

// forget drops what was sent and recorded so far.
func (h *home) forget() { h.sent, h.records = nil, nil }

func (h *home) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// operate runs an operation and takes what it sends. An operation that fails must
// send nothing.
func (h *home) operate(f func(now time.Time, out *han.Outbox) error) error {
	h.t.Helper()
	var out han.Outbox
	err := f(h.Now, &out)
	devicetest.Check(h.t, h.hub, &out)
	if err != nil && len(out.Frames) > 0 {
		h.t.Errorf("a failed operation (%v) sent %d frames", err, len(out.Frames))
	}
	for _, f := range out.Frames {
		h.take(f)
	}
	h.records = append(h.records, out.Records...)
	return err
}

func (h *home) add(eui han.EUI64, kind store.Kind) error {
	return h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.AddDevice(now, out, store.Device{EUI64: eui, Kind: kind})
	})
}

func (h *home) remove(eui han.EUI64) error {
	return h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.RemoveDevice(now, out, eui) })
}

func (h *home) upload(im *imagecache.Image) {
	h.t.Helper()
	h.must(h.cache.Add(im))
	h.must(h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.RegisterImage(now, out, im.Entry, false) }))
}

func (h *home) distribute(im *imagecache.Image, devices ...han.EUI64) error {
	return h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.HeadEnd.Distribute(now, out, headend.Distribution{Image: im.FileHash, Devices: devices})
	})
}

func (h *home) cancel(eui han.EUI64) error {
	return h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.CancelUpdate(now, out, eui) })
}

func (h *home) activate(eui han.EUI64, at time.Time) error {
	return h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.HeadEnd.Activate(now, out, headend.Activation{Device: eui, Hash: nodetest.Image.ImageHash, At: at})
	})
}

// say has a device send a command to the hub and returns what it answers.
func (h *home) say(eui han.EUI64, cluster uint16, header zcl.Header, c zcl.Command) []han.Frame {
	h.t.Helper()
	var out han.Outbox
	to := zcl.Peer{Node: h.hub.EUI64(), Endpoint: 1, Cluster: cluster}
	if header.TSN != 0 {
		zcl.Answer(h.devices[eui], &out, to, header, c)
	} else {
		zcl.Send(h.devices[eui], &out, to, header, c)
	}
	before := len(h.sent)
	h.Frame(out.Frames[0])
	return h.sent[before:]
}

// asClient and asServer are headers of cluster commands.
func asClient(command uint8) zcl.Header { return zcl.Header{ClusterSpecific: true, Command: command} }

func asServer(command uint8) zcl.Header {
	return zcl.Header{ClusterSpecific: true, ToClient: true, Command: command}
}

// report has a meter report its readings.
func (h *home) report(eui han.EUI64) []han.Frame {
	return h.say(eui, metering.ClusterID, zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes},
		zcl.ReportAttributes{Attributes: []zcl.Attribute{
			{ID: metering.AttributeCurrentSummationDelivered, Value: zcl.Value{Type: zcl.TypeUint48, Number: 7}},
		}})
}

// askImage has a meter ask for the next image and returns the answer.
func (h *home) askImage(eui han.EUI64, running uint32) ota.QueryNextImageResponse {
	h.t.Helper()
	answer := h.say(eui, ota.ClusterID, asClient(ota.CommandQueryNextImageRequest), ota.QueryNextImageRequest{
		Current:     ota.ImageID{Manufacturer: testimage.Vendor, ImageType: testimage.Class, FileVersion: running},
		HasHardware: true, HardwareVersion: testimage.Hardware,
	})
	return parsed(h.t, answer, ota.CommandQueryNextImageResponse, ota.ParseQueryNextImageResponse)
}

// askBlock has a meter ask for a block.
func (h *home) askBlock(eui han.EUI64, im *imagecache.Image, offset uint32) ota.ImageBlockResponse {
	h.t.Helper()
	answer := h.say(eui, ota.ClusterID, asClient(ota.CommandImageBlockRequest), ota.ImageBlockRequest{
		Image: im.Header.ImageID, Offset: offset, MaxDataSize: 48,
	})
	return parsed(h.t, answer, ota.CommandImageBlockResponse, ota.ParseImageBlockResponse)
}

// end has a meter say how a download ended.
func (h *home) end(eui han.EUI64, im *imagecache.Image, status zcl.Status) {
	h.t.Helper()
	h.say(eui, ota.ClusterID, asClient(ota.CommandUpgradeEndRequest), ota.UpgradeEndRequest{Status: status, Image: im.Header.ImageID})
}

// transferred brings a meter to hold nodetest.Image.
func (h *home) transferred(eui han.EUI64) {
	h.t.Helper()
	h.must(h.distribute(nodetest.Image, eui))
	h.askBlock(eui, nodetest.Image, nodetest.Image.Header.TotalSize-1) // all before it was there
	h.end(eui, nodetest.Image, zcl.StatusSuccess)
	h.expectUpdate(eui, nodetest.Image, store.UpdateTransferred)
	h.forget()
}

func parsed[T any](t *testing.T, frames []han.Frame, command uint8, parse func([]byte) (T, error)) T {
	t.Helper()
	var zero T
	if len(frames) != 1 {
		t.Fatalf("%d frames, want one: %v", len(frames), frames)
		return zero
	}
	header, payload, err := zcl.ParseHeader(frames[0].Payload)
	if err != nil || !header.ClusterSpecific || header.Command != command {
		t.Fatalf("%s with header %+v (%v), want command %02X", frames[0], header, err, command)
	}
	v, err := parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (h *home) expectUpdate(eui han.EUI64, im *imagecache.Image, want store.UpdateState) store.Update {
	h.t.Helper()
	u, ok := h.store.Update(eui, im.FileHash)
	if !ok {
		h.t.Fatalf("no update of %s", eui)
	}
	if got := u.State; got != want {
		h.t.Errorf("the update of %s is %s (%s), want %s", eui, got, u.Outcome, want)
	}
	return u
}

// expectAlerts compares the codes in the supplier's inbox.
func (h *home) expectAlerts(since uint64, want ...gbcs.AlertCode) {
	h.t.Helper()
	var got []gbcs.AlertCode
	for _, a := range h.store.Inbox(since, 100) {
		got = append(got, gbcs.AlertCode(a.Code))
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("alerts %v, want %v", got, want)
	}
}

// alerts returns the sequence of the newest alert.
func (h *home) alerts() uint64 {
	all := h.store.Inbox(0, 1000)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Sequence
}

// names returns what the frames are, in words.
func names(frames []han.Frame) []string {
	var all []string
	for _, f := range frames {
		h, _, err := zcl.ParseHeader(f.Payload)
		switch {
		case err != nil:
			all = append(all, err.Error())
		case !h.ClusterSpecific:
			all = append(all, fmt.Sprintf("%04X general %02X", f.Cluster, h.Command))
		case f.Cluster == tunnel.ClusterID && !h.ToClient:
			all = append(all, map[uint8]string{
				tunnel.CommandRequestTunnel: "request tunnel", tunnel.CommandTransferDataToServer: "message",
				tunnel.CommandTransferDataErrorToServer: "no such tunnel",
			}[h.Command])
		case f.Cluster == ota.ClusterID && h.Command == ota.CommandImageNotify:
			all = append(all, "image notify")
		default:
			all = append(all, fmt.Sprintf("%04X command %02X", f.Cluster, h.Command))
		}
	}
	return all
}

func (h *home) expectSent(frames []han.Frame, want ...string) {
	h.t.Helper()
	if got := names(frames); !slices.Equal(got, want) {
		h.t.Errorf("sent %q, want %q", got, want)
	}
}

// refused returns why frames were refused.
func (h *home) refused() []string {
	var all []string
	for _, r := range h.records {
		if r.Kind == trace.FrameRefused {
			all = append(all, r.Text)
		}
	}
	return all
}
