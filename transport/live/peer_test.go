package live

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/commshub/commshub/han"
)

// apart is a hub that keeps the clock, and devices that follow it, each with a schedule
// of its own as in processes of their own.
type apart struct {
	*wire
	keeper *Schedule
	hub    *Driver
	silent map[han.EUI64]bool
}

func keepApart(s *Schedule, d *diary, takes time.Duration) *apart {
	a := &apart{wire: newWire(takes), keeper: s, silent: map[han.EUI64]bool{}}
	a.hub = a.add(s, &node{eui: hubID, diary: d}, func(o *Options) {
		o.Silent = func(peer han.EUI64, silent bool) { a.silent[peer] = silent }
	})
	a.hub.Start()
	return a
}

// follow starts a device that joins the keeper's clock.
func (a *apart) follow(ctx context.Context, n *node) *Driver {
	s := NewSchedule(a.keeper.Anchor(), nil)
	n.diary.follow(s)
	go s.Run(ctx)
	d := a.add(s, n, func(o *Options) { o.Eager = true })
	answered := make(chan struct{})
	d.Join(hubID, answered)
	<-answered
	d.Start()
	return d
}

func (d *diary) follow(s *Schedule) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.followers = append(d.followers, s)
}

func TestProcessesKeepTimeTogether(t *testing.T) {
	bubble(t, 600, func(ctx context.Context, s *Schedule, d *diary) {
		s.Pause()
		a := keepApart(s, d, 200*time.Millisecond)
		defer a.close()
		a.follow(ctx, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(30 * time.Minute), every: 30 * time.Minute, patience: time.Second})
		a.follow(ctx, &node{eui: other, peer: hubID, diary: d, next: emulated.Add(20 * time.Minute), every: 20 * time.Minute, patience: time.Second})
		s.RunUntil(emulated.Add(65*time.Minute), nil)
		time.Sleep(20 * time.Second)
		want := []string{
			"20m0s A0 asks", "20m0.1s A3 gets question", "20m0.2s A0 gets answer",
			"30m0s A1 asks", "30m0.1s A3 gets question", "30m0.2s A1 gets answer",
			"40m0s A0 asks", "40m0.1s A3 gets question", "40m0.2s A0 gets answer",
			"1h0m0s A0 asks", "1h0m0.1s A3 gets question", "1h0m0.2s A0 gets answer",
			"1h0m0s A1 asks", "1h0m0.1s A3 gets question", "1h0m0.2s A1 gets answer",
		}
		got := d.all()
		slices.Sort(got) // devices that do not meet may be told in another order
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	})
}

// Blocks cost no message besides their frames.
func TestAnExchangeBetweenProcessesNeedsNoStampsAlone(t *testing.T) {
	bubble(t, 1e5, func(ctx context.Context, s *Schedule, d *diary) {
		a := keepApart(s, d, time.Millisecond)
		defer a.close()
		a.follow(ctx, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(time.Second), every: time.Second, patience: 900 * time.Millisecond})
		s.RunUntil(emulated.Add(1000*time.Second), nil)
		time.Sleep(time.Minute)
		if n := len(d.all()); n < 2900 {
			t.Fatalf("%d lines", n)
		}
		// After each answer the device sleeps, and tells until when: one message for each
		// of these short sleeps, and one that lets it go on.
		if a.stamps > 2100 {
			t.Errorf("%d stamps alone for 1000 exchanges", a.stamps)
		}
	})
}

// A frame that is really lost between processes is found by its number: it costs wall
// time, and on the emulated clock the patience it costs everywhere.
func TestALossBetweenProcessesIsFound(t *testing.T) {
	for _, lost := range []string{"question", "answer"} {
		bubble(t, 600, func(ctx context.Context, s *Schedule, d *diary) {
			a := keepApart(s, d, 10*time.Millisecond)
			defer a.close()
			a.loses = func(f han.Frame) bool { return string(f.Payload) == lost }
			a.follow(ctx, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(30 * time.Minute), every: 30 * time.Minute, patience: time.Second})
			s.RunUntil(emulated.Add(35*time.Minute), nil)
			time.Sleep(20 * time.Second)
			want := []string{"30m0s A1 asks", "30m1s A1 gives up"}
			if lost == "answer" {
				want = slices.Insert(want, 1, "30m0.1s A3 gets question")
			}
			expect(t, d, want...)
		})
	}
}

