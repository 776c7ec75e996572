package observe

import (
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/store"
)

// unkept is what of a timeline the store does not have yet.
type unkept struct {
	changed bool     // something is not written
	blocks  bool     // among it blocks
	ended   bool     // its window or its transfer has ended
	from    uint32   // windows from this number on may differ from what is written
	stale   []uint32 // windows that are written and not listed any more
}

// windowEnded has a timeline written by the next Keep.
func (o *Observer) windowEnded(t *timeline) {
	t.ended, t.changed = true, true
	o.rouseKeeper()
}

// transferEnded takes that a device has its image, or will not have it.
func (o *Observer) transferEnded(eui han.EUI64, whole bool) {
	d, ok := o.devices[eui]
	if !ok || d.current == nil {
		return
	}
	if t := d.current; whole && t.restored && len(t.windows) > 0 {
		t.missUpTo(t.size)
	}
	o.windowEnded(d.current)
}

func (o *Observer) rouseKeeper() {
	select {
	case o.ended <- struct{}{}:
	default:
	}
}

// Ended returns a channel that yields when there is something to keep. Windows that
// end in silence are not told by it: call Keep now and then too.
func (o *Observer) Ended() <-chan struct{} { return o.ended }

// Keep writes to the store, in one commit, the windows that ended since the last call
// and in which blocks were served, and what ends and removals of transfers change. With
// all it writes what goes on too, before the hub stops. After an error all of it
// is written by the next call. Windows in which nothing was served ride along with the
// next heartbeat; see Along. There is one caller.
func (o *Observer) Keep(now time.Time, all bool) error {
	o.mu.Lock()
	var written []*timeline
	changes := o.gone
	for _, t := range o.timelines {
		d, ok := o.devices[t.key.device]
		if ok && t.changed && (all || t.ended || t.blocks && !t.isOpen(d, now)) {
			changes = t.appendChanges(changes)
			written = append(written, t)
		}
	}
	gone := len(o.gone)
	was := make([]unkept, len(written))
	for i, t := range written {
		was[i] = t.unkept
		t.kept()
	}
	o.keeping = len(changes) > 0
	o.mu.Unlock()
	if len(changes) == 0 {
		return nil
	}
	err := o.store.Commit(changes...)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keeping = false
	if err == nil {
		o.gone = append([]store.Change(nil), o.gone[gone:]...)
		return nil
	}
	for i, t := range written {
		t.restore(was[i])
	}
	return err
}

// restore takes back that something was kept.
func (u *unkept) restore(was unkept) {
	u.changed, u.blocks, u.ended = true, u.blocks || was.blocks, u.ended || was.ended
	u.from, u.stale = was.from, append(was.stale, u.stale...)
}

// kept takes that the store has all of a timeline. The last window may go on.
func (t *timeline) kept() {
	t.unkept = unkept{}
	if n := len(t.windows); n > 0 {
		t.from = t.windows[n-1].Number
	}
}

// appendChanges appends what brings the store up to date with a timeline.
func (t *timeline) appendChanges(changes []store.Change) []store.Change {
	changes = append(changes, store.Put(store.Timeline{
		Device: t.key.device, FileHash: t.key.image,
		Since: t.since.UnixMicro(), Complete: t.complete, StartedAt: microseconds(t.started), TouchedAt: t.touched.UnixMicro(),
		BlockSize: t.block, Served: spansOf(t.served), Missed: spansOf(t.missed),
		EarlierWindows: t.earlier.Windows, EarlierBlocks: t.earlier.Blocks, EarlierRepeats: t.earlier.Repeats,
		EarlierWaits: t.earlier.Waits, EarlierBytes: t.earlier.Bytes, EarlierRadioOn: int64(t.earlier.RadioOn), EarlierCharge: t.earlier.Charge,
		SpentBefore: t.before,
	}))
	for _, n := range t.stale {
		changes = append(changes, t.deletion(n))
	}
	for i := range t.windows {
		if w := &t.windows[i]; w.Number >= t.from {
			changes = append(changes, store.Put(t.record(w)))
		}
	}
	return changes
}

func (t *timeline) deletion(window uint32) store.Change {
	return store.Delete(store.Window{Device: t.key.device, FileHash: t.key.image, Number: window})
}

// record returns a window as the store has it.
func (t *timeline) record(w *Window) store.Window {
	return store.Window{
		Device: t.key.device, FileHash: t.key.image, Number: w.Number,
		OpenedAt: w.OpenedAt.UnixMicro(), EndedAt: w.EndedAt.UnixMicro(),
		Blocks: w.Blocks, Repeats: w.Repeats, Waits: w.Waits, Bytes: w.Bytes, Runs: spansOf(w.Runs), Repeated: w.Repeated,
		Resumed: w.Resumed, ResumedAt: w.ResumedAt, Wait: w.Wait.Microseconds(), RadioOn: int64(w.RadioOn), Interrupted: w.Interrupted,
		Told: w.Told, Charge: w.Charge, Spent: w.Spent,
	}
}

// drop forgets a timeline, in the store too.
func (o *Observer) drop(t *timeline) {
	delete(o.timelines, t.key)
	o.gone = append(o.gone, store.Delete(store.Timeline{Device: t.key.device, FileHash: t.key.image}))
	for _, n := range t.stale {
		o.gone = append(o.gone, t.deletion(n))
	}
	for i := range t.windows {
		o.gone = append(o.gone, t.deletion(t.windows[i].Number))
	}
}

// Along returns what is committed along with a mirror that a heartbeat updates: the
// reading in it, in place of the oldest, and the windows of the device's transfer that
// no commit of their own was worth. It is for [store.Store.Accompany].
func (o *Observer) Along(m store.Mirror) []store.Change {
	o.mu.Lock()
	defer o.mu.Unlock()
	d, ok := o.devices[m.Device]
	if !ok {
		return nil
	}
	var changes []store.Change
	if oldest, full := d.history.oldest(); full {
		changes = append(changes, store.Delete(store.Reading{Device: m.Device, At: oldest.At.UnixMicro()}))
	}
	changes = append(changes, store.PutOwn(readingOf(m)))
	// A commit of Keep that is on its way would overtake, or undo, what is written here.
	d.rode = d.current != nil && d.current.changed && !o.keeping && len(o.gone) == 0
	if d.rode {
		changes = d.current.appendChanges(changes)
	}
	return changes
}

func spansOf(rs []ota.Run) []store.Span {
	out := make([]store.Span, len(rs))
	for i, r := range rs {
		out[i] = store.Span{From: r.From, To: r.To}
	}
	return out
}

// microseconds returns an instant as the store has it, 0 for none.
func microseconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
