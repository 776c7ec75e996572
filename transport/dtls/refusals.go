package dtls

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/commshub/commshub/han"
)

const (
	reportsPerSecond = 2
	reportsAtOnce    = 20
	// attemptsKept is how many attempts are remembered, so that the repeated
	// ClientHello of one attempt is not reported again.
	attemptsKept = 64
)

// refusals reports each refused attempt once, and not too many of them: whoever
// can send datagrams could otherwise fill a log.
type refusals struct {
	report func(peer han.EUI64, reason error)

	mu      sync.Mutex
	limit   *rate.Limiter
	kept    [attemptsKept]attempt
	next    int
	skipped int
}

type attempt struct {
	peer   han.EUI64
	random random
}

func newRefusals(report func(han.EUI64, error)) *refusals {
	return &refusals{report: report, limit: rate.NewLimiter(reportsPerSecond, reportsAtOnce)}
}

// tell reports an attempt, unless it did so before, and says whether the attempt
// is a new one. The zero random value stands for no handshake, and is always new.
func (r *refusals) tell(peer han.EUI64, hello random, reason error) bool {
	r.mu.Lock()
	this := attempt{peer, hello}
	if hello != (random{}) {
		if slices.Contains(r.kept[:], this) {
			r.mu.Unlock()
			return false
		}
		r.kept[r.next] = this
		r.next = (r.next + 1) % attemptsKept
	}
	if !r.limit.AllowN(time.Now(), 1) {
		r.skipped++
		r.mu.Unlock()
		return true
	}
	if r.skipped > 0 {
		reason = fmt.Errorf("%w (and %d more refusals before)", reason, r.skipped)
		r.skipped = 0
	}
	r.mu.Unlock()
	if r.report != nil {
		r.report(peer, reason)
	}
	return true
}
