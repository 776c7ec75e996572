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
	Runs     []Run     // what was served in it
	Repeated []uint32  // offsets served again, the first maxRepeated
	// ResumedAt is where the device went on after it, its session or the hub
	// started anew; only with Resumed.
	Resumed   bool
	ResumedAt uint32
	Wait      time.Duration // the delay told last with WAIT_FOR_DATA, 0 for none
	RadioOn   time.Duration // of a sleeping device, by the radio model
}

// Sum adds up windows.
type Sum struct{ Windows, Blocks, Repeats, Waits, Bytes uint32 }

// Timeline is the staged transfer of one image to one device.
type Timeline struct {
	Since    time.Time // when the observer began to watch it
	Complete bool      // since its beginning
	Windows  []Window
	Served   []Run // all that was served
	Earlier  Sum   // windows that are not listed any more
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
	served   runs
	earlier  Sum
	block    uint32
	touched  time.Time
}

// begin starts watching a transfer and makes it the one in hand of its device.
func (o *Observer) begin(u store.Update, now time.Time) *timeline {
	im, _ := o.store.ImageByFileHash(u.FileHash)
	t := &timeline{
		key: transfer{u.Device, u.FileHash}, id: im.ID(), size: im.Size, since: now, complete: true, touched: now,
	}
	if _, again := o.timelines[t.key]; !again && len(o.timelines) >= maxTimelines {
		o.dropOldest()
	}
	o.timelines[t.key] = t
	if d, ok := o.devices[u.Device]; ok {
		d.current = t
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
	delete(o.timelines, oldest.key)
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
	default:
		return
	}
}

func (o *Observer) countBlock(d *device, t *timeline, now time.Time, offset, size uint32) {
	first := t.started.IsZero()
	w := t.window(d, now)
	if first {
		t.started = now
	}
	if offset > 0 && (first || d.interrupted) {
		w.Resumed, w.ResumedAt = true, offset
	}
	d.interrupted = false
	t.block = max(t.block, size)
	added := t.served.add(offset, offset+size, maxServed)
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
	(*runs)(&w.Runs).add(offset, offset+size, maxRuns)
}

// longPause is how long a device that always listens may ask for nothing before its
// transfer counts as taken up again.
const longPause = 5 * time.Minute

// window returns the window in hand, a new one if there is none yet.
func (t *timeline) window(d *device, now time.Time) *Window {
	t.touched = now
	if t.inWindow(d, now) {
		w := &t.windows[len(t.windows)-1]
		w.EndedAt = now
		return w
	}
	opened := d.windowAt
	if opened.IsZero() || opened.Before(t.since) {
		opened = now // the transfer, or watching it, began in the middle of a window
	}
	number := t.earlier.Windows + uint32(len(t.windows)) + 1
	if len(t.windows) == maxWindows {
		t.earlier.addWindow(&t.windows[0])
		t.windows = slices.Delete(t.windows, 0, 1)
	}
	t.windows = append(t.windows, Window{Number: number, OpenedAt: opened, EndedAt: now})
	d.counts.Windows++
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
}

// accountRadio keeps the device's radio-on time in its window.
func (t *timeline) accountRadio(d *device) {
	if t.inWindow(d, d.heardAt) {
		t.windows[len(t.windows)-1].RadioOn = d.radioOn
	}
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
		Since: t.since, Complete: t.complete, Served: slices.Clone(t.served), Earlier: t.earlier, BlockSize: t.block,
	}
	skip := 0
	for skip < len(t.windows) && t.windows[skip].Number < from {
		skip++
	}
	v.Windows = slices.Clone(t.windows[skip:])
	for i := range v.Windows {
		v.Windows[i].Runs = slices.Clone(v.Windows[i].Runs)
		v.Windows[i].Repeated = slices.Clone(v.Windows[i].Repeated)
	}
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

// Offset returns how far a transfer is: behind the furthest byte served. It is
// not known before the first block that the observer saw.
func (t *Timeline) Offset() (uint32, bool) {
	if len(t.Served) == 0 {
		return 0, t.Complete
	}
	return t.Served[len(t.Served)-1].To, true
}
