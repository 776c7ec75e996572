// Package live runs a node in real time, or faster: the other driver of the
// contract in package han, beside transport/sim.
//
// A [Driver] makes one call at a time on its node. Frames are handled on the
// goroutine of the link that delivers them, because handing them over to another
// one costs more than handling them; the driver's own goroutine fires deadlines.
// Outgoing frames are handed to the link before the next call.
//
// With an accelerated clock, scheduled deadlines shrink with it. Patience, the
// time a node gives a peer to answer, never drops under a floor in real time, so
// that a fast clock cannot fake packet loss. A scheduled deadline fires at the
// instant it names, not at the later one at which the goroutine woke.
package live

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
)

// DefaultPatience is the floor under patience in real time.
const DefaultPatience = 500 * time.Millisecond

// Options are how a driver meets the world around it.
type Options struct {
	Clock *Clock
	// Send carries a frame away; the payload is only valid during the call.
	Send func(f han.Frame)
	// Records, if set, sees each record; it is only valid during the call.
	Records func(r *trace.Record)
	// Frames, if set, sees each frame that the node sends or takes.
	Frames func(now time.Time, f *han.Frame)
	// Patience is the floor; 0 means DefaultPatience.
	Patience time.Duration
	// Rebuild makes the node anew after its power was cut; see han.PowerFailure.
	// Without it a power cut ends the driver.
	Rebuild func(now time.Time) han.Node
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

// Driver runs one node.
type Driver struct {
	opt Options

	mu    sync.Mutex // serialises calls on the node
	node  han.Node   // nil while its power is off
	out   han.Outbox
	last  time.Time // now of the last call
	armed time.Time // wall instant at which the goroutine will wake
	seen  patience
	fault error // why the node stopped
	ended bool

	kick chan struct{}
}

// patience remembers when a patience deadline was first seen, in real time.
type patience struct {
	at   time.Time // the deadline
	wall time.Time
}

// New returns a driver for a node that Run will run.
func New(node han.Node, opt Options) *Driver {
	if opt.Patience == 0 {
		opt.Patience = DefaultPatience
	}
	if opt.Records == nil {
		opt.Records = func(*trace.Record) {}
	}
	return &Driver{opt: opt, node: node, kick: make(chan struct{}, 1)}
}

// Run fires the node's deadlines until ctx ends or the node cannot go on. It
// returns the reason in the second case.
func (d *Driver) Run(ctx context.Context) error {
	defer d.stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.kick:
		case <-timer.C:
		}
		wait, err := d.fire()
		if err != nil {
			return err
		}
		timer.Reset(wait)
	}
}

func (d *Driver) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
}

// idle is how long the goroutine sleeps if the node has no deadline.
const idle = time.Hour

// fire calls HandleTimer if a deadline is due and returns how long to wait for the
// next.
func (d *Driver) fire() (time.Duration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		return 0, d.fault
	}
	wait, due := d.next()
	if due != nil {
		d.call(*due, func(now time.Time) { d.node.HandleTimer(now, &d.out) })
		wait, _ = d.next()
		wait = max(0, wait)
	}
	d.armed = time.Now().Add(wait)
	return wait, d.fault
}

// next returns how long to wait for the earliest deadline, or the emulated instant
// to fire it at if it is due.
func (d *Driver) next() (wait time.Duration, due *time.Time) {
	if d.node == nil {
		return idle, nil
	}
	deadline, ok := d.node.NextTimer()
	if !ok {
		return idle, nil
	}
	wall := time.Now()
	wait = d.opt.Clock.Until(wall, deadline.At)
	at := deadline.At
	if deadline.Patience {
		if !d.seen.at.Equal(deadline.At) {
			d.seen = patience{deadline.At, wall}
		}
		wait = max(wait, d.seen.wall.Add(d.opt.Patience).Sub(wall))
		at = d.opt.Clock.At(wall)
	}
	if wait > 0 {
		return min(wait, idle), nil
	}
	return 0, &at
}

