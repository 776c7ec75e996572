package served

import (
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/home/live"
)

// Counters returns the originator counters of a hub that does not run, see [live.Counters].
func Counters(dir string, key *atrest.Key) ([]api.Counter, error) {
	kept, err := live.Counters(dir, key)
	all := make([]api.Counter, len(kept))
	for i, c := range kept {
		all[i] = api.CounterOf(c)
	}
	return all, err
}
