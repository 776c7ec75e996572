package dtls

import "time"

// doubt is a client's reckoning whether the hub still has the association. DTLS
// itself has no answer to a record that the other side cannot decrypt.
type doubt struct {
	limit          int           // unanswered records that make doubtful
	base, patience time.Duration // after the last of them; grows while nothing helps

	certain    bool // somebody asked for a new association
	hinted     bool // an alert that nobody signed
	lastHint   time.Time
	unanswered int
	since      time.Time // when unanswered reached limit
}

// sent counts a record and reports whether it is the one that makes doubtful.
func (d *doubt) sent(now time.Time) bool {
	d.unanswered++
	if d.unanswered == d.limit {
		d.since = now
		return true
	}
	return false
}

// received takes any record of the hub as proof that it is there.
func (d *doubt) received() {
	d.unanswered = 0
	d.hinted = false
	d.patience = d.base
}

// hint takes an alert outside the association, and reports whether it counts:
// since anybody can send them, not more often than once per patience.
func (d *doubt) hint(now time.Time) bool {
	if d.hinted || (!d.lastHint.IsZero() && now.Sub(d.lastHint) < d.base) {
		return false
	}
	d.hinted, d.lastHint = true, now
	return true
}

// due returns when a new association is to be made.
func (d *doubt) due(now time.Time) (time.Time, bool) {
	switch {
	case d.certain || d.hinted:
		return now, true
	case d.unanswered >= d.limit:
		return d.since.Add(d.patience), true
	default:
		return time.Time{}, false
	}
}

// renewed starts over with a new association. If silence was the reason for it,
// the next silence is borne longer: a hub that shakes hands but never answers is
// not helped by more handshakes.
func (d *doubt) renewed() {
	if d.unanswered >= d.limit {
		d.patience = min(2*d.patience, max(patienceMax, d.base))
	}
	d.certain, d.hinted, d.unanswered = false, false, 0
}
