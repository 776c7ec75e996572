package dtls

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Two devices with the same keys are told from one that booted again by what the older
// does: a device that booted again is gone from its former association, and a device that
// makes a new one leaves the former itself. So the hub keeps the former association, and
// whoever speaks on it hears, under its keys, that another one has the place. It stays away
// then, so that the newer can work.

// elsewhere is the record by which the hub says so: CBOR's null, which is no frame.
var elsewhere = []byte{0xF6}

func isElsewhere(record []byte) bool { return bytes.Equal(record, elsewhere) }

const (
	// awayMin is how long a client stays away at first. Each time in a row it is awayGrowth
	// times as long: the other may do the same when this one is back.
	awayMin    = time.Minute
	awayMax    = 24 * time.Hour
	awayGrowth = 4
)

// away is how long a client stays away from a hub where another has its place.
type away struct {
	last  time.Duration // how long it was the last time
	until time.Time
}

// giveWay begins to stay away after an association that was there since began. One that
// lasted long makes it as for the first time.
func (w *away) giveWay(now, began time.Time) time.Duration {
	switch {
	case w.last == 0 || now.Sub(began) > awayMax:
		w.last = awayMin
	default:
		w.last = min(awayGrowth*w.last, awayMax)
	}
	w.until = now.Add(w.last)
	return w.last
}

// errTwo is what the hub tells of a device that has two.
var errTwo = errors.New("two devices have its keys: the newer one works, and the older is told to stay away")

// errGaveWay is what a device tells that stays away.
func errGaveWay(pause time.Duration) error {
	return fmt.Errorf("another one with the keys of this device took its place: stop one of the two; this one stays away for %s", pause)
}
