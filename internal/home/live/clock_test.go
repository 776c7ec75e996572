package live

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/flagvalue"
)

// TestARestoredHubCountsOnFromTheWallClock: records that are put back from a copy have
// forgotten the latest orders, and the emulated clock goes on where it stood, yet no order has
// a counter again, at whatever speed the home ran since; also if the copy has no order.
func TestARestoredHubCountsOnFromTheWallClock(t *testing.T) {
	config := hub.DefaultConfig()
	if highestSpeed != flagvalue.MaxSpeed {
		t.Errorf("a clock runs %d times as fast at most, want as --speed", highestSpeed)
	}
	o := HubOptions{Config: config, Speed: flagvalue.MaxSpeed}
	next := func(s *store.Store, emulated time.Time) uint64 {
		return headend.CountersIn(s, config.Supplier, 0, emulated)[0].Next
	}
	hour := time.Now().Add(-time.Hour)
	begun := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	copied := func() *store.Store {
		s, err := store.Open(filepath.Join(t.TempDir(), recordsFile), nil)
		demand(t, err)
		t.Cleanup(func() { demand(t, s.Close()) })
		demand(t, s.Commit(store.Put(store.Device{EUI64: 1, Kind: store.KindGSME}),
			store.Put(store.ClockAnchor{Wall: hour.UnixNano(), Emulated: begun.UnixNano(), Speed: 1000})))
		return s
	}

	s := copied()
	lost := uint64(begun.Add(time.Hour * flagvalue.MaxSpeed).UnixMilli()) // of the latest order that is forgotten
	a, err := resumeClock(s, o)
	demand(t, err)
	if !a.Emulated.Equal(begun) {
		t.Errorf("the clock goes on at %v, want %v", a.Emulated, begun)
	}
	if got := next(s, a.Emulated); got <= lost {
		t.Errorf("the next order has counter %d, as one that is forgotten had: want more than %d", got, lost)
	}
	before := next(s, a.Emulated)
	if _, err := resumeClock(s, o); err != nil || next(s, a.Emulated) < before {
		t.Errorf("started again at once it counts from %d, before from %d; %v", next(s, a.Emulated), before, err)
	}
}
