package remote

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
)

// outbox holds the messages for remote parties in a flash region of its own, so
// that their number bounds nothing else. The region's halves are two copies of a ring of
// sectors, equal byte for byte:
//
//	sector:  message ‖ message ‖ … ‖ erased
//	message: state(1) ‖ length(2) ‖ sequence(4) ‖ crc32(4) ‖ bytes
//
// Integers are little-endian; the checksum is over length, sequence and bytes. A
// message is written when it is posted, and counts from the commit of the journal
// that names a later sequence number as the next: so it is there together with the
// state that belongs to it, or not at all. When it was delivered its state goes from
// erased to zero, which takes one byte and no erase. Before a sector is erased its first
// header is zeroed.
//
// Whatever is written goes into the first copy, then into the second. A message that is
// bad in one copy is read from the other, and [outbox.load] writes that sector anew.
//
// What waits is never dropped. If the sector that comes next still holds a message
// that waits, there is no room; the last reservedSectors are kept for responses and
// for the outcomes of orders.
type outbox struct {
	copies  [2]flash.Region
	waiting []message // oldest first
	next    uint32    // sequence number of the next message
	lost    uint32    // messages that found no room since the supplier was told
	sector  int       // that is being filled
	end     int       // of what is written in it; its size if it takes no more
	shown   uint32    // sequence number of the message shown last
	changed bool      // next or lost, since record was called
	checked uint64    // touched() when a check found it whole; 0 if none did
}

type message struct {
	sequence uint32
	at       int // offset in a copy
	size     int // bytes
}

const (
	messageHeader   = 11
	stateWaiting    = flash.Erased
	stateDone       = 0x00
	reservedSectors = 2

	recordVersion = 1
	recordSize    = 9
)

// openOutbox reads the outbox in a region of an even number of sectors, mends it, and says
// what it found. record is what the journal keeps of it, nil if it never kept anything or,
// in doubt, if that is lost: then whatever waits counts.
func openOutbox(region flash.Region, record []byte, doubted bool) (*outbox, journal.Condition, error) {
	half := region.Size() / region.SectorSize() / 2
	o := &outbox{copies: [2]flash.Region{region.Sub(0, half), region.Sub(half, half)}}
	if record != nil {
		if len(record) != recordSize || record[0] != recordVersion {
			return nil, 0, fmt.Errorf("outbox: layout %d of %d bytes, want layout %d of %d", firstByte(record), len(record), recordVersion, recordSize)
		}
		o.next, o.lost = binary.LittleEndian.Uint32(record[1:]), binary.LittleEndian.Uint32(record[5:])
	}
	first := o.next // of those that do not count
	if record == nil && doubted {
		first = math.MaxUint32
	}
	return o, o.load(first), nil
}

// load reads both copies, makes them equal where messages wait, and says what it found.
// Messages that wait count, but for those from the sequence number given on.
func (o *outbox) load(uncounted uint32) journal.Condition {
	o.waiting = o.waiting[:0]
	found := journal.Whole
	for s := range o.sectors() {
		messages, end, condition := o.mend(s)
		found = max(found, condition)
		latest := false // it holds the message written last
		for _, m := range messages {
			if m.sequence+1 >= o.next {
				o.next, o.sector, latest = m.sequence+1, s, true
			}
			first, second := o.copies[0].View(m.at, 1)[0], o.copies[1].View(m.at, 1)[0]
			switch {
			case first == stateDone && second == stateDone:
			case isDone(first) || isDone(second):
				o.setDone(m) // for good: what power left half done may read differently the next time
			case m.sequence < uncounted:
				o.waiting = append(o.waiting, m)
			default:
				o.setDone(m) // posted, but power failed before the commit
			}
		}
		if latest || s == 0 {
			o.end = end
		}
	}
	slices.SortFunc(o.waiting, func(a, b message) int { return cmp.Compare(a.sequence, b.sequence) })
	return found
}

// check is load of a running meter, unless nothing touched the copies since they were found
// whole.
func (o *outbox) check() journal.Condition {
	touched := o.touched()
	if touched == o.checked {
		return journal.Whole
	}
	found := o.load(o.next)
	if found == journal.Whole {
		o.checked = touched
	}
	return found
}

