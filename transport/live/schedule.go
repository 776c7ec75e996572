package live

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/commshub/commshub/han"
)

// Limits in real time.
const (
	// lag is how far the wall may run ahead of what is done before the clock slips:
	// up to here it catches up, so that late wake-ups do not add up.
	lag = 250 * time.Millisecond
	// lostAfter is when a frame in flight that does not come counts as lost, and a
	// participant that does not let the clock go on is asked.
	lostAfter = 2 * time.Second
	// silentAfter is when a participant that does not answer is no longer waited for.
	silentAfter = 10 * time.Second
	// idle is how long the goroutine sleeps if nothing is to be done.
	idle = time.Hour
)

// Schedule is the emulated clock of a process, and all that is still to be done by it:
// deadlines of its nodes, frames in flight, and how far participants in other
// processes let it go. See the package comment.
type Schedule struct {
	view atomic.Pointer[view]

	mu        sync.Mutex
	anchor    Anchor
	now       time.Time // instant of what was done last
	stop      time.Time // emulated instant beyond which nothing is done; zero for none
	until     func() bool
	queue     queue
	spare     []*entry
	drivers   []*Driver // in the order in which they were added
	unstarted int       // drivers whose node is still to be built; the clock stands until then
	watchers  []*watcher
	inFlight  map[uint64]*entry
	turns     uint64
	armed     time.Time // wall instant at which the goroutine will wake
	moved     func(Anchor)
	changed   bool // the anchor is to be told

	kick chan struct{}
}

// view is what Now needs, for readers that hold no lock.
type view struct {
	anchor      Anchor
	floor, roof time.Time // it is between them
	next        time.Time // when something is to be done next
}

// NewSchedule returns a clock that starts from an anchor, with nothing to do. moved is
// told whenever the anchor moves by itself or by a command; it is called with the clock
// held and must not call back. Without it the clock follows another one and never moves
// its anchor by itself.
func NewSchedule(a Anchor, moved func(Anchor)) *Schedule {
	s := &Schedule{
		anchor: a, now: a.Emulated.UTC(), inFlight: map[uint64]*entry{}, moved: moved,
		kick: make(chan struct{}, 1),
	}
	s.show()
	return s
}

// Now returns the emulated time, in UTC. It never passes what is still to be done.
func (s *Schedule) Now() time.Time { return s.view.Load().at(time.Now()) }

func (v *view) at(wall time.Time) time.Time {
	now := v.anchor.at(wall)
	if now.After(v.roof) {
		now = v.roof
	}
	if now.Before(v.floor) {
		return v.floor
	}
	return now
}

// Anchor returns the anchor in force.
func (s *Schedule) Anchor() Anchor { return s.view.Load().anchor }

// Next returns the earliest instant at which something is to be done, as far as this
// process knows. It reports false if nothing is.
func (s *Schedule) Next() (time.Time, bool) {
	next := s.view.Load().next
	return next, !next.Equal(forever)
}

// SetAnchor moves the clock to another anchor: that of the clock's keeper.
func (s *Schedule) SetAnchor(a Anchor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.anchor = a
	s.advance()
}

// Run does what is due until ctx ends.
func (s *Schedule) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		case <-timer.C:
		}
		timer.Reset(s.turn())
	}
}

// turn does what is due, and returns how long to wait for the next.
func (s *Schedule) turn() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := min(max(0, s.work()), idle)
	s.armed = time.Now().Add(wait)
	return wait
}

// advance does what is due, on the goroutine of whoever brought news, and wakes the
// schedule's own if it would wake too late. One that would wake in vain is left alone:
// that is cheaper than a wake-up at each block.
func (s *Schedule) advance() {
	if wait := s.work(); time.Now().Add(wait).Before(s.armed) {
		s.wake()
	}
}

