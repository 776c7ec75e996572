package live

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hubID   han.EUI64 = 0xA3
	meterID han.EUI64 = 0xA1
	other   han.EUI64 = 0xA0
)

// node is a hand-made participant: it asks its peer at its deadlines, and answers what
// it is asked. What happens to it stands in the diary.
type node struct {
	eui, peer han.EUI64
	diary     *diary
	next      time.Time
	every     time.Duration // between questions; 0 asks nothing
	patience  time.Duration // after a question
	waiting   bool
	silent    bool // answers nothing
}

type diary struct {
	mu        sync.Mutex
	lines     []string
	followers []*Schedule // of the bubble's clock
}

// moved hands an anchor on, as a broker does.
func (d *diary) moved(a Anchor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.followers {
		go s.SetAnchor(a)
	}
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

func since(now time.Time) time.Duration { return now.Sub(emulated) }

func (n *node) EUI64() han.EUI64 { return n.eui }

func (n *node) HandleFrame(now time.Time, f han.Frame, out *han.Outbox) {
	n.diary.add("%v %X gets %s", since(now), uint64(n.eui), f.Payload)
	switch string(f.Payload) {
	case "question":
		if !n.silent {
			n.send(out, f.Src, "answer")
		}
	case "answer":
		n.waiting = false
		n.next = n.next.Truncate(n.every).Add(n.every)
	case "cut":
		panic(failure(7))
	}
}

func (n *node) send(out *han.Outbox, to han.EUI64, text string) {
	out.Send(han.Frame{Src: n.eui, Dst: to, Payload: append(out.Payload(), text...)})
}

func (n *node) HandleTimer(now time.Time, out *han.Outbox) {
	if n.every == 0 || n.next.After(now) {
		return
	}
	if n.waiting {
		n.diary.add("%v %X gives up", since(now), uint64(n.eui))
		n.waiting = false
		n.next = n.next.Truncate(n.every).Add(n.every)
		return
	}
	n.diary.add("%v %X asks", since(now), uint64(n.eui))
	n.waiting = true
	n.next = now.Add(n.patience)
	n.send(out, n.peer, "question")
}

func (n *node) NextTimer() (han.Deadline, bool) {
	return han.Deadline{At: n.next, Patience: n.waiting}, n.every > 0
}

type failure int64

func (f failure) PowerFailed() int64 { return int64(f) }
func (f failure) Error() string      { return "power failed" }

// wire carries frames and stamps between drivers, each on a goroutine of its own, after
// some time on the wall.
type wire struct {
	mu      sync.Mutex
	drivers map[han.EUI64]*Driver
	takes   time.Duration
	closed  bool
	loses   func(f han.Frame) bool
	sent    int // messages of either kind
	stamps  int // without a frame
	group   sync.WaitGroup
	order   map[[2]han.EUI64]chan func()
}

func newWire(takes time.Duration) *wire {
	return &wire{drivers: map[han.EUI64]*Driver{}, takes: takes, order: map[[2]han.EUI64]chan func(){}}
}

// carry runs f later, in the order of one sender and receiver.
func (w *wire) carry(from, to han.EUI64, f func(d *Driver)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.sent++
	key := [2]han.EUI64{from, to}
	lane, there := w.order[key]
	if !there {
		lane = make(chan func(), 1000)
		w.order[key] = lane
		w.group.Go(func() {
			for f := range lane {
				time.Sleep(w.takes)
				f()
			}
		})
	}
	d := w.drivers[to]
	lane <- func() {
		if d != nil {
			f(d)
		}
	}
}

func (w *wire) close() {
	w.mu.Lock()
	w.closed = true
	for _, lane := range w.order {
		close(lane)
	}
	w.mu.Unlock()
	w.group.Wait()
}

func (w *wire) options(n *node) Options {
	return Options{
		Link: radio.Link{Latency: 100 * time.Millisecond}, Dice: rand.New(rand.NewPCG(1, uint64(n.eui))),
		Send: func(f han.Frame, st *han.Stamp) error {
			f.Payload = slices.Clone(f.Payload)
			if w.loses != nil && w.loses(f) {
				return nil // lost on the way, and nobody knows
			}
			if st != nil {
				copied := *st
				st = &copied
			}
			w.carry(f.Src, f.Dst, func(d *Driver) { d.Deliver(f, st) })
			return nil
		},
		Sync: func(to han.EUI64, st han.Stamp) {
			w.mu.Lock()
			w.stamps++
			w.mu.Unlock()
			w.carry(n.eui, to, func(d *Driver) { d.Sync(n.eui, st) })
		},
		Build: func(time.Time) han.Node { return n },
		Off:   5 * time.Second,
	}
}

// add puts a node on a schedule.
func (w *wire) add(s *Schedule, n *node, change func(*Options)) *Driver {
	o := w.options(n)
	if change != nil {
		change(&o)
	}
	d := New(s, n.eui, o)
	w.mu.Lock()
	w.drivers[n.eui] = d
	w.mu.Unlock()
	return d
}

// bubble runs f in a bubble of time with a schedule that keeps the clock.
func bubble(t *testing.T, speed float64, f func(ctx context.Context, s *Schedule, d *diary)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		d := &diary{}
		s := NewSchedule(Anchor{Wall: time.Now(), Emulated: emulated, Speed: speed}, d.moved)
		go s.Run(ctx)
		f(ctx, s, d)
		cancel()
		synctest.Wait()
	})
}

