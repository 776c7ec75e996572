package headend_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
)

// TestWhatCountersSayIsWhatTheNextOrderHas, to whichever device it goes, and whatever the
// clock does.
func TestWhatCountersSayIsWhatTheNextOrderHas(t *testing.T) {
	const esme, ihd han.EUI64 = 0x00DB1234567890A0, 0x00DB1234567890A4
	l := newLine(t)
	l.must(l.store.Commit(store.Put(store.Device{EUI64: gsme, Kind: store.KindGSME}), store.Put(store.Device{EUI64: esme, Kind: store.KindESME}),
		store.Put(store.Device{EUI64: ihd, Kind: store.KindIHD})))
	want := func(last uint64, at int64, next uint64) {
		t.Helper()
		none := headend.Counter{Device: esme, Originator: supplier, Next: next}
		if diff := cmp.Diff([]headend.Counter{none, {gsme, supplier, last, at, next}}, l.headEnd.Counters(l.now)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	now := uint64(start.UnixMilli())
	want(0, 0, now)
	if got := l.activate(first.ImageHash, 0); got != now {
		t.Errorf("the order has %d, want %d", got, now)
	}
	want(now, start.UnixMicro(), now+1)
	l.now = start.Add(time.Hour)
	want(now, start.UnixMicro(), now+3_600_000)
	l.now = start.Add(-time.Hour)
	want(now, start.UnixMicro(), now+1)
	if got := l.activate(first.ImageHash, time.Hour); got != now+1 {
		t.Errorf("the order has %d, want %d", got, now+1)
	}
	want(now+1, l.now.UnixMicro(), now+2)
}
