package live_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/live"
)

const eui han.EUI64 = 0x00DB1234567890A1

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// node answers each frame with its payload, and tells of each call. Its driver
// serialises the calls.
type node struct {
	calls    []time.Time
	deadline han.Deadline
	set      bool
	fired    chan time.Time // instants that HandleTimer got
	name     string
}

func newNode(name string) *node { return &node{name: name, fired: make(chan time.Time, 10)} }

func (n *node) EUI64() han.EUI64 { return eui }

func (n *node) HandleFrame(now time.Time, f han.Frame, out *han.Outbox) {
	n.calls = append(n.calls, now)
	if string(f.Payload) == "cut" {
		out.Send(han.Frame{Src: eui, Payload: append(out.Payload(), "lost"...)})
		panic(failure(7))
	}
	out.Send(han.Frame{Src: eui, Dst: f.Src, Payload: append(out.Payload(), f.Payload...)})
}

func (n *node) HandleTimer(now time.Time, _ *han.Outbox) {
	n.calls = append(n.calls, now)
	if n.set && !n.deadline.At.After(now) {
		n.set = false
		n.fired <- now
	}
}

func (n *node) NextTimer() (han.Deadline, bool) { return n.deadline, n.set }

type failure int64

func (f failure) PowerFailed() int64 { return int64(f) }
func (f failure) Error() string      { return "power failed" }

// driven is a driver that runs until the test ends.
type driven struct {
	*live.Driver
	clock   *live.Clock
	sent    []string // guarded by the driver
	records []trace.Kind
	rebuilt chan *node
	stop    context.CancelFunc
	done    chan error
}

