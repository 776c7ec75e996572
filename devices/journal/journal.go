// Package journal keeps small records in flash so that power may fail at any
// operation: a commit is there whole or not at all.
//
// It is log-structured over two or more sectors. One sector is live; a commit
// appends one record with a checksum to it. When the sector is full, the next
// one is erased and gets one record with everything, and only then its header,
// which makes it the live one.
//
//	sector:  header ‖ record ‖ record ‖ … ‖ erased
//	header:  magic(4) ‖ generation(4) ‖ crc32(4)
//	record:  length(2) ‖ crc32(4) ‖ entries
//	entry:   key(1) ‖ length(2) ‖ data      (length 0xFFFF: the key is deleted)
//
// Integers are little-endian. What stands behind a torn record in the live
// sector is ignored, and the next commit moves on to the next sector.
package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/commshub/commshub/devices/flash"
)

const magic uint32 = 0x314A4843 // "CHJ1"

const (
	headerSize   = 12
	recordHeader = 6
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

// Journal is an open journal. It keeps all records in memory as well.
type Journal struct {
	region  flash.Region
	sectors int
	live    int // sector
	gen     uint32
	next    int     // offset of the next record in the live sector; sector size if it takes no more
	records []Entry // in order of first commit, for a stable compaction; Data is nil if deleted
	buf     []byte
}

// Open reads the journal in a region of at least two sectors. A region without
// a valid header is an empty journal.
func Open(region flash.Region) *Journal {
	j := &Journal{region: region, sectors: region.Size() / region.SectorSize(), live: -1}
	if j.sectors < 2 {
		panic(fmt.Sprintf("journal: region of %d sectors, want at least 2", j.sectors))
	}
	for s := range j.sectors {
		if gen, ok := j.header(s); ok && (j.live < 0 || gen > j.gen) {
			j.live, j.gen = s, gen
		}
	}
	j.next = region.SectorSize()
	if j.live >= 0 {
		j.replay()
	}
	return j
}

func (j *Journal) header(sector int) (generation uint32, ok bool) {
	b := j.region.View(sector*j.region.SectorSize(), headerSize)
	le := binary.LittleEndian
	if le.Uint32(b) != magic || le.Uint32(b[8:]) != crc32.ChecksumIEEE(b[:8]) {
		return 0, false
	}
	return le.Uint32(b[4:]), true
}

// replay applies the live sector's records in order and finds its end.
func (j *Journal) replay() {
	size := j.region.SectorSize()
	sector := j.region.View(j.live*size, size)
	at := headerSize
	for at+recordHeader <= size {
		length := int(binary.LittleEndian.Uint16(sector[at:]))
		if length == erasedLength {
			if !isErased(sector[at:]) {
				break // torn before its length was written
			}
			j.next = at
			return
		}
		end := at + recordHeader + length
		if end > size || binary.LittleEndian.Uint32(sector[at+2:]) != crc32.ChecksumIEEE(sector[at+recordHeader:end]) {
			break
		}
		j.apply(sector[at+recordHeader : end])
		at = end
	}
	j.next = size
}

func isErased(b []byte) bool {
	for _, v := range b {
		if v != flash.Erased {
			return false
		}
	}
	return true
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

// Commit makes all entries durable at once. It panics if all records together
// no longer fit one sector: users bound their records.
func (j *Journal) Commit(entries ...Entry) {
	record := j.record(entries)
	if j.next+len(record) <= j.region.SectorSize() {
		j.region.Program(j.live*j.region.SectorSize()+j.next, record)
		j.next += len(record)
		for _, e := range entries {
			j.set(e)
		}
		return
	}
	for _, e := range entries {
		j.set(e)
	}
	j.compact()
}

// compact writes every record to the next sector and makes it the live one.
func (j *Journal) compact() {
	size := j.region.SectorSize()
	all := make([]Entry, 0, len(j.records))
	for _, e := range j.records {
		if e.Data != nil {
			all = append(all, e)
		}
	}
	record := j.record(all)
	if headerSize+len(record) > size {
		panic(fmt.Sprintf("journal: records of %d bytes do not fit a sector of %d", len(record), size))
	}
	target := (j.live + 1) % j.sectors
	base := target * size
	j.region.Erase(base)
	j.region.Program(base+headerSize, record)
	header := binary.LittleEndian.AppendUint32(nil, magic)
	header = binary.LittleEndian.AppendUint32(header, j.gen+1)
	header = binary.LittleEndian.AppendUint32(header, crc32.ChecksumIEEE(header))
	j.region.Program(base, header)
	j.live, j.gen, j.next = target, j.gen+1, headerSize+len(record)
}

// record encodes entries into the journal's buffer.
func (j *Journal) record(entries []Entry) []byte {
	b := append(j.buf[:0], make([]byte, recordHeader)...)
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
	binary.LittleEndian.PutUint32(b[2:], crc32.ChecksumIEEE(b[recordHeader:]))
	j.buf = b
	return b
}
