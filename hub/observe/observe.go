// Package observe keeps what a person wants to see of a running hub: the staged
// transfer of each image, window by window, who is awake, the history of the
// mirrors, the traffic of the HAN, and counts of everything.
//
//	driver ── Record, Frame ──►  Observer ──►  snapshots   (REST interface, page, terminal)
//	                                      ├──►  Take        (what changed: server-sent events)
//	                                      └──►  Counters    (metrics)
//
// An [Observer] looks on; it steers nothing. It is fed by a driver with the
// hub's records and frames, and with the records of devices that run in the same
// process. All it knows of a transfer comes from the frames that the hub sent and
// took, so that it is the same for a simulated meter and for a real one.
//
// What it keeps is bounded: a device log of devices, [maxTimelines] transfers of
// [maxWindows] windows each, [trafficSize] frames and [historySize] readings per
// device. Transfers and readings outlive the hub: windows are written to the store when
// they end ([Observer.Keep]), readings along with the mirror ([Observer.Along]), and a
// new observer goes on where the one before it stopped. What was served in a window
// that had not ended is listed as not recorded. Frames and counts begin anew. A frame
// costs no allocation and is never written.
package observe

import (
	"sync"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// Observer watches one hub. Its methods may be called from any goroutine and do
// not block.
type Observer struct {
	self  han.EUI64
	radio phy.Params
	store *store.Store

	mu        sync.Mutex
	devices   map[han.EUI64]*device
	timelines map[transfer]*timeline
	traffic   traffic
	records   map[trace.Kind]uint64
	alerts    map[uint16]uint64 // by code
	alertSeen uint64            // sequence of the newest inbox entry that was counted
	changes   Changes
	gone      []store.Change // what the store has and shall not
	keeping   bool           // a commit of Keep is on its way

	wake  chan struct{}
	ended chan struct{}
}

// New returns an observer of a hub that starts at now with what the store holds, and
// with what an observer before it kept there.
func New(config hub.Config, records *store.Store, now time.Time) *Observer {
	o := &Observer{
		self: config.EUI64, radio: config.Battery.Radio, store: records,
		devices: map[han.EUI64]*device{}, timelines: map[transfer]*timeline{},
		traffic: newTraffic(), records: map[trace.Kind]uint64{}, alerts: map[uint16]uint64{},
		wake: make(chan struct{}, 1), ended: make(chan struct{}, 1),
	}
	for _, d := range records.Devices() {
		o.devices[d.EUI64] = newDevice(d, now)
		m, _ := records.Mirror(d.EUI64)
		o.devices[d.EUI64].recall(m)
	}
	o.restore(now)
	o.alertSeen = records.LastInbox()
	return o
}

// Watch returns what a driver tells the observer through.
func (o *Observer) Watch() han.Observer {
	return han.Observer{
		Record: o.Record, Frame: o.Frame, Session: o.session,
	}
}

// Record takes a record of the hub or of a device in this process.
func (o *Observer) Record(r *trace.Record) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records[r.Kind]++
	if han.EUI64(r.Node) == o.self {
		o.hubRecord(r)
	} else if d, ok := o.devices[han.EUI64(r.Node)]; ok {
		o.deviceRecord(d, r)
	}
	if worthTelling(r) {
		o.changes.addRecord(r)
	}
	o.rouse()
}

// worthTelling reports whether a record is passed on by itself. The others happen
// at each block or heartbeat and are told as changes of a resource.
func worthTelling(r *trace.Record) bool {
	switch r.Kind {
	case trace.BlockReceived, trace.MirrorUpdated, trace.MirrorRead, trace.HeartbeatStarted, trace.TimeSet, trace.WaitForData,
		trace.FrameLost, trace.FrameDuplicated, trace.FrameReordered, trace.FrameCorrupted, trace.FrameDelayed:
		return false
	case trace.HeartbeatEnded:
		return r.Count > 0
	default:
		return true
	}
}

