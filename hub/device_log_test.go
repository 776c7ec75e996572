package hub_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/nodetest"
	"github.com/commshub/commshub/internal/testimage"
)

func TestTheDeviceLogHoldsSixteen(t *testing.T) {
	h := newHome(t)
	for i := range han.EUI64(13) {
		h.must(h.add(0x1000+i, store.KindCAD))
	}
	since := h.alerts()
	if err := h.add(0x2000, store.KindESME); !errors.Is(err, store.ErrConflict) || !strings.Contains(err.Error(), "full (16 entries)") {
		t.Errorf("a 17th device: %v", err)
	}
	h.expectAlerts(since)
	if n := len(h.store.Devices()); n != 16 {
		t.Errorf("%d devices are stored", n)
	}
	h.must(h.remove(0x1000))
	h.must(h.add(0x2000, store.KindESME))
	h.expectAlerts(since, gbcs.AlertCHFDeviceLogChanged, gbcs.AlertCHFDeviceLogChanged)
}

// TestTheSupplierIsToldWhatADeviceTakesAlong when it leaves the device log.
func TestTheSupplierIsToldWhatADeviceTakesAlong(t *testing.T) {
	h := newHome(t)
	for range 2 {
		h.must(h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.HeadEnd.ReadVersion(now, out, gsme) }))
	}
	since := h.alerts()
	h.must(h.remove(gsme))
	if got := h.store.Inbox(since, 100); len(got) != 1 || !strings.HasSuffix(got[0].Text, "GSME removed, messages dropped with it: 2") {
		t.Errorf("the supplier reads %+v", got)
	}
	if n := len(h.store.MessagesOf(gsme)); n != 0 {
		t.Errorf("%d messages still wait for a device that left", n)
	}
}

