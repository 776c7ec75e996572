package demo

import (
	"path/filepath"
	"testing"

	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/served"
)

// TestAMeterThatTheHubHasHeardIsNotMadeAgain: with the whole folder of the meters gone
// there is no mark beside their flash, but the hub remembers.
func TestAMeterThatTheHubHasHeardIsNotMadeAgain(t *testing.T) {
	dir := t.TempDir()
	records := store.NewMemory()
	h := &Home{opt: Options{Dir: dir}, hub: &served.Hub{Hub: &live.Hub{Store: records}}}
	m := &meter{kind: store.KindGSME, eui: 0x00DB1234567890A1}
	d := store.Device{EUI64: m.eui, Kind: store.KindGSME}
	for heard, lost := range map[int64]bool{0: false, 1: true} {
		d.LastHeard = heard
		if err := records.Commit(store.Put(d)); err != nil {
			t.Fatal(err)
		}
		if err := h.lostMeter(filepath.Join(dir, "meters"), m); (err != nil) != lost {
			t.Errorf("heard at %d: %v", heard, err)
		}
	}
}
