package mqtt

import "time"

const (
	// lasting is how long a connection has to be there to count as one.
	lasting = 10 * time.Second
	// droppedOften is how many connections in a row are accepted and dropped until that
	// is taken for something that does not heal by itself.
	droppedOften = 3
	// droppedMax is the longest wait between two attempts then.
	droppedMax = time.Minute
)

// Dropped is why a connection was lost that the broker had accepted, before anything was
// subscribed to.
type Dropped struct{ error }

// DroppedFor returns the reason as such a one.
func DroppedFor(reason error) error { return Dropped{reason} }

// Retry says how long to wait between two attempts to connect to a broker. What begins
// anew with the shortest wait is a connection that lasted, not one that was accepted: a
// broker that accepts and then drops would be asked again at once, for ever.
type Retry struct {
	// Min and Max are the shortest and the longest wait.
	Min, Max time.Duration

	wait    time.Duration
	dropped int // in a row
}

// Failed returns how long to wait after an attempt that was not accepted. What was dropped
// before is not forgotten: some brokers keep a client waiting that was thrown out often.
func (r *Retry) Failed() time.Duration { return r.next(r.Max) }

// Lost returns how long to wait after a connection that was there for so long.
func (r *Retry) Lost(after time.Duration) time.Duration {
	if after >= lasting {
		r.wait, r.dropped = 0, 0
		return r.next(r.Max)
	}
	r.dropped++
	if r.Dropping() {
		return r.next(max(r.Max, droppedMax))
	}
	return r.next(r.Max)
}

// Dropping reports whether the broker accepts connections and drops them again and again.
func (r *Retry) Dropping() bool { return r.dropped >= droppedOften }

// Settling returns how long a new connection has to last until it counts as one; 0 if it
// counts at once.
func (r *Retry) Settling() time.Duration {
	if r.Dropping() {
		return lasting
	}
	return 0
}

func (r *Retry) next(longest time.Duration) time.Duration {
	wait := max(r.wait, r.Min)
	r.wait = min(2*wait, longest)
	return min(wait, longest)
}
