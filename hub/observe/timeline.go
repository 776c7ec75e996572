package observe

import (
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
)

// Bounds of what is kept of transfers.
const (
	maxTimelines = 64  // transfers
	maxWindows   = 512 // per transfer: more than ten days of heartbeats
	maxServed    = 256 // runs per transfer: one unless the device does not read front to back
	maxRuns      = 64  // per window
	maxRepeated  = 32  // offsets per window
)

// transfer names the distribution of one image to one device.
type transfer struct {
	device han.EUI64
	image  [32]byte
}

// Window is one heartbeat window of a transfer: from a complete report of the
// device to its next. A device that always listens has one window until its
// transfer pauses.
type Window struct {
	Number   uint32 // from 1
	OpenedAt time.Time
	EndedAt  time.Time // of the last frame of the transfer in it
	Blocks   uint32    // served for the first time
	Repeats  uint32    // served again
	Waits    uint32    // WAIT_FOR_DATA told
	Bytes    uint32    // served for the first time
	Runs     []ota.Run // what was served in it
	Repeated []uint32  // offsets served again, the first maxRepeated
	// ResumedAt is where the device went on after it, its session or the hub
	// started anew; only with Resumed.
	Resumed   bool
	ResumedAt uint32
	Wait      time.Duration // the delay told last with WAIT_FOR_DATA, 0 for none
	RadioOn   time.Duration // of a sleeping device, by the radio model until the device told it
	// Charge is what the window took, in nanocoulombs; only with Told, by the device's own
	// account.
	Told   bool
	Charge int64
	// Spent is what the device's cell had given by the end of the window, by number of the
	// cause in units of [metering.ChargeUnit]; nil without an account of the device.
	Spent []uint64
	// Causes is by how much Spent grew since the account before, that of an earlier window
	// or of a heartbeat before the transfer: what the window took, and what sleep and
	// windows without an account took before it. It is nil if either account is missing;
	// before the first window of a new meter nothing was spent.
	Causes []uint64
	// Interrupted tells that the hub stopped in it: not all that was served in it is
	// recorded.
	Interrupted bool
}

// Sum adds up windows.
type Sum struct {
	Windows, Blocks, Repeats, Waits, Bytes uint32
	RadioOn                                time.Duration
	Charge                                 int64 // of those that were told of
}

// Timeline is the staged transfer of one image to one device.
type Timeline struct {
	Since    time.Time // when it began to be watched
	Complete bool      // watched since its beginning, and nothing served is missing
	Windows  []Window
	Served   []ota.Run // all that was served and recorded
	Missed   []ota.Run // served, as the device's next request told, but not recorded
	Has      uint32    // bytes that the device has, by what was served
	Earlier  Sum       // windows that are not listed any more
	// Open tells that the last window goes on.
	Open      bool
	BlockSize uint32 // of the block served last, or the largest so far
	// Waiting tells that a sleeping device was told to wait in its last window, Idle
	// that it asked for nothing in it.
	Waiting, Idle bool
}

// timeline is a Timeline that grows.
type timeline struct {
	key      transfer
	id       ota.ImageID
	size     uint32
	since    time.Time
	complete bool
	started  time.Time // of the first block seen
	windows  []Window
	served   ota.Runs
	missed   ota.Runs
	has      ota.Runs // that the device has: where it goes back to, it has not what comes behind
	last     uint32   // offset of the block served last, or noOffset
	behind   uint32   // what is behind that block
	earlier  Sum
	block    uint32
	before   []uint64 // Window.Spent of what was before the first window listed
	touched  time.Time
	restored bool // from the store, and no block was served since
	unkept
}

// noOffset is behind all offsets of images.
const noOffset = 1<<32 - 1

// begin starts watching a transfer and makes it the one in hand of its device.
func (o *Observer) begin(u store.Update, now time.Time) *timeline {
	im, _ := o.store.ImageByFileHash(u.FileHash)
	now = now.Truncate(time.Microsecond)
	t := &timeline{
		key: transfer{u.Device, u.FileHash}, id: im.ID(), size: im.Size, since: now, complete: true, touched: now, last: noOffset,
	}
	if old, again := o.timelines[t.key]; again {
		o.drop(old)
	} else if len(o.timelines) >= maxTimelines {
		o.dropOldest()
	}
	o.timelines[t.key] = t
	o.windowEnded(t)
	if d, ok := o.devices[u.Device]; ok {
		d.current, t.before = t, spentOf(d.consumption)
	}
	return t
}

