package live

import (
	"sync"
	"time"
)

// Repeats knows what was told of whom, so that what goes on for long is told once, and
// again when it is something else: a meter that is refused comes back at each heartbeat,
// for ever. The zero value knows nothing.
type Repeats struct {
	mu   sync.Mutex
	told map[[2]uint64]told
}

type told struct {
	text string
	at   time.Time // on the wall clock
}

const (
	// repeatAfter is when something is told again that did not change.
	repeatAfter = 10 * time.Minute
	// maxRepeats bounds what is remembered.
	maxRepeats = 1024
)

// Told reports whether just this was told of somebody not long ago; if not, it is now.
func (r *Repeats) Told(of [2]uint64, text string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := r.told[of]; last.text == text && now.Sub(last.at) < repeatAfter {
		return true
	}
	if r.told == nil || len(r.told) >= maxRepeats {
		r.told = map[[2]uint64]told{}
	}
	r.told[of] = told{text, now}
	return false
}