func (s *Schedule) wake() {
	s.armed = time.Time{}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// work does everything that is due, tells the participants elsewhere how far they may
// go, and returns how long it is until the next thing.
func (s *Schedule) work() time.Duration {
	wait := s.doAll()
	s.show()
	for _, d := range s.drivers {
		d.settle()
	}
	if s.changed {
		s.changed = false
		if s.moved != nil {
			s.moved(s.anchor)
		}
	}
	return wait
}

// doAll does one thing after the other while they are due.
func (s *Schedule) doAll() time.Duration {
	for s.unstarted == 0 {
		at, deadline, e := s.next()
		wall := time.Now()
		switch {
		case e != nil && e.kind == entryGone:
			s.forget(e)
			continue
		case !s.stop.IsZero() && (e == nil && deadline == nil || at.After(s.stop)):
			return s.reachStop(wall)
		case e == nil && deadline == nil:
			return idle
		}
		if wait := s.anchor.until(wall, at); wait > 0 {
			return wait
		}
		if holder := s.holder(at); holder != nil {
			if wait := holder.urge(wall); wait > 0 {
				return wait
			}
			continue
		}
		if e != nil && e.kind == entryFrame && !e.arrived {
			if wait := e.patience(wall); wait > 0 {
				return wait
			}
			s.forget(e)
			continue
		}
		s.do(wall, at, deadline, e)
	}
	return idle
}

// patience returns how long a frame that does not come is still waited for.
func (e *entry) patience(wall time.Time) time.Duration {
	if e.missed.IsZero() {
		e.missed = wall
	}
	return e.missed.Add(lostAfter).Sub(wall)
}

// next returns when the next thing is due: a node's deadline, or an entry of the queue.
func (s *Schedule) next() (at time.Time, deadline *Driver, e *entry) {
	var turn uint64
	if e = s.queue.first(); e != nil {
		at, turn = e.at, e.turn
	}
	found := e != nil
	for _, d := range s.drivers {
		if d.armed && (!found || before(d.wakeAt, d.turn, at, turn)) {
			at, turn, deadline, found = d.wakeAt, d.turn, d, true
		}
	}
	if deadline != nil {
		e = nil
	}
	return at, deadline, e
}

// do does one thing at its instant.
func (s *Schedule) do(wall, at time.Time, deadline *Driver, e *entry) {
	s.pass(wall, at)
	if deadline != nil {
		deadline.armed = false
		deadline.fire()
	} else {
		s.queue.drop()
		switch e.kind {
		case entryFrame:
			delete(s.inFlight, e.number)
			if !e.driver.disturbed(e) {
				e.driver.take(&e.frame)
			}
		case entryPower:
			e.driver.powerUp(at)
		case entryCommand:
			e.run()
		case entryGone:
		}
		s.recycle(e)
	}
	s.watch()
	if s.until == nil {
		return
	}
	s.show() // a condition may look at the clock
	if s.until() {
		s.until = nil
		s.halt(time.Now(), s.now)
	}
}

// watcher is somebody who acts at once when something has come about.
type watcher struct {
	due func() bool
	run func()
}

func (s *Schedule) watch() {
	for _, w := range s.watchers {
		if w.due() {
			w.run()
		}
	}
}

// pass brings the clock to an instant. If the machine is so late that the wall is far
// ahead, the clock slips: it goes on from here.
func (s *Schedule) pass(wall, at time.Time) {
	if at.After(s.now) {
		s.now = at
	}
	if s.moved != nil && s.anchor.until(wall, at) < -lag {
		s.anchor = s.anchor.moved(wall, s.now)
		s.changed = true
	}
}

// holder returns who does not let the clock go to an instant, nil if nobody objects.
func (s *Schedule) holder(at time.Time) *peer {
	var first *peer
	for _, d := range s.drivers {
		for _, p := range d.peers {
			if bound, bounded := p.bound(); bounded && bound.Before(at) && (first == nil || bound.Before(first.firm)) {
				p.firm = bound
				first = p
			}
		}
	}
	return first
}

// forever is an instant that no clock reaches; a stamp can still carry it.
var forever = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

// earliest returns the instant before which nothing leaves this process by itself, for
// a participant elsewhere: what is to be done, and where the clock will stand.
func (s *Schedule) earliest(except *peer) time.Time {
	at := s.ahead(except)
	if !s.stop.IsZero() && s.stop.Before(at) {
		return s.stop
	}
	return at
}

// ahead returns when something is to be done next, here or by those elsewhere, of whom
// one may be left out.
func (s *Schedule) ahead(except *peer) time.Time {
	if s.unstarted > 0 {
		return s.now
	}
	at, deadline, e := s.next()
	found := deadline != nil || e != nil
	for _, d := range s.drivers {
		for _, p := range d.peers {
			if p == except {
				continue
			}
			if bound, bounded := p.bound(); bounded && (!found || bound.Before(at)) {
				at, found = bound, true
			}
		}
	}
	switch {
	case !found:
		return forever
	case at.Before(s.now):
		return s.now
	default:
		return at
	}
}

// show makes the clock's position visible to readers.
func (s *Schedule) show() {
	s.view.Store(&view{anchor: s.anchor, floor: s.now, roof: s.earliest(nil), next: s.ahead(nil)})
}

// add puts an entry into the queue, in turn, and returns it to be filled in.
func (s *Schedule) add(at time.Time, kind entryKind, d *Driver) *entry {
	s.turns++
	var e *entry
	if n := len(s.spare); n > 0 {
		e, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		e = &entry{}
	}
	*e = entry{at: at, turn: s.turns, kind: kind, driver: d, memory: e.memory}
	s.queue.add(e)
	return e
}

// forget drops an entry that is first in the queue.
func (s *Schedule) forget(e *entry) {
	s.queue.drop()
	delete(s.inFlight, e.number)
	s.recycle(e)
}

func (s *Schedule) recycle(e *entry) {
	e.turn = 0
	s.spare = append(s.spare, e)
}

// present returns the instant of a command that comes from outside now.
func (s *Schedule) present() time.Time {
	s.show()
	return s.view.Load().at(time.Now())
}

// driver returns the driver of a node of this process, nil if there is none.
func (s *Schedule) driverOf(eui han.EUI64) *Driver {
	for _, d := range s.drivers {
		if d.eui == eui {
			return d
		}
	}
	return nil
}

// Holders returns the participants in other processes that keep time with this one, and
// what each of them said last.
func (s *Schedule) Holders() []Holder {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Holder
	for _, d := range s.drivers {
		for _, eui := range slices.Sorted(maps.Keys(d.peers)) {
			p := d.peers[eui]
			all = append(all, Holder{Device: eui, Promise: p.promise, KeepsTime: p.keeps, Silent: p.silent})
		}
	}
	return all
}

// Holder is a participant in another process, as the clock sees it.
type Holder struct {
	Device    han.EUI64
	Promise   time.Time // nothing comes from it before, unless something reaches it
	KeepsTime bool      // the clock waits for it; if not, it lives on the wall clock
	Silent    bool      // did not answer and is not waited for until it speaks
}

// ErrRunning is returned by Step if the clock is not paused.
var ErrRunning = errors.New("the clock runs; pause it first")
