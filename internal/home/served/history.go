package served

import (
	"context"
	"log/slog"
	"time"
)

// quiet is how often windows that ended in silence are looked for.
const quiet = 200 * time.Millisecond

// keepHistory has the history of transfers written as windows end, so that it outlives
// the hub even if that is killed; the rest is written when ctx ends. It is not done in
// the calls of the hub, which must not wait for the disk more often than they have to.
func (h *Hub) keepHistory(ctx context.Context, log *slog.Logger) {
	defer close(h.kept)
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	failing := false
	for {
		last := false
		select {
		case <-ctx.Done():
			last = true
		case <-h.observer.Ended():
		case <-tick.C:
		}
		err := h.observer.Keep(h.Clock.Now(), last)
		if err != nil && !failing && log != nil { // what was not written is written by the next call
			log.Error("the history of transfers cannot be written", "error", err)
		}
		if failing = err != nil; last {
			return
		}
	}
}