func drive(t *testing.T, n *node, speed float64, change func(*live.Options)) *driven {
	t.Helper()
	now := time.Now()
	d := &driven{
		clock:   live.NewClock(live.Anchor{Wall: now, Emulated: emulated, Speed: speed}),
		rebuilt: make(chan *node, 10), done: make(chan error, 1),
	}
	o := live.Options{
		Clock:   d.clock,
		Send:    func(f han.Frame) { d.sent = append(d.sent, string(bytes.Clone(f.Payload))) },
		Records: func(r *trace.Record) { d.records = append(d.records, r.Kind) },
		Rebuild: func(time.Time) han.Node {
			m := newNode("rebuilt")
			d.rebuilt <- m
			return m
		},
	}
	if change != nil {
		change(&o)
	}
	d.Driver = live.New(n, o)
	ctx, cancel := context.WithCancel(t.Context())
	d.stop = cancel
	go func() { d.done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-d.done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return d
}

// end stops the driver and waits for it.
func (d *driven) end(t *testing.T) {
	t.Helper()
	d.stop()
	if err := receive(t, d.done); err != nil {
		t.Fatalf("Run: %v", err)
	}
	d.done <- nil // for the cleanup
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func frame(payload string) han.Frame { return han.Frame{Src: 1, Dst: eui, Payload: []byte(payload)} }

func TestACommandRunsOnTheNodeAndItsFramesLeave(t *testing.T) {
	n := newNode("first")
	d := drive(t, n, 600, nil)
	err := d.Do(func(now time.Time, on han.Node, out *han.Outbox) {
		if on != han.Node(n) {
			t.Errorf("ran on %v", on)
		}
		if now.Before(emulated) {
			t.Errorf("ran at %v, before the anchor %v", now, emulated)
		}
		out.Send(han.Frame{Src: eui, Payload: append(out.Payload(), "command"...)})
	})
	if err != nil {
		t.Fatal(err)
	}
	d.Deliver(frame("hello"))
	d.end(t)
	if want := []string{"command", "hello"}; !slices.Equal(d.sent, want) {
		t.Errorf("sent %q, want %q", d.sent, want)
	}
}

func TestAStoppedDriverCallsTheNodeNoMore(t *testing.T) {
	n := newNode("first")
	d := drive(t, n, 1, nil)
	d.end(t)
	d.Deliver(frame("too late"))
	d.Cut()
	ran := false
	if err := d.Do(func(time.Time, han.Node, *han.Outbox) { ran = true }); !errors.Is(err, live.ErrStopped) {
		t.Errorf("Do: %v, want %v", err, live.ErrStopped)
	}
	d.Node(func(_ time.Time, on han.Node) {
		if on != nil {
			t.Errorf("Node got %v", on)
		}
	})
	if ran || len(d.sent) > 0 || len(n.calls) > 0 || len(d.rebuilt) > 0 {
		t.Errorf("after the end: command ran %v, sent %q, %d calls, %d rebuilt", ran, d.sent, len(n.calls), len(d.rebuilt))
	}
}

func TestACommandDoesNotRunWhileThePowerIsOff(t *testing.T) {
	d := drive(t, newNode("first"), 1, func(o *live.Options) { o.Off = time.Hour })
	d.Cut()
	err := d.Do(func(time.Time, han.Node, *han.Outbox) { t.Error("it ran") })
	if !errors.Is(err, live.ErrOff) {
		t.Errorf("Do: %v, want %v", err, live.ErrOff)
	}
	d.Node(func(_ time.Time, on han.Node) {
		if on != nil {
			t.Errorf("Node got %v", on)
		}
	})
	d.Deliver(frame("nobody hears this"))
	d.end(t)
	if len(d.sent) > 0 {
		t.Errorf("sent %q", d.sent)
	}
}

func TestACommandAfterAPowerCutRunsOnTheNewNode(t *testing.T) {
	d := drive(t, newNode("first"), 1, nil)
	d.Cut()
	receive(t, d.rebuilt)
	name := ""
	if err := d.Do(func(_ time.Time, n han.Node, _ *han.Outbox) { name = n.(*node).name }); err != nil {
		t.Fatal(err)
	}
	if name != "rebuilt" {
		t.Errorf("ran on the %s node", name)
	}
}

func TestWhatANodeSaidInThePowerCutIsLost(t *testing.T) {
	for name, cut := range map[string]func(d *driven) error{
		"by a frame": func(d *driven) error {
			d.Deliver(frame("cut"))
			return live.ErrOff
		},
		"by a command": func(d *driven) error {
			return d.Do(func(now time.Time, n han.Node, out *han.Outbox) { n.HandleFrame(now, frame("cut"), out) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := drive(t, newNode("first"), 1, nil)
			if err := cut(d); !errors.Is(err, live.ErrOff) {
				t.Errorf("the command returned %v, want %v", err, live.ErrOff)
			}
			receive(t, d.rebuilt)
			d.end(t)
			if len(d.sent) > 0 {
				t.Errorf("sent %q", d.sent)
			}
			if want := []trace.Kind{trace.PowerCut}; !slices.Equal(d.records, want) {
				t.Errorf("recorded %v, want %v", d.records, want)
			}
		})
	}
}

func TestAPowerCutEndsADriverThatCannotRebuild(t *testing.T) {
	d := drive(t, newNode("first"), 1, func(o *live.Options) { o.Rebuild = nil })
	d.Cut()
	if err := receive(t, d.done); err == nil {
		t.Error("Run returned no reason")
	}
	d.done <- nil
	if err := d.Do(func(time.Time, han.Node, *han.Outbox) {}); !errors.Is(err, live.ErrStopped) {
		t.Errorf("Do: %v, want %v", err, live.ErrStopped)
	}
}

func TestAScheduledDeadlineFiresAtTheInstantItNames(t *testing.T) {
	n := newNode("first")
	n.deadline, n.set = han.Deadline{At: emulated.Add(time.Minute)}, true
	d := drive(t, n, 3600, nil)
	if at := receive(t, n.fired); !at.Equal(n.deadline.At) {
		t.Errorf("fired at %v, want %v", at, n.deadline.At)
	}
	d.end(t)
}

// TestPatienceDoesNotShrinkUnderItsFloor: 1 ms of the emulated clock is 0.3 µs, in
// which no peer can answer.
func TestPatienceDoesNotShrinkUnderItsFloor(t *testing.T) {
	const floor = 50 * time.Millisecond
	n := newNode("first")
	n.deadline, n.set = han.Deadline{At: emulated.Add(time.Millisecond), Patience: true}, true
	began := time.Now()
	d := drive(t, n, 3600, func(o *live.Options) { o.Patience = floor })
	at := receive(t, n.fired)
	if waited := time.Since(began); waited < floor {
		t.Errorf("patience ended after %v, want at least %v", waited, floor)
	}
	if least := emulated.Add(3600 * floor); at.Before(least) {
		t.Errorf("fired at %v, before the clock reached %v", at, least)
	}
	d.end(t)
}

func TestANodeLearnsOfADeadlineThatMovedForward(t *testing.T) {
	n := newNode("first")
	n.deadline, n.set = han.Deadline{At: emulated.Add(1000 * time.Hour)}, true
	d := drive(t, n, 1, nil)
	soon := emulated // over already
	if err := d.Do(func(time.Time, han.Node, *han.Outbox) { n.deadline.At = soon }); err != nil {
		t.Fatal(err)
	}
	receive(t, n.fired)
	d.end(t)
}

func TestSettingTheClockMovesTheDeadlines(t *testing.T) {
	n := newNode("first")
	n.deadline, n.set = han.Deadline{At: emulated.Add(1000 * time.Hour)}, true
	d := drive(t, n, 1, nil)
	d.clock.Set(live.Anchor{Wall: time.Now(), Emulated: emulated.Add(1001 * time.Hour), Speed: 1})
	d.Wake()
	if at := receive(t, n.fired); !at.Equal(n.deadline.At) {
		t.Errorf("fired at %v, want %v", at, n.deadline.At)
	}
	d.end(t)
}

func TestANodesTimeDoesNotGoBackWithTheClock(t *testing.T) {
	n := newNode("first")
	d := drive(t, n, 1, nil)
	d.Deliver(frame("one"))
	d.clock.Set(live.Anchor{Wall: time.Now(), Emulated: emulated.Add(-time.Hour), Speed: 1})
	d.Deliver(frame("two"))
	var looked time.Time
	d.Node(func(now time.Time, _ han.Node) { looked = now })
	d.end(t)
	if len(n.calls) != 2 || n.calls[1].Before(n.calls[0]) || looked.Before(n.calls[1]) {
		t.Errorf("calls at %v, looked at %v", n.calls, looked)
	}
}
