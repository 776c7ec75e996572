package observe

import (
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

// device is what is known of one device of the device log.
type device struct {
	eui    han.EUI64
	sleeps bool
	period time.Duration // of a sleeping device's heartbeat

	heard    bool // since the observer began
	heardAt  time.Time
	awake    bool
	windowAt time.Time // when the window in hand opened, zero before the first
	waits    bool      // it was told to wait in it, before the hub restarted
	radioOn  time.Duration
	lastCost time.Duration // of the frame heard last
	// interrupted tells that the device, or its session, started anew since the last block.
	interrupted bool

	// plain is what a heartbeat without a download cost last, in nanocoulombs, by the
	// meter's own account.
	plain int64
	// consumption is what the meter told last that it spent; nil if it never did.
	consumption *metering.Consumption
	consumedAt  time.Time
	toldAt      uint64 // the count of heartbeats then

	current *timeline // of the transfer in hand, nil without
	rode    bool      // its changes are in the commit of the mirror in hand
	history history
	counts  DeviceCounters
}

func newDevice(d store.Device, now time.Time) *device {
	period := time.Duration(d.Period) * time.Microsecond
	if period == 0 {
		period = gasproxy.DefaultPeriod
	}
	return &device{
		eui: d.EUI64, sleeps: d.Kind == store.KindGSME, period: period, history: history{since: now},
	}
}

// learn takes the heartbeat period from a meter that configures its mirror.
func (d *device) learn(cluster uint16, h zcl.Header, payload []byte) {
	if !d.sleeps || cluster != metering.ClusterID || !h.ClusterSpecific || !h.ToClient || h.Command != metering.CommandConfigureMirror {
		return
	}
	if r, err := metering.ParseConfigureMirror(payload); err == nil && r.ReportingInterval > 0 {
		d.period = r.Interval()
	}
}

// opens reports whether a complete report at the instant opens a window. It does
// not if it only repeats the one that did, and not of a device that always listens. After a
// restart a device that had been told to wait repeats nothing: it woke anew.
func (d *device) opens(at time.Time) bool {
	return d.sleeps && (d.windowAt.IsZero() || d.waits || at.Sub(d.windowAt) >= d.period/2)
}

// mirrorUpdated takes a complete report: a heartbeat.
func (o *Observer) mirrorUpdated(eui han.EUI64, at time.Time) {
	d, ok := o.devices[eui]
	if !ok {
		return
	}
	if d.opens(at) {
		d.windowAt, d.radioOn, d.waits = at, d.lastCost, false
		d.counts.Heartbeats++
	}
	if m, ok := o.store.Mirror(eui); ok {
		d.history.add(kept(readingOf(m)))
	}
	if d.rode { // and was committed
		d.current.kept()
		d.rode = false
	}
	o.changes.Mirrors.add(eui)
}

// drowsy is how long a sleeping device counts as awake after its last frame, if it
// does not say itself that it sleeps.
const drowsy = 30 * time.Second

// Device is how a device was seen last.
type Device struct {
	Sleeps   bool
	Awake    bool
	HeardAt  time.Time // zero if nothing was heard since the observer began
	WindowAt time.Time // when its last window opened, zero if none did
	Period   time.Duration
	// PlainHeartbeat is what a heartbeat without a download cost last, in
	// nanocoulombs; 0 if the meter told of none.
	PlainHeartbeat int64
	Counters       DeviceCounters
}

// NextHeartbeat returns when a sleeping device is expected to wake, if that is known.
func (d *Device) NextHeartbeat() (time.Time, bool) {
	if !d.Sleeps || d.WindowAt.IsZero() {
		return time.Time{}, false
	}
	return d.WindowAt.Add(d.Period), true
}

// SilentSince returns when a device was heard last, or its last window opened.
func (d *Device) SilentSince() time.Time {
	if d.WindowAt.After(d.HeardAt) {
		return d.WindowAt
	}
	return d.HeardAt
}

// grace is how long after its time a heartbeat is not yet missing.
const grace = time.Minute

// Overdue reports whether the heartbeat of a sleeping device did not come.
func (d *Device) Overdue(now time.Time) bool {
	next, known := d.NextHeartbeat()
	return known && !d.Awake && now.After(next.Add(grace))
}

// Device returns how a device was seen last.
func (o *Observer) Device(eui han.EUI64, now time.Time) (Device, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, ok := o.devices[eui]
	if !ok {
		return Device{}, false
	}
	return d.view(now), true
}

func (d *device) view(now time.Time) Device {
	v := Device{
		Sleeps: d.sleeps, Awake: d.awake && now.Sub(d.heardAt) < drowsy,
		WindowAt: d.windowAt, Period: d.period, PlainHeartbeat: d.plain, Counters: d.counts,
	}
	if d.heard {
		v.HeardAt = d.heardAt.Truncate(time.Microsecond) // as the store keeps it
	}
	return v
}

// session takes that a device has a DTLS session, or not any more. With a new one
// it, or its hub, started anew.
func (o *Observer) session(eui han.EUI64, established bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, ok := o.devices[eui]
	if !ok {
		return
	}
	d.interrupted = d.interrupted || established
	if t := d.current; t != nil && t.blocks && !established {
		o.windowEnded(t)
	}
	o.changes.Devices.add(eui)
	o.rouse()
}

// Touch has a device told anew, after something changed that no record tells.
func (o *Observer) Touch(eui han.EUI64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes.Devices.add(eui)
	o.rouse()
}