// Deliver hands the node a frame that the link received. The payload is only used
// during the call.
func (d *Driver) Deliver(f han.Frame) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.node == nil || d.ended || d.fault != nil {
		return
	}
	now := d.opt.Clock.Now()
	if d.opt.Frames != nil {
		d.opt.Frames(now, &f)
	}
	d.call(now, func(now time.Time) { d.node.HandleFrame(now, f, &d.out) })
	d.rearm()
}

// Do runs a command from outside on the node that runs now, between two calls. A
// command must not keep the node: a power cut replaces it.
func (d *Driver) Do(f func(now time.Time, n han.Node, out *han.Outbox)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || d.fault != nil {
		return ErrStopped
	}
	if d.node == nil {
		return ErrOff
	}
	alive := d.call(d.opt.Clock.Now(), func(now time.Time) { f(now, d.node, &d.out) })
	d.rearm()
	if !alive {
		return ErrOff
	}
	return nil
}

// Wake has the deadlines looked at anew, after the clock was set.
func (d *Driver) Wake() {
	select {
	case d.kick <- struct{}{}:
	default:
	}
}

// rearm wakes the goroutine if the next deadline is earlier than it expects. One
// that moved away is left to a wake-up in vain, which is cheaper than a wake-up at
// each block.
func (d *Driver) rearm() {
	wait, due := d.next()
	if due != nil || time.Now().Add(wait).Before(d.armed) || d.fault != nil {
		d.Wake()
	}
}

// call makes one call with an instant that does not go backwards, and drains the
// outbox. It reports false if the node's power failed in it.
func (d *Driver) call(now time.Time, f func(now time.Time)) (alive bool) {
	now = d.onward(now)
	d.last = now
	defer d.out.Reset()
	if !d.survive(now, f) {
		return false
	}
	for i := range d.out.Records {
		d.opt.Records(&d.out.Records[i])
	}
	for i := range d.out.Frames {
		if d.opt.Frames != nil {
			d.opt.Frames(now, &d.out.Frames[i])
		}
		d.opt.Send(d.out.Frames[i])
	}
	return true
}

// onward returns an instant that is not before the last call's: a clock may be set
// back, a node's time not.
func (d *Driver) onward(now time.Time) time.Time {
	if now.Before(d.last) {
		return d.last
	}
	return now
}

// survive calls f and reports false if the node's power failed in it.
func (d *Driver) survive(now time.Time, f func(now time.Time)) (alive bool) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case han.PowerFailure:
			d.powerCut(now, v)
		default:
			panic(v)
		}
	}()
	f(now)
	return true
}

// powerCut drops the node and has it rebuilt from its bytes later.
func (d *Driver) powerCut(now time.Time, failure han.PowerFailure) {
	eui := d.node.EUI64()
	d.opt.Records(&trace.Record{At: now, Node: uint64(eui), Kind: trace.PowerCut, Count: uint32(failure.PowerFailed())})
	d.cut()
}

// Cut switches the node's power off, as at a socket.
func (d *Driver) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.node != nil && !d.ended {
		d.cut()
	}
}

func (d *Driver) cut() {
	d.node = nil
	if d.opt.Rebuild == nil {
		d.fault = errors.New("power cut, and nothing to start again")
		d.Wake()
		return
	}
	off := time.Duration(float64(d.opt.Off) / d.opt.Clock.Anchor().Speed)
	time.AfterFunc(off, d.powerUp)
}

func (d *Driver) powerUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || d.node != nil {
		return
	}
	d.node = d.opt.Rebuild(d.onward(d.opt.Clock.Now()))
	d.Wake()
}

// Node runs f with the node between two calls, to look at it. f gets nil while the
// node's power is off, and after Run.
func (d *Driver) Node(f func(now time.Time, n han.Node)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	node := d.node
	if d.ended {
		node = nil
	}
	f(d.onward(d.opt.Clock.Now()), node)
}
