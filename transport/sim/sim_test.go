package sim_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/fault"
	"github.com/commshub/commshub/transport/radio"
	"github.com/commshub/commshub/transport/sim"
)

const (
	alice han.EUI64 = 0xA
	bob   han.EUI64 = 0xB
)

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// node writes down what happens to it, and does what it is told.
type node struct {
	eui   han.EUI64
	diary []string
	// deadlines fire one after the other; each sends its text to the other node.
	deadlines []deadline
	onFrame   func(now time.Time, f han.Frame, out *han.Outbox)
}

type deadline struct {
	at   time.Time
	text string
}

func (n *node) EUI64() han.EUI64 { return n.eui }

func (n *node) HandleFrame(now time.Time, f han.Frame, out *han.Outbox) {
	n.note(now, "got %s", f.Payload)
	if n.onFrame != nil {
		n.onFrame(now, f, out)
	}
}

func (n *node) HandleTimer(now time.Time, out *han.Outbox) {
	if len(n.deadlines) == 0 || n.deadlines[0].at.After(now) {
		n.note(now, "called in vain")
		return
	}
	text := n.deadlines[0].text
	n.deadlines = n.deadlines[1:]
	n.note(now, "fired %s", text)
	if text == "cut" {
		n.send(out, "lost with the power")
		panic(failure(3))
	}
	n.send(out, text)
}

func (n *node) NextTimer() (han.Deadline, bool) {
	if len(n.deadlines) == 0 {
		return han.Deadline{}, false
	}
	return han.Deadline{At: n.deadlines[0].at}, true
}

func (n *node) send(out *han.Outbox, text string) {
	out.Send(han.Frame{Src: n.eui, Dst: alice + bob - n.eui, Payload: append(out.Payload(), text...)})
}

func (n *node) note(now time.Time, format string, args ...any) {
	n.diary = append(n.diary, fmt.Sprintf("%v %s", now.Sub(start), fmt.Sprintf(format, args...)))
}

type failure int64

func (f failure) Error() string      { return "power failed" }
func (f failure) PowerFailed() int64 { return int64(f) }

// pair is a world with two nodes.
type pair struct {
	*sim.World
	alice, bob *node
	records    []trace.Record
	fates      []han.Fate
}

func newPair(seed uint64, link radio.Link) *pair {
	p := &pair{alice: &node{eui: alice}, bob: &node{eui: bob}}
	if link.Params.ByteTime == 0 {
		link.Params = phy.Band2G4()
	}
	p.World = sim.New(sim.Config{
		Start: start, Seed: seed, Link: link,
		Observer: han.Observer{
			Record: func(r *trace.Record) { p.records = append(p.records, *r) },
			Frame:  func(_ time.Time, _ *han.Frame, fate han.Fate) { p.fates = append(p.fates, fate) },
		},
	})
	for _, n := range []**node{&p.alice, &p.bob} {
		p.Add(*n, func(now time.Time) han.Node {
			(*n) = &node{eui: (*n).eui, diary: append((*n).diary, fmt.Sprintf("%v rebuilt", now.Sub(start)))}
			return *n
		})
	}
	return p
}

