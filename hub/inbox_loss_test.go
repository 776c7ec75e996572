package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/hub/store"
)

// TestTheSupplierIsToldWhatLeavesTheInbox: how many entries, whose and since when, in one
// entry that stays, whatever else has to go.
func TestTheSupplierIsToldWhatLeavesTheInbox(t *testing.T) {
	h := newHome(t)
	const kept = 10_000
	fill := []store.Change{store.Put(store.Sequence{Series: store.SeriesInbox, Next: kept + 1})}
	for _, e := range h.store.Inbox(0, kept) {
		fill = append(fill, store.Delete(e))
	}
	for n := range uint64(kept) {
		e := store.InboxEntry{Sequence: n + 1, Device: gsme, Bytes: []byte{byte(n), byte(n >> 8)}}
		if n%5 == 0 {
			e.Device = esme
		}
		fill = append(fill, store.Put(e))
	}
	h.must(h.store.Commit(fill...))
	tell := func() {
		h.t.Helper()
		h.must(h.store.Commit(h.hub.HeadEnd.Alerted(h.Now, gsme, 0x8183, "", nil)...))
	}
	notices := func() (found []store.InboxEntry) {
		for _, e := range h.store.Inbox(0, 2*kept) {
			if e.Lost != nil {
				found = append(found, e)
			}
		}
		return found
	}
	first := h.Now
	for n := range uint64(12) {
		tell()
		told := notices()
		if len(told) != 1 || len(told[0].Lost) != 1 || told[0].Lost[0] != (store.Loss{Device: gsme, Count: n + 1}) || told[0].Since != first.UnixMicro() {
			t.Fatalf("after %d: %+v", n+1, told)
		}
		// A new number for the first, and for the tenth: who reads on is told again.
		if want := map[bool]uint64{false: kept + 1, true: kept + 11}[n >= 9]; told[0].Sequence != want {
			t.Errorf("after %d it has the number %d, want %d", n+1, told[0].Sequence, want)
		}
		h.Now = h.Now.Add(1e9)
		if n == 5 {
			h.restart()
		}
	}
	want := fmt.Sprintf("entries left the inbox to make room since %s: 12 of %s", first.UTC().Format("2006-01-02T15:04:05Z07:00"), gsme)
	if told := notices()[0]; !strings.HasSuffix(told.Text, want) || told.Device != h.hub.EUI64() || told.At != h.Now.Add(-1e9).UnixMicro() {
		t.Errorf("told: %+v", told)
	}
	all := h.store.Inbox(0, 2*kept)
	if len(all) != kept+1 || slices.ContainsFunc(all, func(e store.InboxEntry) bool { return e.Sequence == 2 }) {
		t.Errorf("%d entries, and the loud device's first is there", len(all))
	}
}
