package observe

import (
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub/store"
)

// restore goes on with what an observer before this one kept in the store. Records
// that belong to nothing any more are dropped by the next Keep.
func (o *Observer) restore(now time.Time) {
	o.restoreReadings()
	o.restoreTimelines()
	for _, u := range o.store.Updates() {
		t, there := o.timelines[transfer{u.Device, u.FileHash}]
		d, known := o.devices[u.Device]
		switch {
		case u.State.Ended() || !known:
		case there:
			d.current, t.restored = t, true
			o.resumeWindow(d, t, u)
		default:
			o.begin(u, now).complete = u.State == store.UpdatePending
		}
	}
}

func (o *Observer) restoreReadings() {
	for _, r := range o.store.Readings() {
		d, ok := o.devices[r.Device]
		if !ok {
			o.gone = append(o.gone, store.Delete(r))
			continue
		}
		d.history.add(kept(r))
	}
	for eui, d := range o.devices {
		if m, ok := o.store.Mirror(eui); ok && d.sleeps {
			d.windowAt = instant(m.UpdatedAt)
		}
	}
}

func (o *Observer) restoreTimelines() {
	for _, k := range o.store.Timelines() {
		_, meant := o.store.Update(k.Device, k.FileHash)
		if _, ok := o.devices[k.Device]; !ok || !meant {
			o.gone = append(o.gone, store.Delete(k))
			continue
		}
		im, _ := o.store.ImageByFileHash(k.FileHash)
		t := &timeline{
			key: transfer{k.Device, k.FileHash}, id: im.ID(), size: im.Size,
			since: instant(k.Since), complete: k.Complete, started: instant(k.StartedAt), touched: instant(k.TouchedAt),
			block: k.BlockSize, served: runsOf(k.Served), missed: runsOf(k.Missed), before: k.SpentBefore,
			earlier: Sum{
				Windows: k.EarlierWindows, Blocks: k.EarlierBlocks, Repeats: k.EarlierRepeats, Waits: k.EarlierWaits, Bytes: k.EarlierBytes,
				RadioOn: time.Duration(k.EarlierRadioOn), Charge: k.EarlierCharge,
			},
		}
		t.last = noOffset
		t.has = slices.Clone(t.served)
		for _, r := range t.missed {
			t.has.Add(r.From, r.To, maxServed)
		}
		o.timelines[t.key] = t
	}
	for _, k := range o.store.Windows() {
		t, ok := o.timelines[transfer{k.Device, k.FileHash}]
		if !ok {
			o.gone = append(o.gone, store.Delete(k))
			continue
		}
		t.windows = append(t.windows, Window{
			Number: k.Number, OpenedAt: instant(k.OpenedAt), EndedAt: instant(k.EndedAt),
			Blocks: k.Blocks, Repeats: k.Repeats, Waits: k.Waits, Bytes: k.Bytes, Runs: runsOf(k.Runs), Repeated: k.Repeated,
			Resumed: k.Resumed, ResumedAt: k.ResumedAt, Wait: time.Duration(k.Wait) * time.Microsecond,
			RadioOn: time.Duration(k.RadioOn), Interrupted: k.Interrupted, Told: k.Told, Charge: k.Charge, Spent: k.Spent,
		})
		t.from = k.Number
	}
}

// resumeWindow goes on with the window in which the hub stopped. One of which nothing
// is written, because it had not ended, is listed as interrupted.
func (o *Observer) resumeWindow(d *device, t *timeline, u store.Update) {
	opened := d.windowAt
	if !d.sleeps {
		opened = instant(u.ChangedAt)
	}
	if opened.Before(t.since) {
		opened = t.since // it began in the middle of a window
	}
	var last *Window
	if n := len(t.windows); n > 0 {
		last = &t.windows[n-1]
	}
	switch {
	case last != nil && !d.sleeps:
		return // whether it had paused and gone on, the next request tells
	case last != nil && opened.Sub(last.OpenedAt) < d.period/2:
		d.windowAt, d.radioOn = last.OpenedAt, last.RadioOn // a repeated report moved the mirror's time
		d.waits = last.Wait > 0
		return
	case last != nil && last.Wait > 0 && last.EndedAt.Add(last.Wait).After(opened.Add(grace)):
		return // it was told to sleep through this one
	case u.State != store.UpdateDownloading, t.end() >= t.size:
		return
	}
	t.append(Window{Number: t.next(), OpenedAt: opened, EndedAt: opened, Interrupted: true})
	t.changed = true
}

// missUpTo takes from the first request after a restart that the device has all bytes
// before an offset. Those that no record tells of were served while the hub last ran.
func (t *timeline) missUpTo(offset uint32) {
	if end := t.end(); offset > end {
		t.missed.Add(end, offset, maxServed)
		t.has.Add(end, offset, maxServed)
		if n := len(t.windows); n > 0 {
			t.windows[n-1].Interrupted = true
		}
		t.changed = true
	}
}

// end returns what is behind the furthest byte that was served.
func (t *timeline) end() uint32 { return max(t.served.End(), t.missed.End()) }

func runsOf(spans []store.Span) []ota.Run {
	var out []ota.Run
	for _, s := range spans {
		out = append(out, ota.Run{From: s.From, To: s.To})
	}
	return out
}

// instant returns an instant of the store, zero for none.
func instant(microseconds int64) time.Time {
	if microseconds == 0 {
		return time.Time{}
	}
	return time.UnixMicro(microseconds).UTC()
}

// forgetReadings drops the readings of a device that left the device log.
func (o *Observer) forgetReadings(eui han.EUI64, h *history) {
	for i := range h.ring {
		o.gone = append(o.gone, store.Delete(store.Reading{Device: eui, At: h.ring[i].At.UnixMicro()}))
	}
}
