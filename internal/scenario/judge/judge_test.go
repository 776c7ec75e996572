package judge_test

import (
	"testing"
	"time"

	"github.com/commshub/commshub/internal/scenario/judge"
	"github.com/commshub/commshub/internal/trace"
)

const gas, power = 0xA1, 0xA0

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// story shows a judge what happened, a minute after the other.
type story struct {
	*judge.Judge
	now time.Time
}

func (s *story) look(snap judge.Snapshot) {
	s.now = s.now.Add(time.Minute)
	snap.At = s.now
	s.Look(&snap)
}

// runs shows a meter that runs a version and has a register.
func (s *story) runs(version uint32, register uint64) {
	s.look(judge.Snapshot{Meters: []judge.Meter{{EUI64: gas, Powered: true, On: true, Version: version, Register: register}}})
}

func (s *story) orders(all ...judge.Order) { s.look(judge.Snapshot{Records: true, Orders: all}) }

func (s *story) updates(all ...judge.Update) { s.look(judge.Snapshot{Records: true, Updates: all}) }

func (s *story) inbox(all ...judge.Message) { s.look(judge.Snapshot{Records: true, Inbox: all}) }

func (s *story) take(k trace.Kind, r trace.Record) {
	r.At, r.Kind, r.Node = s.now, k, gas
	s.Take(&r)
}

func order(counter uint64, state string) judge.Order {
	return judge.Order{Device: gas, Counter: counter, State: state, Activates: true, Version: 2}
}

func update(version uint32, state string) judge.Update {
	return judge.Update{Device: gas, File: [32]byte{byte(version)}, Version: version, State: state}
}

func alert(counter uint64) judge.Message {
	return judge.Message{Device: gas, Code: 0x8F72, Counter: counter, Bytes: []byte{byte(counter)}}
}

// forged is a message that the supplier does not believe.
func forged(counter uint64) judge.Message {
	m := alert(counter)
	m.Code, m.Forged = 0, true
	return m
}

