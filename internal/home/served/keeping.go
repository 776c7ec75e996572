package served

import (
	"log/slog"
	"sync"
	"time"

	"github.com/commshub/commshub/internal/home/live"
)

// keeping is whether the hub's records can be written.
type keeping struct {
	mu    sync.Mutex
	err   error // of the last commit
	told  live.Repeats
	stuck bool // it was told that they cannot, and not yet that they can again
}

// watch returns what the store calls around each commit: next, and what keeps how it
// ended and says when that changes. On a disk that is nearly full small commits succeed
// and large ones fail, in turn: that is said once, not with each.
func (k *keeping) watch(next func() func(error), log *slog.Logger) func() func(error) {
	return func() func(error) {
		done := next()
		return func(err error) {
			done(err)
			k.mu.Lock()
			defer k.mu.Unlock()
			k.err = err
			switch {
			case log == nil:
			case err != nil && !k.told.Told([2]uint64{}, err.Error(), time.Now()):
				k.stuck = true
				log.Warn("records cannot be written: nothing goes on that has to be remembered", "reason", err)
			case err == nil && k.stuck:
				k.stuck = false
				log.Warn("records are written again")
			}
		}
	}
}

// failing returns why records cannot be written at present; nil if they can.
func (k *keeping) failing() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}