// Without the last word of a device that died the clock waits, names it and goes on; it
// waits again for one that speaks.
func TestADeviceThatDiesHoldsTheClockForAWhile(t *testing.T) {
	bubble(t, 600, func(ctx context.Context, s *Schedule, d *diary) {
		a := keepApart(s, d, 10*time.Millisecond)
		defer a.close()
		meter := a.follow(ctx, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(30 * time.Minute), every: 30 * time.Minute, patience: time.Second})
		dead, kill := context.WithCancel(ctx)
		go func() { _ = meter.Run(dead) }()
		a.hub.DoAt(emulated.Add(45*time.Minute), func(now time.Time, _ han.Node, _ *han.Outbox) { d.add("%v the hub is at it", since(now)) })
		time.Sleep(time.Second)
		kill()
		synctest.Wait()
		time.Sleep(5 * time.Second)
		if got := since(s.Now()); got != 30*time.Minute {
			t.Errorf("it is %v, want the promise of the dead", got)
		}
		time.Sleep(silentAfter)
		expect(t, d, "45m0s the hub is at it")
		if !a.silent[meterID] {
			t.Error("nobody was told")
		}
	})
}

// A device whose session ended is not waited for at all.
func TestADeviceThatPartsIsNotWaitedFor(t *testing.T) {
	bubble(t, 600, func(ctx context.Context, s *Schedule, d *diary) {
		a := keepApart(s, d, 10*time.Millisecond)
		defer a.close()
		meter := a.follow(ctx, &node{eui: meterID, peer: hubID, diary: d, next: emulated.Add(30 * time.Minute), every: 30 * time.Minute, patience: time.Second})
		dead, kill := context.WithCancel(ctx)
		go func() { _ = meter.Run(dead) }()
		time.Sleep(time.Second)
		kill()
		synctest.Wait()
		a.hub.Part(meterID)
		s.RunUntil(emulated.Add(time.Hour), nil)
		time.Sleep(7 * time.Second)
		if got := since(s.Now()); got != time.Hour {
			t.Errorf("it is %v", got)
		}
	})
}

// Somebody who stamps nothing lives on the wall clock: what it sends is taken when it
// comes, and what it is sent carries no stamp.
func TestAStrangerLivesOnTheWallClock(t *testing.T) {
	bubble(t, 60, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		stamped := 0
		hub := w.add(s, &node{eui: hubID, diary: d}, func(o *Options) {
			send := o.Send
			o.Send = func(f han.Frame, st *han.Stamp) error {
				if st != nil {
					stamped++
				}
				return send(f, st)
			}
		})
		hub.Start()
		time.Sleep(time.Second)
		hub.Deliver(han.Frame{Src: meterID, Dst: hubID, Payload: []byte("question")}, nil)
		time.Sleep(time.Second)
		expect(t, d, "1m0s A3 gets question")
		if stamped != 0 {
			t.Errorf("%d frames to it were stamped", stamped)
		}
		if h := s.Holders(); len(h) != 1 || h[0].Device != meterID || h[0].KeepsTime {
			t.Errorf("holders %+v", h)
		}
	})
}

// What is due in a hundred years does not fill the memory.
func TestAStrangerCannotFillTheQueue(t *testing.T) {
	bubble(t, 60, func(_ context.Context, s *Schedule, d *diary) {
		w := newWire(0)
		defer w.close()
		hub := w.add(s, &node{eui: hubID, diary: d}, nil)
		hub.Start()
		for i := range 3 * maxQueue {
			hub.Deliver(han.Frame{Src: meterID, Dst: hubID, Payload: []byte("later")},
				&han.Stamp{Due: emulated.AddDate(100, 0, 0), Number: uint64(i + 1), Promise: emulated.AddDate(100, 0, 0)})
		}
		if len(s.queue) > maxQueue {
			t.Errorf("%d in the queue", len(s.queue))
		}
	})
}