// stories are what a judge sees, and which promise it finds broken; 0 is none.
var stories = []struct {
	name string
	want judge.Promise
	tell func(s *story)
}{
	{"a meter switches after an order", 0, func(s *story) { s.runs(1, 5); s.orders(order(7, "queued")); s.runs(2, 5) }},
	{"a meter switches without one", judge.FirmwareByOrder, func(s *story) { s.runs(1, 5); s.runs(2, 5) }},
	{"a meter switches to what was not ordered", judge.FirmwareByOrder, func(s *story) { s.runs(1, 5); s.orders(order(7, "queued")); s.runs(3, 5) }},
	{"a trial is rolled back", 0, func(s *story) { s.runs(1, 5); s.orders(order(7, "queued")); s.runs(2, 5); s.runs(1, 5) }},
	{"what was confirmed is rolled back", judge.FirmwareByOrder, func(s *story) {
		s.runs(1, 5)
		s.orders(order(7, "queued"))
		s.runs(2, 5)
		s.take(trace.FirmwareConfirmed, trace.Record{Version: 2})
		s.runs(1, 5)
	}},
	{"an order counts once", judge.FirmwareByOrder, func(s *story) {
		s.runs(1, 5)
		s.orders(order(7, "queued"))
		s.runs(2, 5)
		s.take(trace.FirmwareConfirmed, trace.Record{Version: 2})
		s.orders(order(7, "done"), judge.Order{Device: gas, Counter: 8, State: "queued", Activates: true, Version: 3})
		s.runs(3, 5)
		s.take(trace.FirmwareConfirmed, trace.Record{Version: 3})
		s.runs(2, 5)
	}},
	{"a register stands", 0, func(s *story) { s.runs(1, 5); s.runs(1, 5) }},
	{"a register goes back", judge.RegisterRises, func(s *story) { s.runs(1, 5); s.runs(1, 4) }},
	{"no image is left", judge.MeterRuns, func(s *story) {
		s.look(judge.Snapshot{Meters: []judge.Meter{{EUI64: gas, Bricked: true}}})
	}},
	{"a meter does not come back", judge.MeterRuns, func(s *story) {
		for range 20 {
			s.look(judge.Snapshot{Meters: []judge.Meter{{EUI64: gas, Powered: true}}})
		}
	}},
	{"a meter has no power for long", 0, func(s *story) {
		for range 20 {
			s.look(judge.Snapshot{Meters: []judge.Meter{{EUI64: gas}}})
		}
	}},
	{"two alerts with their counters", 0, func(s *story) { s.inbox(alert(1)); s.inbox(alert(2)) }},
	{"an alert comes twice", judge.MessageOnce, func(s *story) { s.inbox(alert(1)); s.inbox(alert(1)) }},
	{"the counter of alerts goes back", judge.CountersRise, func(s *story) { s.inbox(alert(2), alert(1)) }},
	{"the supplier's counter goes back", judge.CountersRise, func(s *story) { s.orders(order(7, "queued")); s.orders(order(7, "queued"), order(6, "queued")) }},
	{"orders of two devices at once", 0, func(s *story) {
		s.orders(judge.Order{Device: power, Counter: 8, State: "queued"}, order(7, "queued"))
	}},
	{"an order is answered", 0, func(s *story) {
		s.orders(order(7, "queued"))
		s.orders(order(7, "delivered"))
		s.orders(order(7, "done"))
	}},
	{"an order that ended moves", judge.LifeOfOrder, func(s *story) { s.orders(order(7, "done")); s.orders(order(7, "failed")) }},
	{"an order has no outcome", judge.OrderEnds, func(s *story) { s.orders(order(7, "delivered")); s.Settled(s.now) }},
	{"an order has its time yet to come", 0, func(s *story) {
		o := order(7, "accepted")
		o.Due = s.now.Add(time.Hour)
		s.orders(o)
		s.Settled(s.now)
	}},
	{"orders of a device that was removed", 0, func(s *story) { s.orders(order(7, "delivered")); s.orders(); s.Settled(s.now) }},
	{"an update goes its way", 0, func(s *story) {
		s.updates(update(2, "pending"))
		s.updates(update(2, "downloading"))
		s.updates(update(2, "transferred"))
	}},
	{"an update goes back", judge.LifeOfUpdate, func(s *story) { s.updates(update(2, "transferred")); s.updates(update(2, "downloading")) }},
	{"an update that was cancelled begins anew", 0, func(s *story) {
		s.updates(update(2, "cancelled"))
		again := update(2, "pending")
		again.Started++
		s.updates(again)
	}},
	{"an update is offered, cancelled and offered again in one instant", 0, func(s *story) {
		u := update(2, "cancelled")
		u.Started = s.now.Add(time.Minute).UnixMicro()
		s.updates(u)
		s.now = s.now.Add(-time.Minute)
		u.State = "pending"
		s.updates(u)
	}},
	{"an update that was cancelled goes on", judge.LifeOfUpdate, func(s *story) { s.updates(update(2, "cancelled")); s.updates(update(2, "pending")) }},
	{"an update that is under way begins anew", judge.LifeOfUpdate, func(s *story) {
		s.updates(update(2, "downloading"))
		again := update(2, "pending")
		again.Started++
		s.updates(again)
	}},
	{"a device has two updates", judge.OneUpdate, func(s *story) { s.updates(update(2, "pending"), update(3, "downloading")) }},
	{"a device runs what was activated", 0, func(s *story) {
		s.runs(1, 5)
		s.orders(order(7, "queued"))
		s.runs(2, 5)
		s.updates(update(2, "activated"))
	}},
	{"a device never ran what was activated", judge.ActivatedIsRun, func(s *story) { s.runs(1, 5); s.updates(update(2, "activated")) }},
	{"an alert is told", 0, func(s *story) {
		s.runs(1, 5)
		s.take(trace.AlertRaised, trace.Record{Code: 0x8F72})
		s.inbox(alert(1))
		s.Settled(s.now)
	}},
	{"a bit of an alert is turned", 0, func(s *story) {
		s.runs(1, 5)
		s.take(trace.AlertRaised, trace.Record{Code: 0x0F72})
		s.take(trace.FrameCorrupted, trace.Record{})
		s.inbox(alert(1))
		s.Settled(s.now)
	}},
	{"a bit of a signed alert is turned", 0, func(s *story) {
		s.runs(1, 5)
		s.take(trace.AlertRaised, trace.Record{Code: 0x8F72})
		s.take(trace.FrameCorrupted, trace.Record{})
		s.inbox(forged(1))
		s.Settled(s.now)
	}},
	{"an alert is not believed, and nothing was turned", judge.AlertTold, func(s *story) {
		s.runs(1, 5)
		s.take(trace.AlertRaised, trace.Record{Code: 0x8F72})
		s.inbox(forged(1))
		s.Settled(s.now)
	}},
	{"a bit of an alert's counter is turned", 0, func(s *story) {
		s.take(trace.FrameCorrupted, trace.Record{})
		s.inbox(alert(1<<30 + 1))
		s.inbox(alert(2))
	}},
	{"an alert comes as another, and nothing was turned", judge.AlertTold, func(s *story) {
		s.runs(1, 5)
		s.take(trace.AlertRaised, trace.Record{Code: 0x0F72})
		s.inbox(alert(1))
		s.Settled(s.now)
	}},
	{"a bit of something is turned, and an alert is not told", judge.AlertTold, func(s *story) {
		s.runs(1, 5)
		s.take(trace.AlertRaised, trace.Record{Code: 0x8F72})
		s.take(trace.FrameCorrupted, trace.Record{})
		s.Settled(s.now)
	}},
	{"a download that ended is offered again", 0, func(s *story) {
		s.updates(update(2, "downloading"))
		s.updates(update(2, "pending"))
		s.updates(update(2, "downloading"))
	}},
	{"a device that switched could not say so", 0, func(s *story) {
		s.runs(1, 5)
		s.orders(order(7, "queued"))
		s.runs(2, 5)
		s.updates(update(2, "transferred"))
		s.updates(update(2, "activated"))
	}},
	{"an alert is not told", judge.AlertTold, func(s *story) {
		s.runs(1, 5)
		s.take(trace.AlertRaised, trace.Record{Code: 0x8F72})
		s.Settled(s.now)
	}},
}

