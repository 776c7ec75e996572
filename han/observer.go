package han

import (
	"time"

	"github.com/commshub/commshub/internal/trace"
)

// Observer sees what happens in a home, and steers nothing. Each function is
// optional. What a function is given is only valid during the call. Drivers call it
// in the middle of their work, live ones from several goroutines, so it must not
// block.
type Observer struct {
	// Record sees each record of a node or of its driver.
	Record func(r *trace.Record)
	// Frame sees each frame that a node sends or takes, and what becomes of it.
	Frame func(now time.Time, f *Frame, fate Fate)
	// Session is told that the observed node has a secure session with a peer, or
	// not any more. In virtual time there are none.
	Session func(peer EUI64, established bool)
}

// Fate is what becomes of a frame on its way.
type Fate struct {
	Copies  int              // that arrive: 0, 1 or 2
	Delay   [2]time.Duration // of each copy
	Corrupt bool
	Bit     int // of the payload, turned if Corrupt
}

// Unharmed is the fate of a frame that arrives as it is.
var Unharmed = Fate{Copies: 1}

// Observers returns one observer that hands on everything to each of several, in
// their order. Where none of them looks, it does not either.
func Observers(all ...Observer) Observer {
	var records []func(*trace.Record)
	var frames []func(time.Time, *Frame, Fate)
	var sessions []func(EUI64, bool)
	for _, o := range all {
		if o.Record != nil {
			records = append(records, o.Record)
		}
		if o.Frame != nil {
			frames = append(frames, o.Frame)
		}
		if o.Session != nil {
			sessions = append(sessions, o.Session)
		}
	}
	var out Observer
	if len(records) > 0 {
		out.Record = func(r *trace.Record) {
			for _, take := range records {
				take(r)
			}
		}
	}
	if len(frames) > 0 {
		out.Frame = func(now time.Time, f *Frame, fate Fate) {
			for _, take := range frames {
				take(now, f, fate)
			}
		}
	}
	if len(sessions) > 0 {
		out.Session = func(peer EUI64, established bool) {
			for _, take := range sessions {
				take(peer, established)
			}
		}
	}
	return out
}