// hubRecord takes what the hub says. A device is the record's peer.
func (o *Observer) hubRecord(r *trace.Record) {
	peer := han.EUI64(r.Peer)
	switch r.Kind {
	case trace.DeviceAdded:
		if entry, ok := o.store.Device(peer); ok {
			o.devices[peer] = newDevice(entry, r.At)
		}
	case trace.DeviceRemoved:
		o.forget(peer)
		return
	case trace.ImageCached, trace.ImageRemoved:
		o.changes.Images.add(r.Hash)
	case trace.DistributionStarted:
		if u, ok := o.store.Update(peer, r.Hash); ok {
			o.begin(u, r.At)
		}
	case trace.MirrorUpdated:
		o.mirrorUpdated(peer, r.At.Truncate(time.Microsecond))
	case trace.TransferDone, trace.TransferFailed, trace.DistributionCancelled:
		o.transferEnded(peer, r.Kind == trace.TransferDone)
	case trace.MessageQueued, trace.MessageDelivered, trace.MessageExpired:
		o.changes.Messages.add(peer)
	case trace.MessageReceived, trace.AlertRaised:
		o.countAlerts()
	default:
	}
	if _, ok := o.devices[peer]; ok {
		o.changes.Devices.add(peer)
	}
}

// deviceRecord takes what a device in this process says of itself.
func (o *Observer) deviceRecord(d *device, r *trace.Record) {
	switch r.Kind {
	case trace.HeartbeatStarted:
		d.awake = true
	case trace.HeartbeatEnded:
		d.awake = false
	case trace.Rebooted:
		d.interrupted = true
	case trace.PowerCut:
		d.interrupted, d.awake = true, false
	case trace.RequestRetried:
		d.counts.Retries++
	case trace.BlockReceived:
		return // the hub's frame said so already
	default:
	}
	o.changes.Devices.add(d.eui)
}

// Frame takes a frame that the hub sends or took, and what becomes of it.
func (o *Observer) Frame(now time.Time, f *han.Frame, fate han.Fate) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.traffic.add(now, f, fate)
	peer, up := f.Src, true
	if f.Src == o.self {
		peer, up = f.Dst, false
	}
	d, ok := o.devices[peer]
	if !ok {
		return
	}
	now = now.Truncate(time.Microsecond) // as the store keeps it
	if up {
		o.heard(d, now, f)
	} else {
		o.told(d, now, f)
	}
	o.changes.Devices.add(peer)
	o.rouse()
}

// heard takes a frame of a device.
func (o *Observer) heard(d *device, now time.Time, f *han.Frame) {
	d.heardAt, d.heard, d.counts.FramesUp = now, true, d.counts.FramesUp+1
	d.lastCost = o.radio.Send(len(f.Payload)).RadioOn()
	d.radioOn += d.lastCost
	d.awake = true
	if header, payload, err := zcl.ParseHeader(f.Payload); err == nil {
		d.learn(f.Cluster, header, payload)
		o.consumed(d, f.Cluster, header, payload)
	}
}

// told takes a frame to a device.
func (o *Observer) told(d *device, now time.Time, f *han.Frame) {
	d.counts.FramesDown++
	d.radioOn += o.radio.Fetch(len(f.Payload)).RadioOn()
	header, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		return
	}
	o.block(d, now, f.Cluster, header, payload)
	if t := d.current; t != nil && d.sleeps {
		t.accountRadio(d)
	}
}

// rouse tells whoever waits for changes.
func (o *Observer) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// forget drops what is kept of a device that left the device log.
func (o *Observer) forget(eui han.EUI64) {
	if d, ok := o.devices[eui]; ok {
		o.forgetReadings(eui, &d.history)
		delete(o.devices, eui)
	}
	for k, t := range o.timelines {
		if k.device == eui {
			o.drop(t)
		}
	}
	o.rouseKeeper()
	o.changes.remove(eui)
	o.rouse()
}

// countAlerts counts the entries that came into the supplier's inbox.
func (o *Observer) countAlerts() {
	for _, a := range o.store.Inbox(o.alertSeen, 100) {
		o.alertSeen = a.Sequence
		if a.Code != 0 {
			o.alerts[a.Code]++
		}
	}
}
