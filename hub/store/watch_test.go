package store

import (
	"errors"
	"sync"
	"testing"

	"github.com/commshub/commshub/han"
)

func demandWoken(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	default:
		t.Error("the channel is open, want it closed")
	}
}

func demandQuiet(t *testing.T, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
		t.Error("the channel is closed, want it open")
	default:
	}
}

func TestWatchWakesForItsTablesOnly(t *testing.T) {
	s := NewMemory()
	devices, alerts := s.Watch(TableDevices), s.Watch(TableInbox)
	both, whatever := s.Watch(TableDevices, TableInbox), s.Watch()
	commit(t, s, Put(InboxEntry{Sequence: 1}))
	demandQuiet(t, devices)
	demandWoken(t, alerts)
	demandWoken(t, both)
	demandWoken(t, whatever)
	demandQuiet(t, s.Watch(TableInbox))
	commit(t, s, Delete(Device{EUI64: 1}), Put(ClockAnchor{}))
	demandWoken(t, devices)
}

func TestWatchStaysQuietWhenACommitFails(t *testing.T) {
	s := NewMemory()
	s.disk = failingDisk{errors.New("no space left on device")}
	whatever := s.Watch()
	demandError(t, s.Commit(Put(Device{EUI64: 1})), "commit to store: no space left on device")
	demandQuiet(t, whatever)
}

func TestWatchersOfTheSameTablesShareAChannel(t *testing.T) {
	s := NewMemory()
	for range 1000 {
		s.Watch(TableUpdates, TableImages)
		s.Watch(TableImages, TableUpdates)
	}
	if n := len(s.watch.open); n != 1 {
		t.Errorf("%d channels for one set of tables, want 1", n)
	}
}

// A watcher that takes the channel before it reads never misses the last change.
func TestWatchMissesNothing(t *testing.T) {
	const last = 500
	s := NewMemory()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				changed := s.Watch(TableDevices)
				if d, _ := s.Device(gsme); d.LastHeard == last {
					return
				}
				<-changed
			}
		})
	}
	for i := range int64(last) {
		commit(t, s, Put(Device{EUI64: gsme, LastHeard: i + 1}), Put(Device{EUI64: han.EUI64(i)}))
	}
	readers.Wait()
}
