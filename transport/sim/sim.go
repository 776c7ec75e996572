// Package sim runs nodes in virtual time: an event heap, one clock, no waiting.
// The same seed gives the same run, on every processor.
//
// It is one of the two drivers of the contract in package han; transport/live is
// the other. Between two events no time passes for anybody, and events at the
// same instant happen in the order in which they were scheduled.
package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
)

// Config describes a world.
type Config struct {
	Start time.Time
	Seed  uint64
	Link  radio.Link
	// Observer sees every record, and every frame when it is sent.
	Observer han.Observer
}

// World is a home in virtual time.
type World struct {
	cfg      Config
	now      time.Time
	events   eventHeap
	sequence uint64
	stations []*station
	byEUI64  map[han.EUI64]*station
	out      han.Outbox
	spare    [][]byte     // payload buffers not in use
	struck   trace.Record // the last fault of a frame; here, so that it costs no allocation
}

// station is a node and what the world knows of it.
type station struct {
	eui     han.EUI64
	node    han.Node // nil while its power is off
	rebuild func(now time.Time) han.Node
	dice    *rand.Rand
	link    radio.Link
	down    bool      // cut off from the HAN
	onAt    time.Time // instant of the power event that counts
	// The node's deadline. It moves at each call, so it is no event of the heap.
	armed  bool
	wakeAt time.Time
	turn   uint64 // its place among the events of the same instant
}

// New returns an empty world.
func New(cfg Config) *World {
	return &World{cfg: cfg, now: cfg.Start, byEUI64: map[han.EUI64]*station{}}
}

// Now returns the emulated time.
func (w *World) Now() time.Time { return w.now }

// Add puts a node into the world. If its power is cut, rebuild makes it anew from
// its bytes.
func (w *World) Add(node han.Node, rebuild func(now time.Time) han.Node) {
	eui := node.EUI64()
	if _, there := w.byEUI64[eui]; there {
		panic(fmt.Sprintf("sim: %s is in the world already", eui))
	}
	s := &station{
		eui: eui, node: node, rebuild: rebuild,
		dice: radio.Dice(w.cfg.Seed, eui), link: w.cfg.Link,
	}
	w.byEUI64[eui] = s
	w.stations = append(w.stations, s)
	w.arm(s)
}

// DefaultOff is how long a node's power stays off when it fails in the middle of an
// operation.
const DefaultOff = 5 * time.Second

// Dice returns a random stream for a node that is about to be added, which no
// other node disturbs.
func Dice(seed uint64, eui han.EUI64) *rand.Rand {
	return rand.New(rand.NewPCG(seed^0x9E3779B97F4A7C15, uint64(eui)))
}

// Powered reports whether a node's power is on.
func (w *World) Powered(eui han.EUI64) bool { return w.station(eui).node != nil }

// SetLink changes the link over which a node sends.
func (w *World) SetLink(eui han.EUI64, link radio.Link) { w.station(eui).link = link }

// Partition cuts a node off from the HAN, or joins it again.
func (w *World) Partition(eui han.EUI64, down bool) {
	s := w.station(eui)
	if s.down == down {
		return
	}
	s.down = down
	kind := trace.PartitionEnded
	if down {
		kind = fault.Partition.Record()
	}
	w.Record(&trace.Record{At: w.now, Node: uint64(eui), Kind: kind})
}

func (w *World) station(eui han.EUI64) *station {
	s, ok := w.byEUI64[eui]
	if !ok {
		panic(fmt.Sprintf("sim: %s is not in the world", eui))
	}
	return s
}

// ErrOff is returned by Do if the node's power is off, or fails in the middle of
// the command.
var ErrOff = errors.New("the node's power is off")

// Do runs a command from outside on the node that runs now, between two events.
func (w *World) Do(eui han.EUI64, f func(now time.Time, n han.Node, out *han.Outbox)) error {
	if !w.call(w.station(eui), func(n han.Node) { f(w.now, n, &w.out) }) {
		return ErrOff
	}
	return nil
}

// Cut switches a node's power off now, as at a socket: what was not in its storage
// is gone. It comes back after the given time; of several cuts the one that lasts
// longest counts.
func (w *World) Cut(eui han.EUI64, off time.Duration) {
	if w.powerOff(w.station(eui), off) {
		w.Record(&trace.Record{At: w.now, Node: uint64(eui), Kind: fault.PowerCut.Record()})
	}
}

// Schedule runs f at an instant, as one more event.
func (w *World) Schedule(at time.Time, f func()) { w.push(at, eventFunc, nil).run = f }

// Step runs the next event. It reports whether there was one.
func (w *World) Step() bool {
	at, timer, ok := w.next()
	if ok {
		w.run(at, timer)
	}
	return ok
}

// RunUntil runs events until done reports true or the next event is later than
// limit. It reports whether done was reached.
func (w *World) RunUntil(limit time.Time, done func() bool) bool {
	for !done() {
		at, timer, ok := w.next()
		if !ok || at.After(limit) {
			if limit.After(w.now) {
				w.now = limit
			}
			return done()
		}
		w.run(at, timer)
	}
	return true
}