func (o *outbox) touched() uint64 { return max(o.copies[0].Touched(), o.copies[1].Touched()) }

// isDone reads a state: a single bit that ageing turned over delivers nothing.
func isDone(state byte) bool { return bits.OnesCount8(state) <= 4 }

// setDone marks a message as delivered.
func (o *outbox) setDone(m message) {
	for _, c := range o.copies {
		c.Program(m.at, []byte{stateDone})
	}
}

// record returns what the journal has to keep.
func (o *outbox) record() []byte {
	o.changed = false
	b := binary.LittleEndian.AppendUint32([]byte{recordVersion}, o.next)
	return binary.LittleEndian.AppendUint32(b, o.lost)
}

func (o *outbox) sectors() int { return o.copies[0].Size() / o.copies[0].SectorSize() }

// mend returns the messages of a sector, delivered ones too, and where they end; that is
// the sector's size if it takes no more. If one waits there, copies that do not hold all
// of them are written anew.
func (o *outbox) mend(sector int) (messages []message, end int, found journal.Condition) {
	size := o.copies[0].SectorSize()
	base := sector * size
	views := [2][]byte{o.copies[0].View(base, size), o.copies[1].View(base, size)}
	for _, v := range views {
		if bytes.HasPrefix(v, crossedOut[:]) {
			return nil, size, journal.Whole
		}
	}
	whole := make([]byte, 0, size) // what both copies should hold
	waits := false
	for at := 0; at+messageHeader <= size && (!flash.IsErased(views[0][at:]) || !flash.IsErased(views[1][at:])); {
		n, good := lengthAt(views, at)
		if n < 0 {
			found = max(found, tailOf(views, at))
			break
		}
		m := message{sequence: binary.LittleEndian.Uint32(views[good][at+3:]), at: base + at, size: n}
		state := byte(stateWaiting)
		if isDone(views[0][at]) || isDone(views[1][at]) {
			state = stateDone
		} else {
			waits = true
			found = max(found, conditionAt(views, at, n))
		}
		messages = append(messages, m)
		whole = append(append(whole, state), views[good][at+1:at+messageHeader+n]...)
		at += messageHeader + n
	}
	tail := len(whole)
	end = tail
	whole = append(whole, bytes.Repeat([]byte{flash.Erased}, size-len(whole))...)
	for i, v := range views {
		switch {
		case bytes.Equal(v, whole):
		case !waits && found != journal.Lost:
			end = size // nothing is worth mending; it is erased when its turn comes
			if tail < size && !flash.IsErased(v[tail:]) && v[tail] != stateDone {
				// What power cut short may read well the next time, when others have its number.
				o.copies[i].Program(base+tail, []byte{stateDone})
			}
		default:
			found = max(found, journal.CutShort)
			o.copies[i].Erase(base)
			o.copies[i].Program(base, whole)
		}
	}
	if !waits && found != journal.Lost {
		found = journal.Whole
	}
	return messages, end, found
}

// lengthAt returns the length of the message at an offset, by the copy that is good there;
// -1 if neither is.
func lengthAt(views [2][]byte, at int) (n, good int) {
	for i, v := range views {
		if n := goodAt(v, at); n >= 0 {
			return n, i
		}
	}
	return -1, 0
}

// goodAt returns the length of the message at an offset, -1 if there is no whole one.
func goodAt(v []byte, at int) int {
	n := int(binary.LittleEndian.Uint16(v[at+1:]))
	if at+messageHeader+n > len(v) || checksum(v[at:at+messageHeader], v[at+messageHeader:at+messageHeader+n]) != binary.LittleEndian.Uint32(v[at+7:]) {
		return -1
	}
	return n
}

