// Package journal keeps small records in flash so that power may fail at any
// operation, and so that one bad sector takes nothing away: a commit is there whole
// or not at all, and it is there twice.
//
// A region has two copies of everything, in sectors of their own: the first half of
// the sectors is one, the second half the other. Each copy is log-structured. One of
// its sectors is live; a commit appends one record with a checksum and a sequence
// number to it, in the first copy and then in the second. When the sector is full,
// the next one is erased and gets one record with everything, and only then its
// header, which makes it the live one.
//
//	sector:  header ‖ record ‖ record ‖ … ‖ erased
//	header:  magic(4) ‖ generation(4) ‖ crc32(4)
//	record:  length(2) ‖ sequence(4) ‖ crc32(4) ‖ entries
//	entry:   key(1) ‖ length(2) ‖ data      (length 0xFFFF: the key is deleted)
//
// Integers are little-endian; a record's checksum is over length, sequence and
// entries. The copy that got further counts; what is bad in it is taken from the other,
// if that has it, also behind a bad record. A copy that is not whole is written anew by
// [Journal.Check], or by the next commit, and [Condition] tells the work of a power cut
// from that of a damage.
package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/commshub/commshub/devices/flash"
)

const magic uint32 = 0x324A4843 // "CHJ2"

const (
	headerSize   = 12
	recordHeader = 10
	entryHeader  = 3
	deleted      = 0xFFFF
	erasedLength = 0xFFFF
)

// Key names a record. Each user of a journal has its own list of keys.
type Key uint8

// Entry is one change of a commit: Data for the key, or its deletion if Data is nil.
type Entry struct {
	Key  Key
	Data []byte
}

// Condition is what a check found.
type Condition uint8

const (
	// Whole: both copies hold everything.
	Whole Condition = iota
	// CutShort: power failed in a commit. The copies are equal again, with that commit
	// or without it.
	CutShort
	// Healed: one copy was bad beyond what a power cut does. It was written anew from
	// the other.
	Healed
	// Lost: both copies were bad. What could be read is kept, but it cannot be proved
	// to be the latest.
	Lost
)

var conditionNames = [...]string{"whole", "cut short", "healed", "lost"}

// String returns the name for records.
func (c Condition) String() string { return conditionNames[c] }

// Journal is an open journal. It keeps all records in memory as well.
type Journal struct {
	region   flash.Region
	checked  uint64 // Touched of the region when a check found it whole; 0 if none did
	copies   [2]bank
	sequence uint32  // of the last commit; 0 if there was none
	records  []Entry // in order of first commit, for a stable compaction; Data is nil if deleted
	staged   []Entry // wait for the next commit
	buf, all []byte
}

// Open reads the journal in a region of an even number of sectors, at least four. A
// region without a valid header is an empty journal. Nothing is written.
func Open(region flash.Region) *Journal {
	n := region.Size() / region.SectorSize()
	if n < 4 || n%2 != 0 {
		panic(fmt.Sprintf("journal: region of %d sectors, want an even number of at least 4", n))
	}
	j := &Journal{region: region}
	for i := range j.copies {
		j.copies[i] = openBank(region.Sub(i*n/2, n/2))
	}
	best := &j.copies[0]
	if j.copies[1].sequence > best.sequence {
		best = &j.copies[1]
	}
	j.sequence = best.sequence
	best.replay(j.apply)
	for range j.copies { // what follows may be good in the one copy and bad in the other
		for i := range j.copies {
			j.copies[i].follow(j)
		}
	}
	for i := range j.copies {
		if c := &j.copies[i]; c.sequence != j.sequence {
			c.next = region.SectorSize()
		}
	}
	return j
}

// follow applies the records of a copy that are behind a bad one and follow what is known.
func (b *bank) follow(j *Journal) {
	if b.reached <= j.sequence {
		return
	}
	b.behind(b.live, b.replay(func([]byte) {}), func(sequence uint32, entries []byte) {
		if sequence == j.sequence+1 {
			j.sequence = sequence
			j.apply(entries)
		}
	})
}

// Empty reports whether nothing was ever committed.
func (j *Journal) Empty() bool { return j.sequence == 0 }

