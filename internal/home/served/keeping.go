package served

import (
	"log/slog"
	"sync"
)

// keeping is whether the hub's records can be written.
type keeping struct {
	mu  sync.Mutex
	err error // of the last commit
}

// watch returns what the store calls around each commit: next, and what keeps how it
// ended and says when that changes.
func (k *keeping) watch(next func() func(error), log *slog.Logger) func() func(error) {
	return func() func(error) {
		done := next()
		return func(err error) {
			done(err)
			k.mu.Lock()
			before := k.err
			k.err = err
			k.mu.Unlock()
			switch {
			case log == nil:
			case err != nil && before == nil:
				log.Warn("records cannot be written: nothing goes on that has to be remembered", "reason", err)
			case err == nil && before != nil:
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