// dropOldest makes room: the transfer in which nothing happened for longest goes.
func (o *Observer) dropOldest() {
	var oldest *timeline
	for _, t := range o.timelines {
		if oldest == nil || t.touched.Before(oldest.touched) {
			oldest = t
		}
	}
	o.drop(oldest)
	if d, ok := o.devices[oldest.key.device]; ok && d.current == oldest {
		d.current = nil
	}
}

// block takes a frame to a device if it is an Image Block Response.
func (o *Observer) block(d *device, now time.Time, cluster uint16, h zcl.Header, payload []byte) {
	t := d.current
	if t == nil || cluster != ota.ClusterID || !h.ClusterSpecific || h.Command != ota.CommandImageBlockResponse {
		return
	}
	r, err := ota.ParseImageBlockResponse(payload)
	if err != nil {
		return
	}
	switch {
	case r.Status == zcl.StatusSuccess && r.Image == t.id:
		o.countBlock(d, t, now, r.Offset, uint32(len(r.Data)))
	case r.Status == zcl.StatusWaitForData:
		w := t.window(d, now)
		w.Waits++
		w.Wait = time.Duration(int64(r.RequestTime)-int64(r.CurrentTime)) * time.Second
		d.counts.Waits++
		d.awake = !d.sleeps
		if t.blocks && w.Wait >= drowsy {
			o.windowEnded(t)
		}
	default:
		return
	}
}

func (o *Observer) countBlock(d *device, t *timeline, now time.Time, offset, size uint32) {
	first := t.started.IsZero()
	if t.restored {
		t.missUpTo(offset)
	}
	if d.sleeps && !d.windowAt.IsZero() && now.Sub(d.windowAt) >= d.period-time.Second {
		d.windowAt, d.radioOn = now, d.lastCost // it came back when it was told to, without a report
	}
	w := t.window(d, now)
	if first {
		t.started = now
		if !t.complete { // what came before was served before this began to watch
			t.has.Add(0, offset, maxServed)
		}
	}
	if offset > 0 && (first || d.interrupted || t.restored) {
		w.Resumed, w.ResumedAt = true, offset
	}
	d.interrupted, t.restored, t.blocks = false, false, true
	t.block = max(t.block, size)
	if offset != t.last {
		if offset > t.behind && t.served.Behind(t.behind) >= offset-t.behind {
			t.has.Add(t.behind, offset, maxServed) // it leaves out what it has
		}
		t.has.Cut(offset)
	}
	t.has.Add(offset, offset+size, maxServed)
	t.last, t.behind = offset, offset+size
	added := t.served.Add(offset, offset+size, maxServed)
	if added == 0 {
		w.Repeats++
		d.counts.Repeats++
		if len(w.Repeated) < maxRepeated {
			w.Repeated = append(w.Repeated, offset)
		}
		return
	}
	w.Blocks++
	w.Bytes += added
	d.counts.Blocks++
	d.counts.Bytes += uint64(added)
	(*ota.Runs)(&w.Runs).Add(offset, offset+size, maxRuns)
}

// longPause is how long a device that always listens may ask for nothing before its
// transfer counts as taken up again.
const longPause = 5 * time.Minute

// window returns the window in hand, a new one if there is none yet.
func (t *timeline) window(d *device, now time.Time) *Window {
	t.touched, t.changed = now, true
	if t.inWindow(d, now) {
		w := &t.windows[len(t.windows)-1]
		w.EndedAt = now
		return w
	}
	opened := d.windowAt
	if opened.IsZero() || opened.Before(t.since) {
		opened = now // the transfer, or watching it, began in the middle of a window
	}
	d.counts.Windows++
	return t.append(Window{Number: t.next(), OpenedAt: opened, EndedAt: now})
}

// next returns the number of the next window.
func (t *timeline) next() uint32 { return t.earlier.Windows + uint32(len(t.windows)) + 1 }