func TestWhatIsNoDeviceIsNotAdded(t *testing.T) {
	h := newHome(t)
	since := h.alerts()
	for name, tt := range map[string]struct {
		eui  han.EUI64
		kind store.Kind
		want string
	}{
		"the hub itself": {nodetest.Config().EUI64, store.KindESME, "not the address of a device"},
		"nobody":         {0, store.KindESME, "not the address of a device"},
		"unknown kind":   {0x1000, 77, "kind 77 is no kind of device"},
		"there already":  {gsme, store.KindESME, "in the device log already"},
	} {
		if err := h.add(tt.eui, tt.kind); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if err := h.remove(0x1000); !errors.Is(err, store.ErrUnknownDevice) {
		t.Errorf("removed a stranger: %v", err)
	}
	h.expectAlerts(since)
	if n := len(h.store.Devices()); n != 3 {
		t.Errorf("%d devices are stored", n)
	}
}

func TestKindsHaveNames(t *testing.T) {
	for _, name := range []string{"ESME", "gsme", "Hcalcs", "ihd", "CAD", "PPMID"} {
		k, err := store.ParseKind(name)
		if err != nil || !strings.EqualFold(k.String(), name) {
			t.Errorf("%s: %v (%v)", name, k, err)
		}
	}
	if k, err := store.ParseKind("toaster"); err == nil {
		t.Errorf("a toaster is %v", k)
	}
}

func TestAStrangerGetsNoFrameThrough(t *testing.T) {
	h := newHome(t)
	h.devices[stranger] = &zcl.Station{Node: stranger, Endpoint: 1}
	before := h.store.Updates()
	h.must(h.distribute(nodetest.Image, gsme))
	h.forget()
	for _, f := range [][]han.Frame{
		h.report(stranger),
		h.say(stranger, ota.ClusterID, asClient(ota.CommandQueryNextImageRequest), ota.QueryNextImageRequest{}),
		h.say(stranger, tunnel.ClusterID, asClient(tunnel.CommandRequestTunnel), tunnel.RequestTunnel{}),
		h.say(stranger, zcl.ClusterTime, zcl.Header{Command: zcl.CommandReadAttributes}, zcl.ReadAttributes{IDs: []uint16{0}}),
	} {
		h.expectSent(f)
	}
	if got := h.refused(); len(got) != 4 || got[0] != store.ErrUnknownDevice.Error() {
		t.Errorf("refused %q", got)
	}
	if _, ok := h.store.Mirror(stranger); ok || len(before) != 0 || len(h.store.UpdatesOf(stranger)) != 0 {
		t.Error("something of a stranger was stored")
	}
}

func TestAFrameForSomebodyElseIsRefused(t *testing.T) {
	h := newHome(t)
	h.Frame(han.Frame{Src: gsme, Dst: esme, Cluster: zcl.ClusterTime, Payload: []byte{0, 1, 0, 0, 0}})
	h.expectSent(h.sent)
	if got := h.refused(); len(got) != 1 || !strings.Contains(got[0], "frame for "+esme.String()) {
		t.Errorf("refused %q", got)
	}
}

// forced takes the place of an image that is ordered to be activated.
var forced = must(imagecache.NewImage(testimage.GB(testimage.Options{Version: 4, Sequence: 4, ForceReplace: true})))

// TestARemovedDeviceLeavesNothingBehind, and may be added again as if it were new.
func TestARemovedDeviceLeavesNothingBehind(t *testing.T) {
	for _, eui := range []han.EUI64{gsme, esme} {
		h := newHome(t)
		h.transferred(eui)
		h.must(h.activate(eui, h.Now))
		h.upload(forced)
		h.must(h.distribute(forced, eui))
		if eui == esme {
			h.opened(7)
			h.report(eui)
		}
		h.must(h.remove(eui))
		_, mirror := h.store.Mirror(eui)
		_, device := h.store.Device(eui)
		if mirror || device || h.queued(eui) > 0 || len(h.store.UpdatesOf(eui)) > 0 {
			t.Errorf("%s: left a mirror %v, an entry %v, %d messages, %d updates", eui, mirror, device, h.queued(eui), len(h.store.UpdatesOf(eui)))
		}
		h.forget()
		h.report(eui)
		h.expectSent(h.sent)
		if next, ok := h.hub.NextTimer(); ok {
			t.Errorf("%s: the hub still waits for %v", eui, next.At)
		}
		h.must(h.add(eui, store.KindGSME))
		if r := h.askImage(eui, 1); r.Status != zcl.StatusNoImageAvailable {
			t.Errorf("%s: added again it is offered an image (%s)", eui, r.Status)
		}
	}
}

func TestTheDeviceLogSurvivesARestart(t *testing.T) {
	h := newHome(t)
	h.report(esme)
	h.restart()
	h.forget()
	h.expectSent(h.report(esme)[:1], "0702 general 0B")
	if got := h.refused(); len(got) > 0 {
		t.Errorf("refused %q", got)
	}
	if err := h.add(esme, store.KindESME); !errors.Is(err, store.ErrConflict) {
		t.Errorf("added again: %v", err)
	}
}

// TestNoAnswerIsLongerThanAFrame: a request names up to 767 attributes, and some of
// them are long.
func TestNoAnswerIsLongerThanAFrame(t *testing.T) {
	h := newHome(t)
	mirror := store.Mirror{Device: gsme, UpdatedAt: h.Now.UnixMicro()}
	mirror.Attributes = append(mirror.Attributes, store.MirrorAttribute{ID: 1, Type: uint8(zcl.TypeOctetString), Bytes: make([]byte, 200)})
	entry, _ := h.store.Device(gsme)
	entry.MirrorEndpoint = 2
	h.must(h.store.Commit(store.Put(mirror), store.Put(entry)))
	h.restart()
	ids := func(id uint16, n int) zcl.ReadAttributes {
		return zcl.ReadAttributes{IDs: slices.Repeat([]uint16{id}, n)}
	}
	h.devices[ihd].Endpoint = 1
	for name, tt := range map[string]struct {
		cluster uint16
		read    zcl.ReadAttributes
	}{
		"the time, many times":       {zcl.ClusterTime, ids(0, 767)},
		"attributes of no clock":     {zcl.ClusterTime, ids(9, 767)},
		"a long attribute, repeated": {metering.ClusterID, ids(1, 100)},
	} {
		t.Run(name, func(t *testing.T) {
			var out han.Outbox
			zcl.Send(h.devices[ihd], &out, zcl.Peer{Node: h.hub.EUI64(), Endpoint: 2, Cluster: tt.cluster},
				zcl.Header{Command: zcl.CommandReadAttributes}, tt.read)
			h.forget()
			h.Frame(out.Frames[0]) // the player checks what is sent
			if len(h.sent) != 1 {
				t.Fatalf("%d answers", len(h.sent))
			}
			header, payload, err := zcl.ParseHeader(h.sent[0].Payload)
			h.must(err)
			if header.Command != zcl.CommandReadAttributesResponse {
				t.Fatalf("answer %+v", header)
			}
			r, err := zcl.ParseReadAttributesResponse(payload)
			if err != nil || len(r.Attributes) == 0 {
				t.Errorf("%d attributes: %v", len(r.Attributes), err)
			}
		})
	}
}

// TestAnInstallCodeStaysInTheDeviceLog, over what the device says later and a restart.
func TestAnInstallCodeStaysInTheDeviceLog(t *testing.T) {
	h := newHome(t)
	secret := [16]byte{0x83, 0xFE, 0xD3}
	h.must(h.remove(gsme))
	h.must(h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.AddDevice(now, out, store.Device{EUI64: gsme, Kind: store.KindGSME, HasInstallCode: true, InstallCode: secret, FirmwareVersion: 9})
	}))
	h.restart()
	h.askImage(gsme, 1)
	d, _ := h.store.Device(gsme)
	if !d.HasInstallCode || d.InstallCode != secret || d.FirmwareVersion != 1 {
		t.Errorf("the device log has %+v", d)
	}
	if err := h.operate(func(now time.Time, out *han.Outbox) error {
		return h.hub.AddDevice(now, out, store.Device{EUI64: 0x1000, Kind: store.KindBridged, HasInstallCode: true})
	}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a bridged device with an install code: %v", err)
	}
}