// conditionAt says what became of a waiting message of which one copy is good. Power can
// have kept it from the second copy, or cut it short there.
func conditionAt(views [2][]byte, at, n int) journal.Condition {
	end := at + messageHeader + n
	switch {
	case goodAt(views[0], at) == n && goodAt(views[1], at) == n && views[0][at] == stateWaiting && views[1][at] == stateWaiting:
		return journal.Whole
	case goodAt(views[0], at) == n && flash.IsErased(views[1][end-1:]):
		return journal.CutShort
	default:
		return journal.Healed
	}
}

// tailOf says what stands where neither copy has a message: one that power cut short in the
// first, which may be marked as one that does not count in the second, or one that is lost
// in both.
func tailOf(views [2][]byte, at int) journal.Condition {
	for _, v := range views {
		if flash.IsErased(v[at+1:]) && (v[at] == flash.Erased || v[at] == stateDone) {
			return journal.CutShort
		}
	}
	return journal.Lost
}

// checksum is over a message's length, sequence number and bytes.
func checksum(header, data []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(header[1:7]), crc32.IEEETable, data)
}

// post writes a message, to count from the next commit on. It reports false if there
// is no room for it; one that must not be lost may use what is kept back.
func (o *outbox) post(data []byte, must bool) bool {
	size := o.copies[0].SectorSize()
	fits := o.end+messageHeader+len(data) <= size
	need := 0
	if !fits {
		need = 1
	}
	if !must {
		need += reservedSectors
	}
	if o.free() < need {
		o.lost++
		o.changed = true
		return false
	}
	if !fits {
		o.sector, o.end = (o.sector+1)%o.sectors(), 0
		o.clear(o.sector * size)
	}
	at := o.sector*size + o.end
	b := binary.LittleEndian.AppendUint16([]byte{stateWaiting}, uint16(len(data)))
	b = binary.LittleEndian.AppendUint32(b, o.next)
	b = binary.LittleEndian.AppendUint32(b, checksum(append(b, 0, 0, 0, 0), data))
	b = append(b, data...)
	for _, c := range o.copies {
		c.Program(at, b)
	}
	o.waiting = append(o.waiting, message{sequence: o.next, at: at, size: len(data)})
	o.end += messageHeader + len(data)
	o.next++
	o.changed = true
	return true
}

// clear erases a sector of which all messages were delivered. Its first header is zeroed
// before: an erase that power cuts short may leave that message as one that waits.
func (o *outbox) clear(base int) {
	for _, c := range o.copies {
		if !flash.IsErased(c.View(base, messageHeader)) {
			c.Program(base, crossedOut[:])
		}
	}
	for _, c := range o.copies {
		c.Erase(base)
	}
}

// crossedOut is the first header of a sector that is about to be erased.
var crossedOut [messageHeader]byte

// free returns how many sectors behind the one that is being filled hold nothing
// that waits.
func (o *outbox) free() int {
	if len(o.waiting) == 0 {
		return o.sectors() - 1
	}
	oldest := o.waiting[0].at / o.copies[0].SectorSize()
	if oldest == o.sector {
		return o.sectors() - 1
	}
	return (oldest-o.sector+o.sectors())%o.sectors() - 1
}

// data returns a message's bytes from a copy that is good: those that were found good, as
// a cell may read differently the next time.
func (o *outbox) data(m message) []byte {
	var v []byte
	for _, c := range o.copies {
		v = c.View(m.at, messageHeader+m.size)
		if goodAt(v, 0) == m.size {
			break
		}
	}
	return v[messageHeader:]
}

// holds reports whether a message waits.
func (o *outbox) holds(data []byte) bool {
	return slices.ContainsFunc(o.waiting, func(m message) bool { return bytes.Equal(o.data(m), data) })
}

// first returns the oldest message.
func (o *outbox) first() (data []byte, ok bool) {
	if len(o.waiting) == 0 {
		return nil, false
	}
	o.shown = o.waiting[0].sequence
	return o.data(o.waiting[0]), true
}

// confirm drops the message that first returned last. It reports false if that was
// dropped before.
func (o *outbox) confirm() bool {
	if len(o.waiting) == 0 || o.waiting[0].sequence != o.shown {
		return false
	}
	o.setDone(o.waiting[0])
	o.waiting = o.waiting[1:]
	return true
}
