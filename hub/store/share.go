package store

import (
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/commshub/commshub/han"
)

// shares says how the inbox is shared: the numbers of each device's entries, ascending.
// Whoever has the most makes room, so that a device that sends without end pushes out its
// own entries and nobody else's.
type shares struct {
	of     map[han.EUI64][]uint64
	total  int
	notice uint64 // the number of the entry that tells of those that were dropped; 0 = none
}

func (s *shares) add(device han.EUI64, sequence uint64) {
	if s.of == nil {
		s.of = make(map[han.EUI64][]uint64)
	}
	at, there := slices.BinarySearch(s.of[device], sequence)
	if there {
		return
	}
	s.of[device] = slices.Insert(s.of[device], at, sequence)
	s.total++
}

func (s *shares) remove(device han.EUI64, sequence uint64) {
	at, there := slices.BinarySearch(s.of[device], sequence)
	if !there {
		return
	}
	s.of[device] = slices.Delete(s.of[device], at, at+1)
	s.total--
	if len(s.of[device]) == 0 {
		delete(s.of, device)
	}
}

// surplus returns the number of the entry that goes first: the oldest of the device that
// has the most, and among several of them the oldest. It reckons with one more of the
// devices that are named.
func (s *shares) surplus(more ...han.EUI64) uint64 {
	var first uint64
	most := 0
	for device, have := range s.of {
		n := len(have)
		if slices.Contains(more, device) {
			n++
		}
		if n > most || n == most && have[0] < first {
			most, first = n, have[0]
		}
	}
	return first
}

// exchange is an entry of the inbox that comes in the place of another; either may be
// missing.
type exchange struct{ old, fresh *InboxEntry }

// take carries exchanges out, and revert takes them back.
func (s *shares) take(x exchange) {
	switch {
	case x.old == nil:
	case x.old.Lost == nil:
		s.remove(x.old.Device, x.old.Sequence)
	case s.notice == x.old.Sequence:
		s.notice = 0
	}
	switch {
	case x.fresh == nil:
	case x.fresh.Lost == nil:
		s.add(x.fresh.Device, x.fresh.Sequence)
	default:
		s.notice = x.fresh.Sequence
	}
}

func (s *shares) revert(all []exchange) {
	for _, x := range slices.Backward(all) {
		s.take(exchange{old: x.fresh, fresh: x.old})
	}
}

// known is the set of messages in the inbox, by device and bytes.
type known struct {
	mu    sync.RWMutex
	count map[[sha256.Size]byte]int
}

// nameOf returns what a message of a device is known by.
func nameOf(device han.EUI64, message []byte) [sha256.Size]byte {
	return sha256.Sum256(append(device.AppendPrint(nil), message...))
}

func (k *known) has(device han.EUI64, message []byte) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.count[nameOf(device, message)] > 0
}

// take carries exchanges out, once they are committed.
func (k *known) take(all []exchange) {
	if len(all) == 0 {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.count == nil {
		k.count = make(map[[sha256.Size]byte]int)
	}
	for _, x := range all {
		if x.fresh != nil {
			k.count[nameOf(x.fresh.Device, x.fresh.Bytes)]++
		}
		if x.old == nil {
			continue
		}
		name := nameOf(x.old.Device, x.old.Bytes)
		if k.count[name]--; k.count[name] == 0 {
			delete(k.count, name)
		}
	}
}
