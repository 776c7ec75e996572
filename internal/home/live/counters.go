package live

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/home"
)

// Counters returns the originator counters of the supplier of a hub that does not run, as the
// records in its folder have them and when its clock stands. Nothing is written.
func Counters(dir string, key *atrest.Key) ([]headend.Counter, error) {
	records, err := store.Read(filepath.Join(dir, recordsFile), key)
	if errors.Is(err, store.ErrInUse) {
		return nil, fmt.Errorf("%w; if that is a hub, name its address with --api", err)
	}
	if err != nil {
		return nil, err
	}
	return headend.CountersIn(records, supplierIn(records), home.Broker, standsAt(records)), nil
}

// supplierIn returns the supplier of a hub: of several, the one whose orders are counted
// furthest.
func supplierIn(records *store.Store) han.EUI64 {
	last := store.OriginatorCounter{Originator: hub.DefaultConfig().Supplier}
	for _, o := range records.Originators() {
		if o.Counter > last.Counter && o.Originator != home.Broker {
			last = o
		}
	}
	return last.Originator
}

// standsAt returns where the emulated clock of a hub stands that does not run.
func standsAt(records *store.Store) time.Time {
	stored, _ := records.ClockAnchor()
	at := time.Unix(0, stored.Emulated).UTC()
	if last := records.LatestInstant(); last.After(at) {
		return last
	}
	return at
}