func expect(t *testing.T, d *diary, want ...string) {
	t.Helper()
	if got := d.all(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// An exchange takes what the radio says on the emulated clock, however long the machine
// takes and however fast the clock runs.
func TestAnExchangeTakesWhatTheRadioSays(t *testing.T) {
	for _, speed := range []float64{0.5, 1, 600, 1e5} {
		for _, takes := range []time.Duration{0, 30 * time.Millisecond, 900 * time.Millisecond} {
			bubble(t, speed, func(_ context.Context, s *Schedule, d *diary) {
				w := newWire(takes)
				defer w.close()
				hub := w.add(s, &node{eui: hubID, diary: d}, nil)
				meter := w.add(s, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(10 * time.Second), every: time.Minute, patience: time.Second}, nil)
				hub.Start()
				meter.Start()
				s.RunUntil(emulated.Add(30*time.Second), nil)
				time.Sleep(time.Duration(float64(40*time.Second)/speed) + 10*time.Second)
				expect(t, d, "10s A1 asks", "10.1s A3 gets question", "10.2s A1 gets answer")
				if now := s.Now(); !now.Equal(emulated.Add(30 * time.Second)) {
					t.Errorf("it is %v, want the end", now)
				}
			})
		}
	}
}

// A frame that the link loses costs its sender's patience, to the nanosecond, and
// nothing on the wall.
func TestALostFrameCostsPatience(t *testing.T) {
	bubble(t, 1e6, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		hub := w.add(s, &node{eui: hubID, diary: d}, nil)
		meter := w.add(s, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(10 * time.Second), every: time.Minute, patience: time.Second},
			func(o *Options) { o.Link.Faults.Loss = fault.Million })
		hub.Start()
		meter.Start()
		began := time.Now()
		s.RunUntil(emulated.Add(30*time.Second), nil)
		time.Sleep(time.Second)
		expect(t, d, "10s A1 asks", "11s A1 gives up")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// A frame that is really lost costs two seconds on the wall, and the same patience.
func TestAFrameThatNeverComesIsGivenUp(t *testing.T) {
	bubble(t, 1e6, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		w.loses = func(f han.Frame) bool { return string(f.Payload) == "question" }
		hub := w.add(s, &node{eui: hubID, diary: d}, nil)
		meter := w.add(s, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(10 * time.Second), every: time.Minute, patience: time.Second}, nil)
		hub.Start()
		meter.Start()
		s.RunUntil(emulated.Add(30*time.Second), nil)
		time.Sleep(lostAfter / 2)
		expect(t, d, "10s A1 asks")
		time.Sleep(lostAfter)
		expect(t, d, "10s A1 asks", "11s A1 gives up")
	})
}

// A frame that reaches a node without power is lost; the node comes back when its time
// off is over, on the emulated clock.
func TestAPowerCutDropsTheNodeForItsTimeOff(t *testing.T) {
	bubble(t, 600, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		var records []trace.Kind
		built := 0
		hub := w.add(s, &node{eui: hubID, diary: d}, nil)
		meter := w.add(s, &node{eui: meterID, diary: d}, func(o *Options) {
			o.Observer.Record = func(r *trace.Record) { records = append(records, r.Kind) }
			o.Build = func(now time.Time) han.Node {
				built++
				d.add("%v built", since(now))
				return &node{eui: meterID, diary: d}
			}
		})
		hub.Start()
		meter.Start()
		tell := func(at time.Duration, text string) {
			hub.DoAt(emulated.Add(at), func(_ time.Time, n han.Node, out *han.Outbox) { n.(*node).send(out, meterID, text) })
		}
		tell(10*time.Second, "cut")
		tell(12*time.Second, "lost")
		tell(20*time.Second, "again")
		s.RunUntil(emulated.Add(time.Minute), nil)
		time.Sleep(time.Second)
		expect(t, d, "0s built", "10.1s A1 gets cut", "15.1s built", "20.1s A1 gets again")
		if !slices.Equal(records, []trace.Kind{trace.PowerCut}) {
			t.Errorf("records %v", records)
		}
	})
}