// append lists one more window, in place of the oldest if there are too many.
func (t *timeline) append(w Window) *Window {
	if len(t.windows) == maxWindows {
		t.earlier.addWindow(&t.windows[0])
		t.before = t.spentBefore(1)
		t.stale = append(t.stale, t.windows[0].Number)
		t.windows = slices.Delete(t.windows, 0, 1)
	}
	t.windows = append(t.windows, w)
	return &t.windows[len(t.windows)-1]
}

// inWindow reports whether what happens now belongs to the last window.
func (t *timeline) inWindow(d *device, now time.Time) bool {
	if len(t.windows) == 0 {
		return false
	}
	last := &t.windows[len(t.windows)-1]
	if !d.sleeps {
		return now.Sub(last.EndedAt) < longPause
	}
	return !last.OpenedAt.Before(d.windowAt)
}

func (s *Sum) addWindow(w *Window) {
	s.Windows++
	s.Blocks += w.Blocks
	s.Repeats += w.Repeats
	s.Waits += w.Waits
	s.Bytes += w.Bytes
	s.RadioOn += w.RadioOn
	s.Charge += w.Charge
}

// Sum adds up all windows of a transfer.
func (t *Timeline) Sum() Sum {
	sum := t.Earlier
	for i := range t.Windows {
		sum.addWindow(&t.Windows[i])
	}
	return sum
}

// accountRadio keeps the device's radio-on time in its window.
func (t *timeline) accountRadio(d *device) {
	if !t.inWindow(d, d.heardAt) || t.windows[len(t.windows)-1].Told {
		return
	}
	w := &t.windows[len(t.windows)-1]
	w.RadioOn = d.radioOn
	t.changed = true
	t.blocks = t.blocks || w.Blocks > 0 // the window is worth writing again
}

// Timeline returns the staged transfer of an image to a device, if it was watched.
func (o *Observer) Timeline(eui han.EUI64, image [32]byte, now time.Time) (Timeline, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.timelines[transfer{eui, image}]
	if !ok {
		return Timeline{}, false
	}
	v := t.view(0)
	if d, ok := o.devices[eui]; ok {
		v.Open = t.isOpen(d, now)
		in := t.inWindow(d, d.heardAt)
		v.Waiting = in && t.windows[len(t.windows)-1].Wait > 0
		v.Idle = d.sleeps && !in && d.windowAt.After(t.since)
	}
	return v, true
}

// view returns a copy, with the windows from a number on.
func (t *timeline) view(from uint32) Timeline {
	v := Timeline{
		Since: t.since, Complete: t.complete && len(t.missed) == 0, Served: slices.Clone(t.served), Missed: slices.Clone(t.missed), Has: t.has.Sum(),
		Earlier: t.earlier, BlockSize: t.block,
	}
	skip := 0
	for skip < len(t.windows) && t.windows[skip].Number < from {
		skip++
	}
	v.Windows = slices.Clone(t.windows[skip:])
	for i := range v.Windows {
		v.Windows[i].Runs = slices.Clone(v.Windows[i].Runs)
		v.Windows[i].Repeated = slices.Clone(v.Windows[i].Repeated)
		v.Windows[i].Spent = slices.Clone(v.Windows[i].Spent)
	}
	t.addCauses(v.Windows)
	return v
}

// isOpen reports whether the last window goes on.
func (t *timeline) isOpen(d *device, now time.Time) bool {
	return d.current == t && d.view(now).Awake && t.inWindow(d, now)
}

// Windows returns the windows of a transfer from a number on, and whether the last
// of them goes on.
func (o *Observer) Windows(eui han.EUI64, image [32]byte, from uint32, now time.Time) (windows []Window, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.timelines[transfer{eui, image}]
	if !ok {
		return nil, false
	}
	d, known := o.devices[eui]
	return t.view(from).Windows, known && t.isOpen(d, now)
}

// Offset returns how far a transfer is: how many bytes the device has by what was served,
// whichever way it reads. It is not known before the first block of a transfer that was not watched from its beginning
// without a break.
func (t *Timeline) Offset() (uint32, bool) {
	if t.Has == 0 {
		interrupted := slices.ContainsFunc(t.Windows, func(w Window) bool { return w.Interrupted })
		return 0, t.Complete && !interrupted
	}
	return t.Has, true
}
