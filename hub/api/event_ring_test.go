package api

import (
	"strings"
	"testing"
)

func all(string) bool { return true }

func TestAPositionBehindTheRingIsToldWhatItMissed(t *testing.T) {
	r := newEventRing("i")
	r.maxCount = 3
	for range 5 {
		r.publish("x", 1)
	}
	batch, next, missed, _ := r.after(0, all)
	if len(batch) != 0 || next != 5 || missed != 2 {
		t.Errorf("%d events, next %d, missed %d; want to go on behind 5, having missed 2", len(batch), next, missed)
	}
	batch, next, missed, more := r.after(2, all)
	if len(batch) != 3 || next != 5 || missed != 0 {
		t.Errorf("%d events, next %d, missed %d; want 3 up to 5", len(batch), next, missed)
	}
	select {
	case <-more:
		t.Error("there is no more")
	default:
	}
	r.publish("x", 1)
	select {
	case <-more:
	default:
		t.Error("nobody is told that there is more")
	}
}

func TestWhichIDsCanBeResumed(t *testing.T) {
	r := newEventRing("i")
	r.maxCount = 3
	for range 5 {
		r.publish("x", 1)
	}
	for id, want := range map[string]bool{
		"i-5": true, "i-2": true, "i-1": false, "i-6": false, "j-4": false, "": false, "i-": false, "i-x": false, "i--1": false, "4": false,
		"i-99999999999999999999": false, "i-18446744073709551615": false,
	} {
		if _, ok := r.resume(id); ok != want {
			t.Errorf("%q: %v", id, ok)
		}
	}
}

func TestABatchIsBoundedAndLeavesNothingOut(t *testing.T) {
	r := newEventRing("i")
	for range 10 {
		r.publish("x", strings.Repeat("x", 20<<10))
	}
	position, n := uint64(0), 0
	for {
		batch, next, _, _ := r.after(position, all)
		size := 0
		for _, wire := range batch {
			size += len(wire)
		}
		if size > batchBytes+32<<10 {
			t.Errorf("a batch of %d bytes", size)
		}
		if n += len(batch); next == position {
			break
		}
		position = next
	}
	if n != 10 {
		t.Errorf("%d of 10 events", n)
	}
}