func TestAPowerCutEndsADriverThatLasts(t *testing.T) {
	bubble(t, 600, func(ctx context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		hub := w.add(s, &node{eui: hubID, diary: d}, func(o *Options) { o.Lasting = true })
		hub.Start()
		done := make(chan error, 1)
		go func() { done <- hub.Run(ctx) }()
		err := hub.Do(func(time.Time, han.Node, *han.Outbox) { panic(failure(1)) })
		if !errors.Is(err, ErrOff) {
			t.Errorf("Do: %v", err)
		}
		if err := <-done; err == nil {
			t.Error("the driver runs on")
		}
		if err := hub.Do(func(time.Time, han.Node, *han.Outbox) {}); !errors.Is(err, ErrStopped) {
			t.Errorf("Do after the end: %v", err)
		}
	})
}

// The clock can be paused in the middle of an exchange, stepped, and run until an
// instant or a condition.
func TestTheClockIsControlled(t *testing.T) {
	bubble(t, 60, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		hub := w.add(s, &node{eui: hubID, diary: d}, nil)
		meter := w.add(s, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(time.Minute), every: time.Minute, patience: time.Second}, nil)
		hub.Start()
		meter.Start()
		at := func(want time.Duration) {
			t.Helper()
			if got := since(s.Now()); got != want {
				t.Errorf("it is %v, want %v", got, want)
			}
		}
		if err := s.Step(); !errors.Is(err, ErrRunning) {
			t.Errorf("a running clock is stepped: %v", err)
		}
		time.Sleep(time.Second / 2)
		s.Pause()
		at(30 * time.Second)
		time.Sleep(time.Hour)
		at(30 * time.Second)
		if next, ok := s.Next(); !ok || since(next) != time.Minute {
			t.Errorf("next is %v, %v", since(next), ok)
		}
		for _, want := range []time.Duration{time.Minute, time.Minute + 100*time.Millisecond} {
			if err := s.Step(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
			at(want)
		}
		expect(t, d, "1m0s A1 asks", "1m0.1s A3 gets question")
		s.RunUntil(time.Time{}, func() bool { return len(d.all()) >= 5 })
		time.Sleep(time.Minute)
		at(2*time.Minute + 100*time.Millisecond)
		s.Resume()
		s.SetSpeed(6)
		time.Sleep(time.Second)
		at(2*time.Minute + 6*time.Second + 100*time.Millisecond)
	})
}

// A machine that cannot follow lets the clock slip; it does not run after what it
// missed.
func TestTheClockSlips(t *testing.T) {
	bubble(t, 60, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(time.Second) // 60 s of emulated time for each frame
		defer w.close()
		hub := w.add(s, &node{eui: hubID, diary: d}, nil)
		meter := w.add(s, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(time.Minute), every: time.Minute, patience: time.Second}, nil)
		hub.Start()
		meter.Start()
		time.Sleep(2500 * time.Millisecond) // a minute, and an exchange that takes two seconds
		if got := since(s.Now()); got != time.Minute+200*time.Millisecond {
			t.Errorf("in the middle of the exchange it is %v", got)
		}
		time.Sleep(1500 * time.Millisecond) // the exchange is over for a second
		if got := since(s.Now()); got < 2*time.Minute-time.Second || got > 2*time.Minute+time.Second {
			t.Errorf("after the exchange it is %v", got)
		}
	})
}

func TestAClockThatIsSetBackDoesNotTurnANodesTime(t *testing.T) {
	bubble(t, 60, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		hub := w.add(s, &node{eui: hubID, diary: d}, nil)
		hub.Start()
		time.Sleep(time.Minute)
		var before, after time.Time
		_ = hub.Do(func(now time.Time, _ han.Node, _ *han.Outbox) { before = now })
		s.SetAnchor(Anchor{Wall: time.Now(), Emulated: emulated, Speed: 60})
		_ = hub.Do(func(now time.Time, _ han.Node, _ *han.Outbox) { after = now })
		if after.Before(before) {
			t.Errorf("from %v back to %v", before, after)
		}
	})
}
