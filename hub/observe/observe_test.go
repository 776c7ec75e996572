package observe_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/observe"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

const (
	gsme han.EUI64 = 0x00DB1234567890A1
	esme han.EUI64 = 0x00DB1234567890A0
	size           = 4800
)

var (
	start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	image = [32]byte{1}
	id    = ota.ImageID{Manufacturer: 0x10D4, ImageType: 1, FileVersion: 2}
)

// home is an observer and what a driver would feed it.
type home struct {
	t     *testing.T
	store *store.Store
	o     *observe.Observer
	self  han.EUI64
}

// newHome returns a home in which an image is distributed to both meters.
func newHome(t *testing.T) *home {
	t.Helper()
	config := hub.DefaultConfig()
	h := &home{t: t, store: store.NewMemory(), self: config.EUI64}
	h.put(
		store.Device{EUI64: gsme, Kind: store.KindGSME}, store.Device{EUI64: esme, Kind: store.KindESME},
		store.Image{FileHash: image, Manufacturer: id.Manufacturer, ImageType: id.ImageType, FileVersion: id.FileVersion, Size: size},
	)
	h.o = observe.New(config, h.store, start)
	for _, eui := range []han.EUI64{gsme, esme} {
		h.put(store.Update{Device: eui, FileHash: image})
		h.record(start, trace.Record{Kind: trace.DistributionStarted, Peer: uint64(eui), Version: 2, Size: size, Hash: image})
	}
	return h
}

