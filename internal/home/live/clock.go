package live

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/transport/link"
	"github.com/commshub/commshub/transport/live"
)

// Standstill is the rule for the emulated clock while its hub is stopped.
type Standstill uint8

// The rules. By default no emulated time passes: an hour off at 600 times the speed
// would cost a gas meter 27 days of its battery.
const (
	StandStill Standstill = iota // it stands, and goes on where it was
	RunOn                        // it goes on with the wall clock, at its speed
)

var standstillNames = [...]string{"stand", "wall"}

// String returns the rule as the command line writes it.
func (r Standstill) String() string { return standstillNames[r] }

// Type implements pflag.Value.
func (Standstill) Type() string { return "rule" }

// Set implements pflag.Value.
func (r *Standstill) Set(text string) error {
	for i, name := range standstillNames {
		if text == name {
			*r = Standstill(i)
			return nil
		}
	}
	return fmt.Errorf("clock %q: want stand (it stands while the hub is stopped) or wall (it runs on)", text)
}

// resumeClock returns where the emulated clock goes on: from where it was stored or the
// last record was made, whatever is later, or begun now.
func resumeClock(s *store.Store, o HubOptions) (live.Anchor, error) {
	wall := time.Now()
	a := live.Anchor{Wall: wall, Emulated: o.Start, Speed: o.Speed, Paused: o.Paused, RunsOn: o.Standstill == RunOn}
	stored, ok := s.ClockAnchor()
	switch {
	case ok:
		a.Emulated = standsAt(s)
		if o.Standstill == RunOn {
			passed := float64(wall.UnixNano()-stored.Wall) * storedSpeed(stored)
			if on := time.Unix(0, stored.Emulated).UTC().Add(time.Duration(passed)); on.After(a.Emulated) {
				a.Emulated = on
			}
		}
		if a.Speed == 0 {
			a.Speed = storedSpeed(stored)
		}
	case o.Start.IsZero():
		a.Emulated = wall.UTC()
	}
	if a.Speed == 0 {
		a.Speed = 1
	}
	return a, s.Commit(append(countedOn(s, o.Config.Supplier, stored, wall), store.Put(record(a)))...)
}

// highestSpeed is the highest speed of a home, in emulated seconds per second.
const highestSpeed = 100_000

// countedOn has the next order, the supplier's or the broker's, have a counter that none had yet, also if the
// records were put back from a copy: the clock, from which orders are counted, may stand where
// it stood when the copy was made, but no home since then can have been further than at the
// highest speed ever since. A gap between counters is no harm.
func countedOn(s *store.Store, supplier han.EUI64, stored store.ClockAnchor, wall time.Time) []store.Change {
	last, _ := s.OriginatorCounter(supplier)
	passed := wall.Sub(time.Unix(0, stored.Wall)).Milliseconds()
	if stored.Wall == 0 || passed <= 0 {
		return nil
	}
	furthest := uint64(standsAt(s).UnixMilli()) + uint64(passed)*highestSpeed
	if furthest <= last.Counter {
		return nil
	}
	return []store.Change{store.Put(store.OriginatorCounter{Originator: supplier, Counter: furthest})}
}

// keepClock stores where the clock is, for the next start.
func keepClock(s *store.Store, c *live.Schedule) error {
	a := c.Anchor()
	a.Wall, a.Emulated = time.Now(), c.Now()
	return s.Commit(store.Put(record(a)))
}

func record(a live.Anchor) store.ClockAnchor {
	return store.ClockAnchor{
		Wall: a.Wall.UnixNano(), Emulated: a.Emulated.UnixNano(), Speed: int64(a.Speed*1000 + 0.5),
	}
}

func storedSpeed(c store.ClockAnchor) float64 { return float64(c.Speed) / 1000 }

// clockMoved tells the devices in other processes. It is called with the clock held.
func (h *Hub) clockMoved(a live.Anchor) {
	if h.link != nil {
		_ = h.publish(a) // it is published again every few seconds
	}
}

func (h *Hub) publish(a live.Anchor) error {
	return h.link.PublishClock(link.Clock{Wall: a.Wall, Emulated: a.Emulated, Speed: a.Speed, Paused: a.Paused, RunsOn: a.RunsOn})
}

func anchorOf(c link.Clock) live.Anchor {
	return live.Anchor{Wall: c.Wall, Emulated: c.Emulated, Speed: c.Speed, Paused: c.Paused, RunsOn: c.RunsOn}
}

// silence returns what tells of a participant that holds the clock and does not answer.
func silence(log *slog.Logger) func(peer han.EUI64, silent bool) {
	return func(peer han.EUI64, silent bool) {
		switch {
		case log == nil:
		case silent:
			log.Warn("the clock waits no longer for a device that does not answer", "peer", peer)
		default:
			log.Info("the clock waits again for a device that spoke", "peer", peer)
		}
	}
}