// say has alice send texts, one event each, one second apart.
func (p *pair) say(t *testing.T, texts ...string) {
	t.Helper()
	for i, text := range texts {
		p.Schedule(p.Now().Add(time.Duration(i)*time.Second), func() {
			err := p.Do(alice, func(_ time.Time, n han.Node, out *han.Outbox) { n.(*node).send(out, text) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	p.Run(p.Now().Add(time.Duration(len(texts)) * time.Second))
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestAFrameTakesItsTimeOnTheAir(t *testing.T) {
	p := newPair(1, radio.Link{})
	p.say(t, "hello")
	band := phy.Band2G4()
	expect(t, p.bob.diary, fmt.Sprintf("%v got hello", band.Delay(5)+band.Host))
	if got, want := p.Now(), start.Add(time.Second); !got.Equal(want) {
		t.Errorf("it is %v, want %v", got, want)
	}
}

func TestEventsOfOneInstantHappenInTheOrderOfScheduling(t *testing.T) {
	p := newPair(1, radio.Link{})
	var order []int
	for i := range 100 {
		p.Schedule(start.Add(time.Minute), func() { order = append(order, i) })
	}
	p.Schedule(start.Add(time.Second), func() { order = append(order, -1) })
	p.Run(start.Add(time.Hour))
	if len(order) != 101 || order[0] != -1 || !slices.IsSorted(order) {
		t.Errorf("order %v", order)
	}
}

// A deadline has its turn from when the node set it there, whatever it does in between.
func TestADeadlineHasItsTurnAmongEventsOfItsInstant(t *testing.T) {
	p := newPair(1, radio.Link{})
	at := start.Add(time.Minute)
	note := func(text string) func() {
		return func() { p.alice.note(p.Now(), "saw %s", text) }
	}
	set := func(deadlines ...deadline) {
		if err := p.Do(alice, func(_ time.Time, n han.Node, _ *han.Outbox) { n.(*node).deadlines = deadlines }); err != nil {
			t.Fatal(err)
		}
	}
	p.Schedule(at, note("the first"))
	set(deadline{at, "deadline"})
	p.Schedule(at, note("the second"))
	set(deadline{at, "deadline"}) // where it was
	p.Run(at)
	expect(t, p.alice.diary, "1m0s saw the first", "1m0s fired deadline", "1m0s saw the second")
}

func TestADeadlineFiresOnceAtItsInstantHoweverItMoves(t *testing.T) {
	p := newPair(1, radio.Link{})
	move := func(at, to time.Duration) {
		p.Schedule(start.Add(at), func() {
			if err := p.Do(alice, func(time.Time, han.Node, *han.Outbox) {
				p.alice.deadlines = []deadline{{start.Add(to), "tick"}}
			}); err != nil {
				t.Error(err)
			}
		})
	}
	move(0, 10*time.Second)
	move(time.Second, time.Hour)     // away
	move(2*time.Second, time.Minute) // and half back
	p.Run(start.Add(2 * time.Hour))
	expect(t, p.alice.diary, "1m0s fired tick")
}

func TestTheSameSeedGivesTheSameRun(t *testing.T) {
	run := func(seed uint64, third bool) []string {
		p := newPair(seed, radio.Link{Faults: fault.Link{Loss: 300_000, Duplication: 200_000, Reordering: 500_000, ReorderBy: time.Second, Corruption: 100_000}})
		if third {
			chatter := &node{eui: 0xC}
			p.Add(chatter, nil)
			for i := range 20 {
				chatter.deadlines = append(chatter.deadlines, deadline{start.Add(time.Duration(i) * time.Second), "noise"})
			}
		}
		p.say(t, strings.Split("one two three four five six seven eight nine ten", " ")...)
		return p.bob.diary
	}
	first := run(1, false)
	expect(t, run(1, false), first...)
	expect(t, run(1, true), first...) // another node has dice of its own
	if slices.Equal(run(2, false), first) {
		t.Error("another seed gives the same run")
	}
}

func TestQualitiesOfALink(t *testing.T) {
	const always = fault.Million
	t.Run("loss", func(t *testing.T) {
		p := newPair(1, radio.Link{Faults: fault.Link{Loss: always}})
		p.say(t, "hello")
		expect(t, p.bob.diary)
	})
	t.Run("one link only", func(t *testing.T) {
		p := newPair(1, radio.Link{})
		p.SetLink(bob, radio.Link{Params: phy.Band2G4(), Faults: fault.Link{Loss: always}})
		p.bob.onFrame = func(_ time.Time, _ han.Frame, out *han.Outbox) { p.bob.send(out, "answer") }
		p.say(t, "hello")
		if len(p.bob.diary) != 1 || len(p.alice.diary) != 0 {
			t.Errorf("bob %q, alice %q", p.bob.diary, p.alice.diary)
		}
	})
	t.Run("duplicates", func(t *testing.T) {
		p := newPair(1, radio.Link{Faults: fault.Link{Duplication: always}})
		p.say(t, "hello")
		if len(p.bob.diary) != 2 {
			t.Errorf("bob %q", p.bob.diary)
		}
	})
	t.Run("corruption", func(t *testing.T) {
		p := newPair(1, radio.Link{Faults: fault.Link{Corruption: always, Duplication: always}})
		sent, got := []byte("hello"), [][]byte{}
		p.bob.onFrame = func(_ time.Time, f han.Frame, _ *han.Outbox) { got = append(got, bytes.Clone(f.Payload)) }
		p.say(t, string(sent))
		if len(got) != 2 {
			t.Fatalf("%d frames", len(got))
		}
		for _, g := range got {
			flipped := 0
			for i := range g {
				flipped += bits.OnesCount8(g[i] ^ sent[i])
			}
			if flipped != 1 {
				t.Errorf("%q became %q: %d bits flipped", sent, g, flipped)
			}
		}
	})
}

func TestAPartitionedNodeIsAloneUntilItIsJoinedAgain(t *testing.T) {
	p := newPair(1, radio.Link{})
	p.Partition(bob, true)
	p.say(t, "to bob")
	p.Partition(bob, false)
	p.Partition(alice, true)
	p.say(t, "from alice")
	p.Partition(alice, false)
	p.say(t, "both there")
	if len(p.bob.diary) != 1 || !strings.HasSuffix(p.bob.diary[0], "got both there") {
		t.Errorf("bob %q", p.bob.diary)
	}
}

func TestAFrameToNobodyIsLost(t *testing.T) {
	p := newPair(1, radio.Link{})
	if err := p.Do(alice, func(_ time.Time, _ han.Node, out *han.Outbox) {
		out.Send(han.Frame{Src: alice, Dst: 0xFF, Payload: append(out.Payload(), 1)})
	}); err != nil {
		t.Fatal(err)
	}
	p.Run(start.Add(time.Hour))
	if len(p.fates) != 1 || p.fates[0].Copies != 0 {
		t.Errorf("fates %+v", p.fates)
	}
}

func TestANodeWithoutPowerIsSilentUntilItIsRebuilt(t *testing.T) {
	p := newPair(1, radio.Link{})
	p.alice.deadlines = []deadline{{start.Add(10 * time.Second), "never"}}
	if err := p.Do(alice, func(time.Time, han.Node, *han.Outbox) {}); err != nil { // sees the deadline
		t.Fatal(err)
	}
	p.Cut(alice, time.Minute)
	err := p.Do(alice, func(time.Time, han.Node, *han.Outbox) { t.Error("a command ran on a dropped node") })
	if !errors.Is(err, sim.ErrOff) {
		t.Errorf("Do: %v, want %v", err, sim.ErrOff)
	}
	if err := p.Do(bob, func(_ time.Time, n han.Node, out *han.Outbox) { n.(*node).send(out, "hello?") }); err != nil {
		t.Fatal(err)
	}
	p.Run(start.Add(time.Hour))
	expect(t, p.alice.diary, "1m0s rebuilt")
	if err := p.Do(alice, func(_ time.Time, n han.Node, _ *han.Outbox) {
		if n != han.Node(p.alice) {
			t.Error("a command ran on another node than the rebuilt one")
		}
	}); err != nil {
		t.Error(err)
	}
}

func TestOfSeveralCutsTheLongestCounts(t *testing.T) {
	for name, cuts := range map[string][2]time.Duration{
		"the longer first": {time.Minute, time.Second}, "the longer second": {time.Second, time.Minute},
		"the same twice": {time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(1, radio.Link{})
			p.Cut(alice, cuts[0])
			p.Cut(alice, cuts[1])
			p.Run(start.Add(time.Hour))
			expect(t, p.alice.diary, "1m0s rebuilt")
		})
	}
}

func TestWhatANodeSaidWhenItsPowerFailedIsLost(t *testing.T) {
	p := newPair(1, radio.Link{})
	p.alice.deadlines = []deadline{{start.Add(time.Second), "cut"}}
	p.Cut(bob, time.Hour) // as long as it takes here does not matter to alice
	if err := p.Do(alice, func(time.Time, han.Node, *han.Outbox) {}); err != nil {
		t.Fatal(err)
	}
	p.Run(start.Add(time.Minute))
	expect(t, p.alice.diary, "1s fired cut", fmt.Sprintf("%v rebuilt", time.Second+sim.DefaultOff))
	if len(p.fates) > 0 {
		t.Errorf("%d frames were sent", len(p.fates))
	}
	want := []trace.Record{
		{At: start, Node: uint64(bob), Kind: trace.PowerCut},
		{At: start.Add(time.Second), Node: uint64(alice), Kind: trace.PowerCut, Count: 3},
	}
	if !slices.Equal(p.records, want) {
		t.Errorf("records %v, want %v", p.records, want)
	}
}

// TestAFaultIsRecordedWhenItStrikes, and not when it changes nothing.
func TestAFaultIsRecordedWhenItStrikes(t *testing.T) {
	p := newPair(1, radio.Link{Faults: fault.Link{Loss: fault.Million}})
	say := func(text string) {
		if err := p.Do(alice, func(_ time.Time, n han.Node, out *han.Outbox) { n.(*node).send(out, text) }); err != nil {
			t.Fatal(err)
		}
	}
	say("lost")
	p.Partition(bob, false) // as it is
	p.Partition(alice, true)
	p.Partition(alice, true)
	say("cut off, and not by the link")
	p.Partition(alice, false)
	p.Cut(alice, time.Minute)
	p.Cut(alice, time.Second) // off for longer already
	p.Cut(alice, time.Hour)
	var got []string
	for _, r := range p.records {
		got = append(got, r.Kind.String())
		if r.Node != uint64(alice) || r.Kind == trace.FrameLost && (r.Peer != uint64(bob) || r.Size != 4) {
			t.Errorf("%v", r)
		}
	}
	expect(t, got, "frame-lost", "partition-started", "partition-ended", "power-cut", "power-cut")
}

// TestALinkThatLosesDoesNotAllocate for it: benchmarks and streets lose millions.
func TestALinkThatLosesDoesNotAllocate(t *testing.T) {
	n := 0
	w := sim.New(sim.Config{
		Start: start, Link: radio.Link{Params: phy.Band2G4(), Faults: fault.Link{Loss: fault.Million}},
		Observer: han.Observer{Record: func(*trace.Record) { n++ }},
	})
	a := &node{eui: alice}
	w.Add(a, nil)
	w.Add(&node{eui: bob}, nil)
	say := func(_ time.Time, _ han.Node, out *han.Outbox) { a.send(out, "lost") }
	if allocs := testing.AllocsPerRun(1000, func() { _ = w.Do(alice, say) }); allocs > 0 || n < 1000 {
		t.Errorf("%v allocations a frame, %d records", allocs, n)
	}
}

func TestAFailingCommandSaysThatThePowerIsOff(t *testing.T) {
	p := newPair(1, radio.Link{})
	err := p.Do(alice, func(time.Time, han.Node, *han.Outbox) { panic(failure(1)) })
	if !errors.Is(err, sim.ErrOff) {
		t.Errorf("Do: %v, want %v", err, sim.ErrOff)
	}
}

func TestAProgrammersMistakeIsNoPowerCut(t *testing.T) {
	p := newPair(1, radio.Link{})
	defer func() {
		if v := recover(); v != "a mistake" {
			t.Errorf("recovered %v", v)
		}
	}()
	_ = p.Do(alice, func(time.Time, han.Node, *han.Outbox) { panic("a mistake") })
	t.Error("no panic")
}

func TestTimeDoesNotGoBack(t *testing.T) {
	p := newPair(1, radio.Link{})
	p.Run(start.Add(time.Hour))
	p.Run(start)
	if got := p.Now(); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("it is %v", got)
	}
	var at time.Time
	p.Schedule(start, func() { at = p.Now() }) // over already: happens now
	p.Run(start.Add(2 * time.Hour))
	if !at.Equal(start.Add(time.Hour)) {
		t.Errorf("an event of the past happened at %v", at)
	}
}

func TestRunUntilStopsAtTheEventThatDoesIt(t *testing.T) {
	p := newPair(1, radio.Link{})
	n := 0
	for i := range 10 {
		p.Schedule(start.Add(time.Duration(i)*time.Minute), func() { n++ })
	}
	if !p.RunUntil(start.Add(time.Hour), func() bool { return n == 3 }) || n != 3 || !p.Now().Equal(start.Add(2*time.Minute)) {
		t.Errorf("stopped after %d events at %v", n, p.Now())
	}
	if p.RunUntil(start.Add(time.Hour), func() bool { return n == 11 }) || n != 10 || !p.Now().Equal(start.Add(time.Hour)) {
		t.Errorf("gave up after %d events at %v", n, p.Now())
	}
	if p.Step() {
		t.Error("an event was left")
	}
}

// TestDiceOfANodeDoNotDependOnOthers: the stream for making a node is neither that
// of its link nor that of another node.
func TestDiceOfANodeDoNotDependOnOthers(t *testing.T) {
	draw := func(seed uint64, eui han.EUI64) uint64 { return sim.Dice(seed, eui).Uint64() }
	first := draw(1, alice)
	if again := draw(1, alice); again != first {
		t.Error("the same seed gives another stream")
	}
	if first == draw(1, bob) || first == draw(2, alice) {
		t.Error("another node or seed gives the same stream")
	}
}
