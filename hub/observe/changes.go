package observe

import (
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/trace"
)

// maxRecords is how many records wait to be taken.
const maxRecords = 1024

// Set is a set of what changed.
type Set[K comparable] map[K]bool

func (s *Set[K]) add(k K) {
	if *s == nil {
		*s = Set[K]{}
	}
	(*s)[k] = true
}

// Changes is what changed since the last time somebody took the changes.
type Changes struct {
	Devices  Set[han.EUI64] // seen, or with another mailbox, update or session
	Removed  Set[han.EUI64]
	Messages Set[han.EUI64] // mailbox
	Mirrors  Set[han.EUI64]
	Images   Set[[32]byte]
	Records  []trace.Record
	Lost     int // records for which there was no room
}

func (c *Changes) addRecord(r *trace.Record) {
	if len(c.Records) == maxRecords {
		c.Lost++
		return
	}
	c.Records = append(c.Records, *r)
}

// remove has a device told as removed, and no other news of it.
func (c *Changes) remove(eui han.EUI64) {
	c.Removed.add(eui)
	delete(c.Devices, eui)
	delete(c.Messages, eui)
	delete(c.Mirrors, eui)
}

// Wake returns a channel that yields when there are changes to take. There is one
// taker.
func (o *Observer) Wake() <-chan struct{} { return o.wake }

// Take returns what changed since the last call.
func (o *Observer) Take() Changes {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.changes
	o.changes = Changes{}
	return c
}