func (h *home) put(records ...store.Record) {
	h.t.Helper()
	for _, r := range records {
		if err := h.store.Commit(store.Put(r)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// record is one of the hub's.
func (h *home) record(at time.Time, r trace.Record) {
	r.At, r.Node = at, uint64(h.self)
	h.o.Record(&r)
}

// report is a heartbeat.
func (h *home) report(at time.Time, eui han.EUI64) {
	h.up(at, eui, metering.ClusterID, zcl.AppendFrame(nil, zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}, zcl.ReportAttributes{
		Attributes: []zcl.Attribute{{ID: metering.AttributeReportingStatus, Value: zcl.Value{Type: zcl.TypeEnum8, Number: uint64(metering.ReportingComplete)}}},
	}))
	h.record(at, trace.Record{Kind: trace.MirrorUpdated, Peer: uint64(eui), Count: 1})
}

func (h *home) up(at time.Time, eui han.EUI64, cluster uint16, payload []byte) {
	h.o.Frame(at, &han.Frame{Src: eui, Dst: h.self, Cluster: cluster, Payload: payload}, han.Unharmed)
}

// serve is a block asked for and served.
func (h *home) serve(at time.Time, eui han.EUI64, offset, n uint32) {
	request := zcl.Header{ClusterSpecific: true, Command: ota.CommandImageBlockRequest}
	h.up(at, eui, ota.ClusterID, zcl.AppendFrame(nil, request, ota.ImageBlockRequest{Image: id, Offset: offset, MaxDataSize: 63}))
	h.respond(at, eui, ota.ImageBlockResponse{Status: zcl.StatusSuccess, Image: id, Offset: offset, Data: make([]byte, n)})
}

func (h *home) respond(at time.Time, eui han.EUI64, r ota.ImageBlockResponse) {
	header := zcl.Header{ClusterSpecific: true, ToClient: true, Command: ota.CommandImageBlockResponse}
	h.o.Frame(at, &han.Frame{Src: h.self, Dst: eui, Cluster: ota.ClusterID, Payload: zcl.AppendFrame(nil, header, r)}, han.Unharmed)
}

func (h *home) wait(at time.Time, eui han.EUI64, delay uint32) {
	h.respond(at, eui, ota.ImageBlockResponse{Status: zcl.StatusWaitForData, CurrentTime: 1000, RequestTime: zcl.UTCTime(1000 + delay)})
}

func (h *home) timeline(eui han.EUI64, now time.Time) observe.Timeline {
	h.t.Helper()
	v, ok := h.o.Timeline(eui, image, now)
	if !ok {
		h.t.Fatalf("no timeline of %s", eui)
	}
	return v
}

func TestATransferWindowByWindow(t *testing.T) {
	h := newHome(t)
	at := start.Add(time.Minute)
	h.report(at, gsme)
	h.serve(at.Add(time.Second), gsme, 0, 48)
	h.serve(at.Add(2*time.Second), gsme, 48, 48)
	h.serve(at.Add(3*time.Second), gsme, 48, 48) // its answer was lost
	open := h.timeline(gsme, at.Add(3*time.Second))
	h.wait(at.Add(4*time.Second), gsme, 1796)
	h.report(at.Add(30*time.Minute), gsme)
	h.report(at.Add(30*time.Minute+3*time.Second), gsme) // repeated, for want of an answer
	h.serve(at.Add(30*time.Minute+4*time.Second), gsme, 96, 48)
	v := h.timeline(gsme, at.Add(time.Hour))

	if !open.Open || len(open.Windows) != 1 || !v.Complete || v.Open {
		t.Errorf("open %v with %d windows, at the end complete %v, open %v", open.Open, len(open.Windows), v.Complete, v.Open)
	}
	want := []observe.Window{
		{Number: 1, OpenedAt: at, EndedAt: at.Add(4 * time.Second), Blocks: 2, Repeats: 1, Waits: 1, Bytes: 96,
			Runs: []ota.Run{{To: 96}}, Repeated: []uint32{48}, Wait: 1796 * time.Second},
		{Number: 2, OpenedAt: at.Add(30 * time.Minute), EndedAt: at.Add(30*time.Minute + 4*time.Second), Blocks: 1, Bytes: 48,
			Runs: []ota.Run{{From: 96, To: 144}}},
	}
	for i := range v.Windows {
		if v.Windows[i].RadioOn <= 0 {
			t.Errorf("window %d without radio-on time", i+1)
		}
		v.Windows[i].RadioOn = 0
	}
	if diff := cmp.Diff(want, v.Windows); diff != "" {
		t.Error(diff)
	}
	if v.Idle || v.Waiting {
		t.Error("it got a block in its last window, and was not told to wait")
	}
	h.report(at.Add(time.Hour), gsme)
	if v := h.timeline(gsme, at.Add(time.Hour)); !v.Idle || v.Waiting {
		t.Error("a meter that asked for nothing in its last window is not idle")
	}
	if diff := cmp.Diff([]ota.Run{{To: 144}}, v.Served); diff != "" {
		t.Error(diff)
	}
	if d, _ := h.o.Device(gsme, at.Add(time.Hour)); d.Counters.Blocks != 3 || d.Counters.Repeats != 1 || d.Counters.Waits != 1 || d.Counters.Heartbeats != 3 || d.Counters.Windows != 2 {
		t.Errorf("counters %+v", d.Counters)
	}
}

func TestADeviceThatGoesOnAfterABreakResumes(t *testing.T) {
	h := newHome(t)
	h.report(start, gsme)
	h.serve(start.Add(time.Second), gsme, 0, 48)
	h.o.Watch().Session(gsme, true)
	h.report(start.Add(30*time.Minute), gsme)
	h.serve(start.Add(30*time.Minute), gsme, 48, 48)
	h.report(start.Add(60*time.Minute), gsme)
	h.serve(start.Add(60*time.Minute), gsme, 96, 48)
	w := h.timeline(gsme, start).Windows
	if w[0].Resumed || !w[1].Resumed || w[1].ResumedAt != 48 || w[2].Resumed {
		t.Errorf("%+v", w)
	}
}

func TestAfterARestartOfTheHubTheTimelineSaysThatItIsNotWhole(t *testing.T) {
	h := newHome(t)
	h.put(store.Update{Device: gsme, FileHash: image, State: store.UpdateDownloading, Blocks: 20})
	h.o = observe.New(hub.DefaultConfig(), h.store, start)
	if v := h.timeline(gsme, start); v.Complete {
		t.Error("it claims to be complete")
	} else if _, known := v.Offset(); known {
		t.Error("it claims to know how far the device is")
	}
	h.report(start, gsme)
	h.serve(start, gsme, 960, 48)
	v := h.timeline(gsme, start)
	if offset, known := v.Offset(); !known || offset != 1008 || !v.Windows[0].Resumed || v.Windows[0].ResumedAt != 960 {
		t.Errorf("offset %d %v, %+v", offset, known, v.Windows)
	}
}

func TestADeviceThatAlwaysListensHasOneWindowUntilItPauses(t *testing.T) {
	h := newHome(t)
	for i := range uint32(20) {
		h.serve(start.Add(time.Duration(i)*time.Minute), esme, i*48, 48)
		h.record(start, trace.Record{Kind: trace.MirrorUpdated, Peer: uint64(esme)})
	}
	h.serve(start.Add(time.Hour), esme, 20*48, 48)
	if w := h.timeline(esme, start).Windows; len(w) != 2 || w[0].Blocks != 20 || w[1].Blocks != 1 {
		t.Errorf("%+v", w)
	}
}

func TestExpectedCompletion(t *testing.T) {
	h := newHome(t)
	at := start
	for i := range uint32(3) {
		h.report(at, gsme)
		h.serve(at.Add(time.Second), gsme, i*48, 48)
		h.wait(at.Add(2*time.Second), gsme, 1798)
		at = at.Add(30 * time.Minute)
	}
	now := at.Add(-time.Minute)
	v := h.timeline(gsme, now)
	d, _ := h.o.Device(gsme, now)
	// 48 bytes a window, the next at 01:30: 4,656 bytes are 97 windows more.
	e, ok := v.Estimate(&d, size, now)
	if want := at.Add(96 * 30 * time.Minute); !ok || e.WindowsLeft != 97 || !e.At.Equal(want) {
		t.Errorf("%v windows left, at %v, want 97 at %v", e.WindowsLeft, e.At, want)
	}
	fresh := newHome(t)
	v = fresh.timeline(gsme, now)
	d, _ = fresh.o.Device(gsme, now)
	if e, ok := v.Estimate(&d, size, now); ok {
		t.Errorf("it foresees %v without having seen a window", e)
	}
}

// A day of heartbeats with 16,000 blocks, and a device that plays games, stay
// within bounds.
func TestWhatIsKeptOfATransferIsBounded(t *testing.T) {
	h := newHome(t)
	for i := range 2000 {
		at := start.Add(time.Duration(i) * 30 * time.Minute)
		h.report(at, gsme)
		for j := range 400 {
			h.serve(at, gsme, uint32(j*96+(i%2)*48*400), 48)
		}
	}
	v := h.timeline(gsme, start)
	if len(v.Windows) != 512 || v.Earlier.Windows != 2000-512 || v.Windows[0].Number != v.Earlier.Windows+1 {
		t.Errorf("%d windows, %d before them, the first listed is %d", len(v.Windows), v.Earlier.Windows, v.Windows[0].Number)
	}
	for _, w := range v.Windows {
		if len(w.Runs) > 64 || len(w.Repeated) > 32 {
			t.Fatalf("window with %d runs, %d repeated", len(w.Runs), len(w.Repeated))
		}
	}
	if len(v.Served) > 256 {
		t.Errorf("%d runs served", len(v.Served))
	}
	frames, oldest, newest := h.o.Traffic(0, 5000, nil)
	if len(frames) != 2000 || newest-oldest != 1999 || frames[0].ID != oldest || frames[1999].ID != newest {
		t.Errorf("%d frames from %d to %d", len(frames), oldest, newest)
	}
	if after, _, _ := h.o.Traffic(newest-7, 100, nil); len(after) != 7 || after[0].ID != newest-6 {
		t.Errorf("%d frames after the seventh last", len(after))
	}
	if up, _, _ := h.o.Traffic(0, 10, func(f *observe.Frame) bool { return f.Src == gsme }); len(up) != 10 || up[0].Src != gsme {
		t.Errorf("%d frames of the meter", len(up))
	}
	if readings, _, _ := h.o.History(gsme); len(readings) != 0 {
		t.Errorf("%d readings of an empty mirror", len(readings))
	}
}

func TestReadingsAreKeptOldestFirst(t *testing.T) {
	h := newHome(t)
	for i := range 1600 {
		m := store.Mirror{Device: gsme, UpdatedAt: int64(i + 1)}
		m.Attributes = []store.MirrorAttribute{{ID: metering.AttributeCurrentSummationDelivered, Number: uint64(i)}}
		h.put(m)
		h.record(start.Add(time.Duration(i)*time.Minute), trace.Record{Kind: trace.MirrorUpdated, Peer: uint64(gsme)})
	}
	readings, _, _ := h.o.History(gsme)
	if len(readings) != 1500 || *readings[0].Register != 100 || *readings[1499].Register != 1599 {
		t.Errorf("%d readings from %d to %d", len(readings), *readings[0].Register, *readings[len(readings)-1].Register)
	}
	if readings[0].BatteryPercent != nil {
		t.Error("a battery was made up")
	}
}

// TestAReadingShowsOneUpdate: by what the meter told at the end of an earlier window, if
// the whole percentage that it reports now agrees; also after a restart of the hub.
func TestAReadingShowsOneUpdate(t *testing.T) {
	const perMilliampereHour = 3_600_000_000 / metering.ChargeUnit
	mirror := func(at time.Duration, percent, microampHours uint64) store.Mirror {
		c := metering.Consumption{Capacity: 19_000, Day: 4_000 * perMilliampereHour / 1000, Causes: 1, Charge: [metering.MaxCauses]uint64{microampHours * perMilliampereHour / 1000}}
		return store.Mirror{
			Device: gsme, UpdatedAt: start.Add(at).UnixMicro(), Consumption: c.Append(nil), ConsumedAt: start.UnixMicro(),
			Attributes: []store.MirrorAttribute{
				{ID: metering.AttributeRemainingBatteryLife, Number: percent}, {ID: metering.AttributeRemainingBatteryLifeInDays, Number: 4749},
			},
		}
	}
	h := newHome(t)
	for i, m := range []store.Mirror{mirror(0, 99, 10_000), mirror(time.Hour, 99, 10_155), mirror(2*time.Hour, 4, 10_155)} {
		h.put(m)
		if err := h.store.Commit(h.o.Along(m)...); err != nil {
			t.Fatal(err)
		}
		h.record(start.Add(time.Duration(i)*time.Hour), trace.Record{Kind: trace.MirrorUpdated, Peer: uint64(gsme)})
	}
	for name, o := range map[string]*observe.Observer{"running": h.o, "restarted": observe.New(hub.DefaultConfig(), h.store, start.Add(3*time.Hour))} {
		readings, _, _ := o.History(gsme)
		var got []string
		for _, r := range readings {
			got = append(got, fmt.Sprintf("%.4f %% %.2f d", *r.BatteryPercent, *r.BatteryDaysLeft))
		}
		want := []string{"99.9474 % 4747.50 d", "99.9466 % 4747.46 d", "4.0000 % 4749.00 d"} // drained by hand, and not told yet
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestChangesAreTakenOnce(t *testing.T) {
	h := newHome(t)
	h.o.Take()
	h.report(start, gsme)
	h.record(start, trace.Record{Kind: trace.MessageQueued, Peer: uint64(esme)})
	select {
	case <-h.o.Wake():
	default:
		t.Error("nobody is woken")
	}
	c := h.o.Take()
	if !c.Devices[gsme] || !c.Mirrors[gsme] || !c.Messages[esme] || len(c.Records) != 1 {
		t.Errorf("%+v", c)
	}
	if c := h.o.Take(); len(c.Devices) != 0 || len(c.Records) != 0 {
		t.Errorf("taken again: %+v", c)
	}
	if err := h.store.Commit(store.Delete(store.Device{EUI64: gsme})); err != nil {
		t.Fatal(err)
	}
	h.report(start, gsme)
	h.record(start, trace.Record{Kind: trace.DeviceRemoved, Peer: uint64(gsme)})
	if c := h.o.Take(); !c.Removed[gsme] || c.Devices[gsme] {
		t.Errorf("%+v", c)
	}
	if _, ok := h.o.Timeline(gsme, image, start); ok {
		t.Error("a device that was removed still has a timeline")
	}
	for range 2000 {
		h.record(start, trace.Record{Kind: trace.NodeStarted})
	}
	if c := h.o.Take(); len(c.Records) != 1024 || c.Lost != 2000-1024 {
		t.Errorf("%d records, %d lost", len(c.Records), c.Lost)
	}
}

func TestAwakeAndAsleep(t *testing.T) {
	h := newHome(t)
	awake := func(at time.Time) bool { d, _ := h.o.Device(gsme, at); return d.Awake }
	h.report(start, gsme)
	if !awake(start.Add(time.Second)) || awake(start.Add(time.Minute)) {
		t.Error("a meter is awake after its report, and not a minute later")
	}
	h.wait(start.Add(2*time.Second), gsme, 1798)
	if awake(start.Add(3 * time.Second)) {
		t.Error("a meter that was told to wait counts as awake")
	}
	h.o.Record(&trace.Record{At: start, Node: uint64(gsme), Kind: trace.HeartbeatStarted})
	h.report(start.Add(time.Hour), gsme)
	h.o.Record(&trace.Record{At: start, Node: uint64(gsme), Kind: trace.HeartbeatEnded})
	if awake(start.Add(time.Hour)) {
		t.Error("a meter whose heartbeat ended is awake")
	}
	h.report(start.Add(2*time.Hour), gsme)
	h.consumed(start.Add(2*time.Hour), 7, 0)
	if d, _ := h.o.Device(gsme, start.Add(2*time.Hour)); d.Awake || d.PlainHeartbeat != 7 {
		t.Errorf("after a meter's last word: %+v", d)
	}
}

// consumed is a gas meter's last word in a window: what that took, and what all work
// did, in units of ChargeUnit.
func (h *home) consumed(at time.Time, window uint64, work uint64) {
	c := metering.Consumption{Causes: int(battery.CauseTransmit) + 1, WindowCharge: window, WindowRadioOn: 3 * time.Second}
	c.Charge[battery.CauseBase], c.Charge[battery.CauseTransmit] = 1_000_000, work
	header := zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes, ManufacturerSpecific: true, Manufacturer: metering.Manufacturer}
	h.up(at, gsme, metering.ClusterID, zcl.AppendFrame(nil, header, zcl.ReportAttributes{Attributes: []zcl.Attribute{
		{ID: metering.AttributeConsumption, Value: zcl.Value{Type: zcl.TypeOctetString, Bytes: c.Append(nil)}},
	}}))
}

// TestWindowsCostWhatTheMeterSays: a window whose last word got lost costs what the
// sums grew by besides.
func TestWindowsCostWhatTheMeterSays(t *testing.T) {
	h := newHome(t)
	for i, window := range []struct{ charge, work uint64 }{{50_000, 100}, {0, 0}, {70_000, 121}, {80_000, 129}} {
		at := start.Add(time.Duration(i) * 30 * time.Minute)
		h.report(at, gsme)
		h.serve(at.Add(time.Second), gsme, uint32(i)*48, 48)
		if window.charge > 0 {
			h.consumed(at.Add(2*time.Second), window.charge, window.work)
		}
	}
	v := h.timeline(gsme, start.Add(2*time.Hour))
	var got []int64
	for _, w := range v.Windows {
		got = append(got, w.Charge)
	}
	if want := []int64{50_000, 140_000, 70_000, 80_000}; !slices.Equal(got, want) {
		t.Errorf("windows cost %v nC, want %v", got, want)
	}
	if sum := v.Sum(); sum.Charge != 340_000 || sum.Windows != 4 || v.Windows[0].RadioOn != 3*time.Second {
		t.Errorf("%+v, radio on %v", sum, v.Windows[0].RadioOn)
	}
	if c, at, ok := h.o.Consumption(gsme); !ok || c.WindowCharge != 80_000 || !at.Equal(start.Add(90*time.Minute+2*time.Second)) {
		t.Errorf("%+v at %v", c, at)
	}
}

// A frame of a device that nobody knows, or that is no ZCL at all, changes nothing
// but the list of traffic.
func TestStrangeFrames(t *testing.T) {
	h := newHome(t)
	h.o.Take()
	h.up(start, 0x1122334455667788, ota.ClusterID, []byte{1, 2, 3})
	if c := h.o.Take(); len(c.Devices) != 0 {
		t.Errorf("%+v", c)
	}
	for n := range 40 {
		h.up(start, gsme, ota.ClusterID, make([]byte, n))
		h.o.Frame(start, &han.Frame{Src: h.self, Dst: gsme, Cluster: ota.ClusterID, Payload: binary.BigEndian.AppendUint32([]byte{1, 0, 5}, uint32(n))[:n%8]}, han.Unharmed)
	}
	if frames, _, newest := h.o.Traffic(0, 100, nil); len(frames) != 81 || newest != 81 {
		t.Errorf("%d frames, newest %d", len(frames), newest)
	}
}

func BenchmarkBlock(b *testing.B) {
	h := newHome(&testing.T{})
	h.report(start, gsme)
	request := han.Frame{Src: gsme, Dst: h.self, Cluster: ota.ClusterID, Payload: zcl.AppendFrame(nil,
		zcl.Header{ClusterSpecific: true, Command: ota.CommandImageBlockRequest}, ota.ImageBlockRequest{Image: id, MaxDataSize: 63})}
	response := han.Frame{Src: h.self, Dst: gsme, Cluster: ota.ClusterID, Payload: zcl.AppendFrame(nil,
		zcl.Header{ClusterSpecific: true, ToClient: true, Command: ota.CommandImageBlockResponse},
		ota.ImageBlockResponse{Status: zcl.StatusSuccess, Image: id, Data: make([]byte, 48)})}
	const offsetAt = 3 + 1 + 8
	var offset uint32
	b.ReportAllocs()
	for b.Loop() {
		binary.LittleEndian.PutUint32(response.Payload[offsetAt:], offset)
		offset += 48
		h.o.Frame(start, &request, han.Unharmed)
		h.o.Frame(start, &response, han.Unharmed)
	}
}

// TestHowFarATransferIs: what the device has, whichever way it reads.
func TestHowFarATransferIs(t *testing.T) {
	tests := []struct {
		name    string
		offsets []uint32
		want    uint32
	}{
		{"front to back", []uint32{0, 48}, 96},
		{"back to front", []uint32{480, 432}, 96},
		{"a block lost", []uint32{0, 48, 48}, 96},
		{"begun anew", []uint32{0, 48, 96, 0}, 48},
		{"begun anew at once", []uint32{0, 0}, 48},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			h.report(start, gsme)
			for _, offset := range tt.offsets {
				h.serve(start.Add(time.Second), gsme, offset, 48)
			}
			v := h.timeline(gsme, start.Add(time.Minute))
			if got, known := v.Offset(); got != tt.want || !known {
				t.Errorf("%d bytes (%v), want %d", got, known, tt.want)
			}
		})
	}
}

// TestWindowsOfAMeterThatDoesNotReport are told apart by when it comes back.
func TestWindowsOfAMeterThatDoesNotReport(t *testing.T) {
	h := newHome(t)
	h.report(start, gsme)
	for i := range uint32(4) {
		at := start.Add(time.Duration(i) * 30 * time.Minute)
		h.serve(at.Add(time.Second), gsme, 48*i, 48)
		h.wait(at.Add(2*time.Second), gsme, 1799)
	}
	if v := h.timeline(gsme, start.Add(2*time.Hour)); len(v.Windows) != 4 {
		t.Errorf("%d windows, want 4", len(v.Windows))
	}
}

// Whoever follows gets each frame that is kept once, in order, and what became of it.
func TestFollowingTheTraffic(t *testing.T) {
	h := newHome(t)
	const kept = 2000
	for _, tt := range []struct {
		after, send, first, last uint64
	}{
		{0, 0, 1, 0},
		{0, 3, 1, 3},
		{2, 0, 3, 3},
		{3, 0, 4, 3},
		{3, kept, 4, kept + 3},
		{0, 7, 11, kept + 10},
		{1<<64 - 1, 0, 1, 0},
	} {
		for range tt.send {
			h.o.Frame(start, &han.Frame{Src: h.self, Dst: gsme, Payload: []byte{1}}, han.Fate{Copies: 2})
		}
		next := tt.first
		h.o.Follow(tt.after, func(f *observe.Frame) {
			if f.ID != next || f.Copies != 2 || len(f.Payload) != 1 {
				t.Fatalf("after %d: frame %d, %+v; want frame %d", tt.after, f.ID, f.Fate, next)
			}
			next++
		})
		if next != tt.last+1 {
			t.Errorf("after %d: it ended before %d, want %d", tt.after, next, tt.last+1)
		}
	}
}
