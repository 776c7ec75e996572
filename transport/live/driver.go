package live

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
)

// Options are how a driver meets the world around it.
type Options struct {
	// Link is the radio link over which the node sends: it decides when a frame is at
	// its receiver, and whether. Dice are the link's.
	Link radio.Link
	Dice *rand.Rand
	// Send carries a frame away, with its stamp unless the receiver lives on the wall
	// clock; the payload is only valid during the call. An error means that the frame
	// is lost.
	Send func(f han.Frame, st *han.Stamp) error
	// Sync carries a stamp without a frame. One that cannot be sent is lost.
	Sync func(to han.EUI64, st han.Stamp)
	// Silent, if set, is told that the clock does not wait for a participant any
	// more, which has not answered, or that it spoke again.
	Silent func(peer han.EUI64, silent bool)
	// Eager tells that the other end is told of every promise: the keeper of the clock.
	Eager bool
	// Observer sees each record, and each frame that the node sends or takes.
	Observer han.Observer
	// Disturb, if set, says what becomes of each frame that the node sends, besides what
	// its link makes of it, and of each that is about to reach it: for laboratories.
	Disturb func(f *han.Frame) (han.Fate, fault.Struck)
	// Build makes the node, at the start and after its power was cut; see
	// han.PowerFailure. It may return the same node as before only if power is never cut.
	Build func(now time.Time) han.Node
	// Lasting tells that a power cut ends the driver.
	Lasting bool
	// Off is how long the power stays off after a cut, in emulated time.
	Off time.Duration
}

// Errors of Do, when there is no node to run a command on.
var (
	// ErrStopped: the driver does not run any more.
	ErrStopped = errors.New("the node has stopped")
	// ErrOff: the node's power is off, or failed in the middle of the command.
	ErrOff = errors.New("the node's power is off")
)

// Driver runs one node on a schedule.
type Driver struct {
	opt      Options
	schedule *Schedule
	eui      han.EUI64

	// Guarded by the schedule.
	node  han.Node // nil while its power is off
	out   han.Outbox
	last  time.Time // now of the last call
	ended bool
	fault chan error // why the node stopped by itself
	onAt  time.Time  // instant of the power entry that counts
	peers map[han.EUI64]*peer
	// The node's deadline. It moves at each call, so it is no entry of the queue.
	armed  bool
	wakeAt time.Time
	turn   uint64
}