// Check reads both copies, unless nothing touched them since they were found whole, and
// writes those anew that do not hold everything. It says what it found.
func (j *Journal) Check() Condition {
	touched := j.region.Touched()
	if touched == j.checked {
		return Whole
	}
	var whole [len(j.copies)]bool
	var found [len(j.copies)]bank
	for i, c := range j.copies {
		found[i] = openBank(c.region)
		whole[i] = found[i].sequence == j.sequence && !found[i].spoilt
	}
	first, second := &found[0], &found[1]
	condition := Healed
	switch {
	case whole[0] && whole[1]:
		j.checked = touched
		return Whole
	case !whole[0] && !whole[1]:
		// A commit is made in both copies: what was not begun in one of them was not made.
		if condition = Lost; max(first.reached, second.reached) <= j.sequence && min(first.begun, second.begun) <= j.sequence {
			condition = Healed
		}
	// The first copy is written first: power can spoil what comes behind its last
	// record, or keep one record from the second.
	case whole[1] && first.sequence == j.sequence && !first.beheaded, whole[0] && second.sequence+1 == j.sequence:
		condition = CutShort
	}
	for i := range j.copies {
		if !whole[i] {
			j.copies[i] = found[i]
			j.copies[i].rewrite(j.everything())
		}
	}
	return condition
}

// apply takes the entries of a record whose checksum is right.
func (j *Journal) apply(entries []byte) {
	for len(entries) >= entryHeader {
		key, length := Key(entries[0]), int(binary.LittleEndian.Uint16(entries[1:]))
		entries = entries[entryHeader:]
		if length == deleted {
			j.set(Entry{Key: key})
			continue
		}
		j.set(Entry{Key: key, Data: entries[:length]})
		entries = entries[length:]
	}
}

// find returns the record of a key, nil if it never had one. A journal has few keys.
func (j *Journal) find(key Key) *Entry {
	for i := range j.records {
		if j.records[i].Key == key {
			return &j.records[i]
		}
	}
	return nil
}

func (j *Journal) set(e Entry) {
	record := j.find(e.Key)
	switch {
	case e.Data == nil:
		if record != nil {
			record.Data = nil
		}
		return
	case record == nil:
		j.records = append(j.records, Entry{Key: e.Key})
		record = &j.records[len(j.records)-1]
	}
	if record.Data == nil {
		record.Data = []byte{} // an empty record is not a deleted one
	}
	record.Data = append(record.Data[:0], e.Data...)
}

// Get returns the record of a key. The slice is valid until the next Commit and
// must not be written to.
func (j *Journal) Get(key Key) ([]byte, bool) {
	record := j.find(key)
	if record == nil || record.Data == nil {
		return nil, false
	}
	return record.Data, true
}

// Stage has an entry wait for the next commit, to be durable together with what
// else that commits. Until then Get returns the old record, and Data must not be
// written to. Of several entries for a key the last one counts.
func (j *Journal) Stage(e Entry) {
	for i := range j.staged {
		if j.staged[i].Key == e.Key {
			j.staged[i] = e
			return
		}
	}
	j.staged = append(j.staged, e)
}

// Commit makes what was staged and all entries durable at once; without any it does
// nothing. It panics if all records together no longer fit one sector: users bound
// their records.
func (j *Journal) Commit(entries ...Entry) {
	if len(j.staged) > 0 {
		entries = append(j.staged, entries...)
		j.staged = j.staged[:0]
	}
	if len(entries) == 0 {
		return
	}
	j.sequence++
	j.buf = appendRecord(j.buf[:0], j.sequence, entries)
	for _, e := range entries {
		j.set(e)
	}
	for i := range j.copies {
		if c := &j.copies[i]; !c.append(j.buf) {
			c.rewrite(j.everything())
		}
	}
}

// everything encodes all records as one of the last commit's.
func (j *Journal) everything() []byte {
	j.all = appendRecord(j.all[:0], j.sequence, j.Records())
	return j.all
}

// Records returns all records that are not deleted. Their data must not be written to.
func (j *Journal) Records() []Entry {
	all := make([]Entry, 0, len(j.records))
	for _, e := range j.records {
		if e.Data != nil {
			all = append(all, e)
		}
	}
	return all
}

// appendRecord appends a record to an empty buffer.
func appendRecord(b []byte, sequence uint32, entries []Entry) []byte {
	b = append(b, make([]byte, recordHeader)...)
	for _, e := range entries {
		length := uint16(deleted)
		if e.Data != nil {
			length = uint16(len(e.Data))
		}
		b = append(b, byte(e.Key))
		b = binary.LittleEndian.AppendUint16(b, length)
		b = append(b, e.Data...)
	}
	binary.LittleEndian.PutUint16(b, uint16(len(b)-recordHeader))
	binary.LittleEndian.PutUint32(b[2:], sequence)
	binary.LittleEndian.PutUint32(b[6:], checksum(b))
	return b
}

// checksum is over all of a record but the checksum.
func checksum(record []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(record[:6]), crc32.IEEETable, record[recordHeader:])
}