// next returns when the next event is, and the station whose deadline it is; nil if
// it is the first of the heap. A home has few stations, so that looking at each costs
// less than keeping their deadlines in order.
func (w *World) next() (at time.Time, timer *station, ok bool) {
	var turn uint64
	if e := w.events.peek(); e != nil {
		at, turn, ok = e.at, e.sequence, true
	}
	for _, s := range w.stations {
		if s.armed && (!ok || before(s.wakeAt, s.turn, at, turn)) {
			at, turn, timer, ok = s.wakeAt, s.turn, s, true
		}
	}
	return at, timer, ok
}

// run runs the event that next returned.
func (w *World) run(at time.Time, timer *station) {
	if at.After(w.now) {
		w.now = at
	}
	if timer != nil {
		timer.armed = false
		w.call(timer, func(n han.Node) { n.HandleTimer(w.now, &w.out) })
		return
	}
	e := w.events.peek()
	switch s := e.station; e.kind {
	case eventFrame:
		f := e.frame
		w.events.drop()
		w.deliver(s, f)
	case eventPower:
		w.events.drop()
		w.powerOn(s, at)
	case eventFunc:
		run := e.run
		w.events.drop()
		run()
	}
}

// Run runs all events up to limit.
func (w *World) Run(limit time.Time) { w.RunUntil(limit, func() bool { return false }) }

func (w *World) deliver(s *station, f han.Frame) {
	if s.node != nil && !s.down {
		w.call(s, func(n han.Node) { n.HandleFrame(w.now, f, &w.out) })
	}
	w.spare = append(w.spare, f.Payload[:0])
}

// call makes one call on a node, drains the outbox and sets its timer anew. It
// reports false if the node's power is off or failed in the call.
func (w *World) call(s *station, f func(n han.Node)) (alive bool) {
	if s.node == nil {
		return false
	}
	if alive = w.survive(s, f); alive {
		w.drain(s)
		w.arm(s)
	} else {
		w.powerOff(s, DefaultOff)
	}
	w.out.Reset()
	return alive
}

// survive calls f and reports false if the node's power failed in it. What it had
// put into its outbox is lost with it.
func (w *World) survive(s *station, f func(n han.Node)) (alive bool) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		failure, ok := v.(han.PowerFailure)
		if !ok {
			panic(v)
		}
		w.out.Reset()
		w.Record(&trace.Record{At: w.now, Node: uint64(s.eui), Kind: fault.PowerCut.Record(), Count: uint32(failure.PowerFailed())})
	}()
	f(s.node)
	return true
}

// powerOff reports false if the power is off already, and for longer.
func (w *World) powerOff(s *station, off time.Duration) bool {
	onAt := w.now.Add(off)
	if s.node == nil && !onAt.After(s.onAt) {
		return false
	}
	s.node, s.armed, s.onAt = nil, false, onAt
	w.push(onAt, eventPower, s)
	return true
}

// powerOn brings a node back, unless its power was cut for longer since the event
// was scheduled.
func (w *World) powerOn(s *station, at time.Time) {
	if s.node == nil && s.onAt.Equal(at) {
		s.node = s.rebuild(w.now)
		w.arm(s)
	}
}

// Record has the observer told what was done to a node from outside. It is only
// valid during the call.
func (w *World) Record(r *trace.Record) {
	if w.cfg.Observer.Record != nil {
		w.cfg.Observer.Record(r)
	}
}

// drain takes everything out of the outbox.
func (w *World) drain(s *station) {
	for i := range w.out.Records {
		w.Record(&w.out.Records[i])
	}
	for i := range w.out.Frames {
		w.send(s, &w.out.Frames[i])
	}
}

func (w *World) send(s *station, f *han.Frame) {
	fate, struck := s.link.Carry(f, s.dice)
	to, known := w.byEUI64[f.Dst]
	if !known || s.down {
		fate, struck = han.Fate{}, 0 // not by a fault of the link
	}
	if struck != 0 { // asked for each frame
		for k := range struck.Each {
			w.struck = k.FrameRecord(w.now, f)
			w.Record(&w.struck)
		}
	}
	if w.cfg.Observer.Frame != nil {
		w.cfg.Observer.Frame(w.now, f, fate)
	}
	for i := range fate.Copies {
		g := &w.push(w.now.Add(fate.Delay[i]), eventFrame, to).frame
		*g = *f
		g.Payload = append(w.buffer(), f.Payload...)
		fault.Turn(g.Payload, fate)
	}
}

func (w *World) buffer() []byte {
	if n := len(w.spare); n > 0 {
		b := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return b
	}
	return make([]byte, 0, 128)
}

// arm takes over a node's next deadline. One that stays where it was keeps its turn.
func (w *World) arm(s *station) {
	next, ok := s.node.NextTimer()
	if ok && (!s.armed || !next.At.Equal(s.wakeAt)) {
		w.sequence++
		s.wakeAt, s.turn = next.At, w.sequence
	}
	s.armed = ok
}

// push schedules an event, whose details the caller fills in at once.
func (w *World) push(at time.Time, kind eventKind, s *station) *event {
	w.sequence++
	e := w.events.push(at, w.sequence)
	e.kind, e.station = kind, s
	return e
}