// TestTheSupplierIsToldOnceAnHourThatADeviceDoesNotJoin, after three tries in a row.
func TestTheSupplierIsToldOnceAnHourThatADeviceDoesNotJoin(t *testing.T) {
	h := newHome(t)
	since := h.alerts()
	tried := func(eui han.EUI64, inARow int) {
		t.Helper()
		h.must(h.operate(func(now time.Time, out *han.Outbox) error { return h.hub.JoiningFailed(now, out, eui, inARow) }))
	}
	tried(gsme, 1)
	tried(gsme, 2)
	tried(0x1000, 99) // nobody's, who has left meanwhile
	h.expectAlerts(since)
	for n := 3; n < 100; n++ {
		tried(gsme, n)
	}
	tried(esme, 3)
	h.expectAlerts(since, gbcs.AlertDeviceJoiningFailed, gbcs.AlertDeviceJoiningFailed)
	h.Now = h.Now.Add(59 * time.Minute)
	tried(gsme, 200)
	h.Now = h.Now.Add(time.Minute)
	tried(gsme, 201)
	h.expectAlerts(since, gbcs.AlertDeviceJoiningFailed, gbcs.AlertDeviceJoiningFailed, gbcs.AlertDeviceJoiningFailed)
	last := h.store.Inbox(since, 100)[2]
	if last.Device != gsme || last.Text != "Device joining failed: install code not proved, 201 tries in a row" {
		t.Errorf("the supplier reads %+v", last)
	}
}

// TestAQueryTellsWhatTheDeviceIs, whether an image waits for it or not.
func TestAQueryTellsWhatTheDeviceIs(t *testing.T) {
	h := newHome(t)
	h.askImage(esme, 1)
	d, _ := h.store.Device(esme)
	if d.Manufacturer != testimage.Vendor || d.ImageType != testimage.Class || !d.HasHardware || d.HardwareVersion != testimage.Hardware {
		t.Errorf("the device log has %+v", d)
	}
}
