package firmware

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// TestTheOutboxAgainstASlice pushes and delivers more messages than sequence
// numbers, with the meter restarted now and then, and compares with a plain slice
// that forgets the oldest.
func TestTheOutboxAgainstASlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		region := flash.New(geometry).Region(0, journalSectors)
		j := journal.Open(region)
		o := openOutbox(j)
		var model [][]byte
		pushed := 0
		for range 60 {
			switch action := rapid.SampledFrom([]string{"push", "push many", "deliver", "restart"}).Draw(t, "action"); action {
			case "push", "push many":
				n := 1
				if action == "push many" {
					n = rapid.IntRange(1, 40).Draw(t, "messages")
				}
				for range n {
					pushed++
					m := fmt.Appendf(nil, "message %d", pushed)
					o.push(m)
					model = append(model, m)
				}
				model = model[max(0, len(model)-outboxSize):]
			case "deliver":
				if len(model) > 0 {
					o.pop()
					model = model[1:]
				}
			}
			j.Commit(o.changes()...)
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				j = journal.Open(region)
				o = openOutbox(j)
			}
			compareOutbox(t, o, model)
		}
	})
}

func compareOutbox(t *rapid.T, o outbox, model [][]byte) {
	if len(o.messages) != len(model) {
		t.Fatalf("%d messages wait, want %d", len(o.messages), len(model))
	}
	for i, m := range o.messages {
		if !bytes.Equal(m.data, model[i]) {
			t.Fatalf("message %d is %q, want %q", i, m.data, model[i])
		}
	}
}

// TestAConfirmationDropsTheMessageItIsFor: the ring dropped the message in flight
// because more came up; its confirmation must not cost another one.
func TestAConfirmationDropsTheMessageItIsFor(t *testing.T) {
	r := newRig(t)
	r.QueueAlert(r.now, &r.out, 0x8F43)
	if _, ok := r.Outgoing(); !ok {
		t.Fatal("nothing to deliver")
	}
	for range outboxSize {
		r.QueueAlert(r.now, &r.out, 0x81AD)
	}
	r.Delivered()
	if got := len(r.delivered(t)); got != outboxSize {
		t.Errorf("%d messages wait, want all %d that were never sent", got, outboxSize)
	}
	r.Delivered() // nothing waits: a late confirmation
	if _, ok := r.Outgoing(); ok {
		t.Error("a message came from nowhere")
	}
}

func TestWhatWaitsSurvivesARestart(t *testing.T) {
	r := newRig(t)
	for counter := uint64(1); counter <= 3; counter++ {
		r.command(readVersion(counter))
	}
	r.restart()
	all := r.delivered(t)
	if len(all) != 3 || all[0].OriginatorCounter != 1 || all[2].OriginatorCounter != 3 {
		t.Fatalf("after a restart %d messages wait: %v", len(all), all)
	}
	r.restart()
	if all := r.delivered(t); len(all) != 0 {
		t.Errorf("delivered messages are back: %v", all)
	}
}