func TestTheJudgeFindsWhatIsBrokenAndNothingElse(t *testing.T) {
	for _, tt := range stories {
		t.Run(tt.name, func(t *testing.T) {
			s := &story{judge.New(), start}
			tt.tell(s)
			var got judge.Promise
			for _, b := range s.Broken() {
				t.Logf("%s: %s", b.Promise, b.Text)
				got = b.Promise
			}
			if got != tt.want || len(s.Broken()) > 1 {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestEachPromiseIsTriedBothWays by the stories.
func TestEachPromiseIsTriedBothWays(t *testing.T) {
	broken := map[judge.Promise]bool{}
	for _, tt := range stories {
		broken[tt.want] = true
	}
	for p := judge.FirmwareByOrder; p <= judge.AlertTold; p++ {
		if !broken[p] {
			t.Errorf("no story breaks: %s", p)
		}
	}
}

func TestWhatWasSeenIsCounted(t *testing.T) {
	s := &story{judge.New(), start}
	s.take(trace.PowerCut, trace.Record{Count: 3})
	s.orders(order(7, "queued"))
	s.orders(order(7, "delivered"))
	all := judge.Seen{}
	all.Add(s.Seen())
	all.Add(s.Seen())
	if all["power-cut"] != 2 || all[judge.MarkCutInOperation] != 2 || all["order queued to delivered"] != 2 {
		t.Errorf("%v", all)
	}
	if got := all.Missing([]string{"power-cut", "rebooted"}); len(got) != 1 || got[0] != "rebooted" {
		t.Errorf("missing %v", got)
	}
}
