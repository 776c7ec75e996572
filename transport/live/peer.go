package live

import (
	"time"

	"github.com/commshub/commshub/han"
)

// peer is a participant in another process with which a node exchanges frames.
type peer struct {
	eui    han.EUI64
	driver *Driver
	// keeps tells that it stamps its messages; if not, it lives on the wall clock and
	// nobody waits for it.
	keeps  bool
	silent bool

	promise time.Time // its
	firm    time.Time // bound as it was found last
	sent    uint64    // number of our last message
	seen    uint64    // number of its last
	flying  []flying  // our frames that it has not seen, oldest first

	told  time.Time // our promise that it knows
	owes  bool      // it sent a frame since it was told anything
	asked bool      // it wants an answer

	answered chan<- struct{} // closed when it speaks for the first time
	blocking time.Time       // wall instant since when the clock has waited for it
	urged    time.Time       // wall instant at which it was asked last
}

// flying is a frame on its way to a peer.
type flying struct {
	number uint64
	due    time.Time
}

// bound returns the instant before which nothing comes from the peer.
func (p *peer) bound() (time.Time, bool) {
	if !p.keeps || p.silent {
		return time.Time{}, false
	}
	bound := p.promise
	for i := range p.flying {
		if p.flying[i].due.Before(bound) {
			bound = p.flying[i].due
		}
	}
	return bound, true
}

// stamp returns what goes with the next message to the peer.
func (p *peer) stamp(due time.Time) han.Stamp {
	p.sent++
	p.told = p.driver.schedule.earliest(p)
	p.owes, p.asked = false, false
	return han.Stamp{Due: due, Number: p.sent, Seen: p.seen, Promise: p.told}
}

// take accounts a message of the peer.
func (p *peer) take(st *han.Stamp, frame bool) {
	if p.silent {
		p.silent = false
		p.driver.opt.Silent(p.eui, false)
	}
	before, _ := p.bound()
	if st.Number <= p.seen {
		p.flying = nil // it began anew, and what was on its way then is lost
	}
	p.keeps = true
	p.seen, p.promise = st.Number, st.Promise
	p.owes = p.owes || frame
	p.asked = p.asked || st.Asks
	kept := p.flying[:0]
	for _, f := range p.flying {
		if f.number > st.Seen {
			kept = append(kept, f)
		}
	}
	p.flying = kept
	if s := p.driver.schedule; s.unstarted > 0 && s.moved == nil {
		s.now = later(s.now, st.Due)
	}
	if p.answered != nil {
		close(p.answered)
		p.answered = nil
	}
	// What lets the clock go on is a sign of life; answers alone are not.
	if after, _ := p.bound(); frame || after.After(before) {
		p.blocking, p.urged = time.Time{}, time.Time{}
	}
}

// settle tells the peer how far it may go, if it does not know and has to: it waits for
// that, its frame is answered by nothing else, or it asked.
func (p *peer) settle() {
	if !p.keeps {
		return
	}
	may := p.driver.schedule.earliest(p)
	bound, _ := p.bound()
	waits := may.After(p.told) && (p.driver.opt.Eager || p.told.Before(bound) && !may.Before(bound))
	if waits || p.owes || p.asked {
		p.send(false)
	}
}

// send sends a message without a frame. One that cannot be sent is lost; the peer will
// ask.
func (p *peer) send(asks bool) {
	st := p.stamp(p.driver.schedule.now)
	st.Asks = asks
	p.driver.opt.Sync(p.eui, st)
}

// urge asks a peer that holds the clock, now and then, and gives it up if it stays
// silent. It returns when to look again.
func (p *peer) urge(wall time.Time) time.Duration {
	if p.blocking.IsZero() {
		p.blocking = wall
		p.urged = wall
		return lostAfter
	}
	s := p.driver.schedule
	if patient := s.moved == nil && !s.anchor.RunsOn; !patient && wall.Sub(p.blocking) >= silentAfter {
		p.silent = true
		p.driver.opt.Silent(p.eui, true)
		return 0
	}
	if wait := p.urged.Add(lostAfter).Sub(wall); wait > 0 {
		return wait
	}
	p.urged = wall
	p.send(true)
	return lostAfter
}
