// Package remote is the home of a meter's remote endpoint: han/remote with its
// memory in flash. What the endpoint must not forget, and what its handlers keep
// together with it, becomes durable in one commit of the application's journal.
package remote

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	core "github.com/commshub/commshub/han/remote"
)

// Endpoint is a meter's remote endpoint. Messages for remote parties wait in its
// outbox until the meter delivered them, so that they are told whatever happens in
// between. The outbox is bounded: a meter that is out of reach for so long that it
// fills up drops the alerts that find no room, records each, and tells the supplier
// once (81AE) when all that waited was delivered.
type Endpoint struct {
	*core.Endpoint
	memory *memory
	found  journal.Condition
}

// maxParties is how many remote parties an endpoint has at most: the longest response, the
// longest that is not sent in blocks, and all else that the journal keeps fit a sector of it.
const maxParties = 2

// Open returns the endpoint as the application's journal and the outbox's region
// have it.
func Open(cfg core.Config, j *journal.Journal, outboxRegion flash.Region) (*Endpoint, error) {
	if len(cfg.Parties) > maxParties {
		panic(fmt.Sprintf("remote: %d parties, want at most %d", len(cfg.Parties), maxParties))
	}
	record, _ := j.Get(board.KeyOutbox)
	_, doubted := j.Get(board.KeyDoubt)
	box, found, err := openOutbox(outboxRegion, record, doubted)
	if err != nil {
		return nil, err
	}
	m := &memory{journal: j, parties: cfg.Parties, outbox: box, doubted: doubted}
	if data, ok := j.Get(board.KeyCounters); ok {
		if err := m.counters.parse(data); err != nil {
			return nil, err
		}
	}
	return &Endpoint{Endpoint: core.New(cfg, m), memory: m, found: found}, nil
}

// Doubt has endpoints on a journal that was lost in both copies refuse all commands:
// none can be proved not to be a replay. What waits in the outbox still counts, and
// alerts go on with a number taken from the clock, as there was never more than one
// alert a second.
func Doubt(j *journal.Journal, clock time.Time) error {
	var c counters
	if data, ok := j.Get(board.KeyCounters); ok {
		if err := c.parse(data); err != nil {
			return err
		}
	}
	c.alert = max(c.alert, uint64(max(0, clock.Unix())))
	j.Commit(
		journal.Entry{Key: board.KeyCounters, Data: c.append(nil)},
		journal.Entry{Key: board.KeyDoubt, Data: []byte{}},
		journal.Entry{Key: board.KeyOutbox},
	)
	return nil
}

// Found returns in which condition Open found the outbox's copies.
func (e *Endpoint) Found() journal.Condition { return e.found }

// Check reads both copies of the outbox and mends a bad one. Unlike what is in a journal a
// message is not in memory as well: one that is bad in both copies is lost.
func (e *Endpoint) Check() journal.Condition { return e.memory.outbox.check() }

// Outgoing returns the oldest message that waits to be delivered.
func (e *Endpoint) Outgoing() (message []byte, ok bool) { return e.memory.outbox.first() }

// Delivered drops the message that Outgoing returned last: the hub confirmed it. A
// late confirmation of one that is gone does nothing.
func (e *Endpoint) Delivered(now time.Time, out *han.Outbox) {
	box := e.memory.outbox
	if box.confirm() && len(box.waiting) == 0 && box.lost > 0 {
		box.lost = 0
		e.Alert(now, out, gbcs.AlertNonVolatileMemory)
		e.Commit()
	}
}

// memory implements core.Memory on the application's journal and the outbox.
type memory struct {
	journal  *journal.Journal
	parties  []han.EUI64
	counters counters
	outbox   *outbox
	doubted  bool // see Doubt
}

// counters are the originator counters of both directions.
type counters struct {
	alert    uint64 // of the last alert
	commands []partyCounter
}

type partyCounter struct {
	party   han.EUI64
	counter uint64
}

const countersVersion = 1

// append appends version(1) ‖ alert(8) ‖ for each party: identifier(8) counter(8),
// little-endian.
func (c *counters) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(append(b, countersVersion), c.alert)
	for _, p := range c.commands {
		b = le.AppendUint64(le.AppendUint64(b, uint64(p.party)), p.counter)
	}
	return b
}

func (c *counters) parse(b []byte) error {
	if len(b) < 9 || b[0] != countersVersion || (len(b)-9)%16 != 0 {
		return fmt.Errorf("counters of remote parties: %d bytes of layout %d, want layout %d", len(b), firstByte(b), countersVersion)
	}
	le := binary.LittleEndian
	c.alert = le.Uint64(b[1:])
	for b = b[9:]; len(b) > 0; b = b[16:] {
		c.commands = append(c.commands, partyCounter{han.EUI64(le.Uint64(b)), le.Uint64(b[8:])})
	}
	return nil
}

func firstByte(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (m *memory) of(party han.EUI64) *partyCounter {
	for i := range m.counters.commands {
		if m.counters.commands[i].party == party {
			return &m.counters.commands[i]
		}
	}
	m.counters.commands = append(m.counters.commands, partyCounter{party: party})
	return &m.counters.commands[len(m.counters.commands)-1]
}

func (m *memory) stageCounters() {
	m.journal.Stage(journal.Entry{Key: board.KeyCounters, Data: m.counters.append(nil)})
}

// Counter implements core.Memory. In doubt it is one that no command exceeds.
func (m *memory) Counter(party han.EUI64) uint64 {
	if m.doubted {
		return math.MaxUint64
	}
	return m.of(party).counter
}

// SetCounter implements core.Memory.
func (m *memory) SetCounter(party han.EUI64, counter uint64) {
	if m.doubted {
		return
	}
	m.of(party).counter = counter
	m.stageCounters()
}

// responseKey returns where the last response to a party is kept.
func (m *memory) responseKey(party han.EUI64, apart bool) journal.Key {
	first := board.KeyResponse
	if apart {
		first = board.KeyTopUp
	}
	for i, p := range m.parties {
		if p == party {
			return first + journal.Key(i)
		}
	}
	panic(fmt.Sprintf("remote: response to %s, which has no authority here", party))
}

// Response implements core.Memory.
func (m *memory) Response(party han.EUI64, apart bool) []byte {
	data, _ := m.journal.Get(m.responseKey(party, apart))
	return data
}

// SetResponse implements core.Memory.
func (m *memory) SetResponse(party han.EUI64, apart bool, message []byte) {
	m.journal.Stage(journal.Entry{Key: m.responseKey(party, apart), Data: message})
}

// NextAlert implements core.Memory.
func (m *memory) NextAlert() uint64 {
	m.counters.alert++
	m.stageCounters()
	return m.counters.alert
}

// Post implements core.Memory.
func (m *memory) Post(message []byte, must bool) bool { return m.outbox.post(message, must) }

// Waits implements core.Memory.
func (m *memory) Waits(message []byte) bool { return m.outbox.holds(message) }

// Commit implements core.Memory.
func (m *memory) Commit() {
	if m.outbox.changed {
		m.journal.Stage(journal.Entry{Key: board.KeyOutbox, Data: m.outbox.record()})
	}
	m.journal.Commit()
}