// New takes a place on a schedule for a node. The clock stands until Start.
func New(s *Schedule, eui han.EUI64, opt Options) *Driver {
	if opt.Silent == nil {
		opt.Silent = func(han.EUI64, bool) {}
	}
	d := &Driver{opt: opt, schedule: s, eui: eui, fault: make(chan error, 1), peers: map[han.EUI64]*peer{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drivers = append(s.drivers, d)
	s.unstarted++
	return d
}

// Start builds the node, which is called from now on until Run ends. A clock that
// follows another one is where its keeper said in answer to Join; without an answer it
// is where the anchor says.
func (d *Driver) Start() {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.moved == nil && !d.answered() {
		s.now = later(s.now, s.anchor.at(time.Now()))
	}
	s.unstarted--
	d.node = d.opt.Build(s.now)
	d.arm()
	s.advance()
}

// answered reports whether a participant in another process has told where it is.
func (d *Driver) answered() bool {
	for _, p := range d.peers {
		if p.seen > 0 {
			return true
		}
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Run keeps the node on its schedule until ctx ends or the node cannot go on. It
// returns the reason in the second case.
func (d *Driver) Run(ctx context.Context) error {
	defer d.leave()
	select {
	case <-ctx.Done():
		return nil
	case err := <-d.fault:
		return err
	}
}

// leave takes the node off the schedule: nobody waits for it or calls it any more.
func (d *Driver) leave() {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.node == nil && d.last.IsZero() && !d.ended && d.onAt.IsZero() {
		s.unstarted-- // it never was
	}
	d.ended, d.armed = true, false
	for i, other := range s.drivers {
		if other == d {
			s.drivers = append(s.drivers[:i:i], s.drivers[i+1:]...)
			break
		}
	}
	for _, e := range s.queue {
		if e.driver == d {
			e.kind = entryGone
		}
	}
	s.advance()
}

// Deliver takes a frame that the link received, with its stamp if it has one. It is
// handed to the node when it is due. The payload is only used during the call.
func (d *Driver) Deliver(f han.Frame, st *han.Stamp) {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	e := d.arrival(st, f.Src)
	if e == nil {
		return
	}
	turn := e.turn
	e.frame, e.arrived = f, true
	s.advance()
	if e.turn == turn { // it waits, and the link wants its memory back
		e.memory = append(e.memory[:0], f.Payload...)
		e.frame.Payload = e.memory
	}
}

// arrival returns the entry that a frame belongs to, nil if it comes too late.
func (d *Driver) arrival(st *han.Stamp, from han.EUI64) *entry {
	s := d.schedule
	if d.ended {
		return nil
	}
	if s.driverOf(from) != nil {
		if st == nil {
			return nil
		}
		return s.inFlight[st.Number]
	}
	due := s.present()
	if st != nil {
		d.peer(from).take(st, true)
		due = st.Due
	}
	if due.Before(s.now) {
		due = s.now
	}
	if len(s.queue) >= maxQueue {
		return nil // more than any home has in flight
	}
	return s.add(due, entryFrame, d)
}

// maxQueue bounds what strangers can leave in the queue, by sending what is due in a
// hundred years.
const maxQueue = 4096

// Sync takes a stamp that came without a frame.
func (d *Driver) Sync(from han.EUI64, st han.Stamp) {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.ended {
		return
	}
	d.peer(from).take(&st, false)
	s.advance()
}

// Join begins to keep time with a participant in another process: it is asked where it
// is, and until it answers the clock stands. answered, if not nil, is closed then.
func (d *Driver) Join(to han.EUI64, answered chan<- struct{}) {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.ended {
		return
	}
	delete(d.peers, to)
	p := d.peer(to)
	p.keeps, p.promise, p.answered = true, s.now, answered
	p.send(true)
	s.advance()
}

// Part forgets a participant in another process: its session is over.
func (d *Driver) Part(from han.EUI64) {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(d.peers, from)
	s.advance()
}

func (d *Driver) peer(eui han.EUI64) *peer {
	p, known := d.peers[eui]
	if !known {
		p = &peer{eui: eui, driver: d}
		d.peers[eui] = p
	}
	return p
}

// Do runs a command from outside on the node that runs now, between two calls. A
// command must not keep the node: a power cut replaces it.
func (d *Driver) Do(f func(now time.Time, n han.Node, out *han.Outbox)) error {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.ended {
		return ErrStopped
	}
	if d.node == nil {
		return ErrOff
	}
	s.now = s.present()
	alive := d.call(func(now time.Time) { f(now, d.node, &d.out) })
	s.advance()
	if !alive {
		return ErrOff
	}
	return nil
}

// DoAt runs a command on the node at an emulated instant, in its turn, or at once if
// the instant is over. A node without power misses it.
func (d *Driver) DoAt(at time.Time, f func(now time.Time, n han.Node, out *han.Outbox)) {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(later(at, s.now), entryCommand, d).run = func() {
		if d.node != nil {
			d.call(func(now time.Time) { f(now, d.node, &d.out) })
		}
	}
	s.advance()
}

// Whenever runs a command on the node after anything that made due true, at the same
// instant, until stop is called. due is asked after each thing that was done, and must
// be quick.
func (d *Driver) Whenever(due func() bool, f func(now time.Time, n han.Node, out *han.Outbox)) (stop func()) {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &watcher{due: due, run: func() {
		if d.node != nil {
			d.call(func(now time.Time) { f(now, d.node, &d.out) })
		}
	}}
	s.watchers = append(s.watchers, w)
	s.watch()
	s.advance()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.watchers = slices.DeleteFunc(s.watchers, func(other *watcher) bool { return other == w })
	}
}

// Node runs f with the node between two calls, to look at it. f gets nil while the
// node's power is off, and after Run.
func (d *Driver) Node(f func(now time.Time, n han.Node)) {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	node := d.node
	if d.ended {
		node = nil
	}
	f(d.onward(s.present()), node)
}

// SetLink changes the link over which the node sends.
func (d *Driver) SetLink(link radio.Link) {
	d.schedule.mu.Lock()
	defer d.schedule.mu.Unlock()
	d.opt.Link = link
}

// fire calls the node at its deadline.
func (d *Driver) fire() {
	if d.node != nil && !d.ended {
		d.call(func(now time.Time) { d.node.HandleTimer(now, &d.out) })
	}
}

// take hands the node a frame that is due. One that reaches a node without power is lost.
func (d *Driver) take(f *han.Frame) {
	if d.node == nil || d.ended {
		return
	}
	if d.opt.Observer.Frame != nil {
		d.opt.Observer.Frame(d.onward(d.schedule.now), f, han.Unharmed)
	}
	d.call(func(now time.Time) { d.node.HandleFrame(now, *f, &d.out) })
}

// disturbed reports whether the laboratory takes a frame that is due, or puts it off.
func (d *Driver) disturbed(e *entry) bool {
	if d.opt.Disturb == nil || e.passed {
		return false
	}
	s := d.schedule
	fate, struck := d.opt.Disturb(&e.frame)
	if struck == 0 {
		return false
	}
	d.tellStruck(s.now, &e.frame, struck)
	for i := range fate.Copies {
		late := s.add(s.now.Add(fate.Delay[i]), entryFrame, d)
		late.memory = append(late.memory[:0], e.frame.Payload...)
		late.frame, late.arrived, late.passed = e.frame, true, true
		late.frame.Payload = late.memory
		fault.Turn(late.frame.Payload, fate)
	}
	return true
}

// tellStruck records the faults that struck a frame.
func (d *Driver) tellStruck(now time.Time, f *han.Frame, struck fault.Struck) {
	if d.opt.Observer.Record == nil {
		return
	}
	for k := range struck.Each {
		r := k.FrameRecord(now, f)
		d.opt.Observer.Record(&r)
	}
}

// call makes one call at the schedule's instant, drains the outbox and takes over the
// node's next deadline. It reports false if the node's power failed in it.
func (d *Driver) call(f func(now time.Time)) (alive bool) {
	now := d.onward(d.schedule.now)
	d.last = now
	defer d.out.Reset()
	if !d.survive(now, f) {
		return false
	}
	for i := range d.out.Records {
		d.tell(&d.out.Records[i])
	}
	moved := d.plan() // first, because what is sent carries a promise
	for i := range d.out.Frames {
		d.send(now, &d.out.Frames[i])
	}
	if moved {
		d.schedule.turns++
		d.turn = d.schedule.turns
	}
	return true
}

// plan takes over the node's next deadline and reports whether it moved, so that it
// needs another turn.
func (d *Driver) plan() (moved bool) {
	next, ok := d.node.NextTimer()
	if ok {
		moved = !d.armed || !next.At.Equal(d.wakeAt)
		d.wakeAt = next.At
	}
	d.armed = ok
	return moved
}

// tell hands a record to who looks on.
func (d *Driver) tell(r *trace.Record) {
	if d.opt.Observer.Record != nil {
		d.opt.Observer.Record(r)
	}
}

func (d *Driver) arm() {
	if d.plan() {
		d.schedule.turns++
		d.turn = d.schedule.turns
	}
}

// send puts a frame on its way: the link's dice decide when it arrives, or that it
// does not.
func (d *Driver) send(now time.Time, f *han.Frame) {
	fate, struck := d.opt.Link.Carry(f, d.opt.Dice)
	if d.opt.Disturb != nil && fate.Copies > 0 {
		more, also := d.opt.Disturb(f)
		fate, struck = fault.Then(fate, more), struck|also
	}
	if d.opt.Observer.Frame != nil {
		d.opt.Observer.Frame(now, f, fate)
	}
	d.tellStruck(now, f, struck)
	fault.Turn(f.Payload, fate)
	for i := range fate.Copies {
		d.carry(*f, now.Add(fate.Delay[i]))
	}
}

// carry hands a frame to the link, which takes it to the receiver before it is due or
// after: the clock waits for it.
func (d *Driver) carry(f han.Frame, due time.Time) {
	s := d.schedule
	if to := s.driverOf(f.Dst); to != nil {
		e := s.add(due, entryFrame, to)
		e.number = e.turn
		s.inFlight[e.number] = e
		if d.opt.Send(f, &han.Stamp{Due: due, Number: e.number}) != nil {
			e.kind = entryGone
		}
		return
	}
	p := d.peer(f.Dst)
	if !p.keeps {
		_ = d.opt.Send(f, nil) // a frame that cannot be sent is lost
		return
	}
	st := p.stamp(due)
	if d.opt.Send(f, &st) == nil {
		p.flying = append(p.flying, flying{number: st.Number, due: due})
	}
}

// settle tells the participants in other processes how far they may go.
func (d *Driver) settle() {
	for _, p := range d.peers {
		p.settle()
	}
}

// onward returns an instant that is not before the last call's: a clock may be set
// back, a node's time not.
func (d *Driver) onward(now time.Time) time.Time {
	if now.Before(d.last) {
		return d.last
	}
	return now
}

// survive calls f and reports false if the node's power failed in it. What it had put
// into its outbox is lost with it.
func (d *Driver) survive(now time.Time, f func(now time.Time)) (alive bool) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case han.PowerFailure:
			d.tell(&trace.Record{At: now, Node: uint64(d.eui), Kind: fault.PowerCut.Record(), Count: uint32(v.PowerFailed())})
			d.cut()
		default:
			panic(v)
		}
	}()
	f(now)
	return true
}

// Cut switches the node's power off, as at a socket.
func (d *Driver) Cut() {
	s := d.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.node == nil || d.ended {
		return
	}
	s.now = s.present()
	d.tell(&trace.Record{At: d.onward(s.now), Node: uint64(d.eui), Kind: fault.PowerCut.Record()})
	d.cut()
	s.advance()
}

// cut drops the node and has it rebuilt from its bytes later.
func (d *Driver) cut() {
	d.node, d.armed = nil, false
	if d.opt.Lasting {
		d.fault <- errors.New("power cut, and nothing to start again")
		d.ended = true
		return
	}
	s := d.schedule
	d.onAt = s.now.Add(d.opt.Off)
	s.add(d.onAt, entryPower, d)
}

// powerUp brings the node back, unless its power was cut again since.
func (d *Driver) powerUp(at time.Time) {
	if d.node != nil || d.ended || !d.onAt.Equal(at) {
		return
	}
	d.node = d.opt.Build(d.onward(d.schedule.now))
	d.arm()
}
