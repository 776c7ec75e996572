package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/commshub/commshub/devices/flash"
)

// bank is one copy of a journal.
type bank struct {
	region   flash.Region
	live     int // sector, -1 if none
	gen      uint32
	next     int    // offset of the next record in the live sector; sector size if it takes no more
	sequence uint32 // of the last record before which all are good; 0 if there is none
	spoilt   bool   // there is something that is no record, header or erased byte
	reached  uint32 // sequence of the last good record, also of those behind a bad one
	beheaded bool   // the header of the live sector went bad
	begun    uint32 // no commit after this one was begun in this copy, for all that can be told
}

// openBank finds the live sector and its last good record.
func openBank(region flash.Region) bank {
	b := bank{region: region, live: -1, next: region.SectorSize()}
	for s := range b.sectors() {
		gen, ok := b.header(s)
		switch {
		case ok && (b.live < 0 || gen > b.gen):
			b.live, b.gen = s, gen
		case !ok && b.headless(s):
			b.spoilt = true
		}
	}
	bad := b.replay(func([]byte) {})
	for s := range b.sectors() {
		if s != b.live && b.headless(s) && !b.beginning(s) && b.latest(s) > b.sequence {
			b.live, b.beheaded = s, true // its records tell that it is the live one
			bad = b.replay(func([]byte) {})
			b.next = region.SectorSize()
		}
	}
	b.reached, b.begun = b.sequence, b.sequence
	if bad >= 0 {
		end := b.behind(b.live, bad, func(sequence uint32, _ []byte) { b.reached = sequence })
		b.begun = b.reached + b.left(b.live, end)
	}
	for s := range b.sectors() {
		if s != b.live && b.headless(s) {
			latest := uint32(0)
			end := b.behind(s, headerSize-1, func(sequence uint32, _ []byte) { latest = sequence })
			b.begun = max(b.begun, latest+b.left(s, end))
		}
	}
	return b
}

// headless reports whether a sector has no header, and something in its place.
func (b *bank) headless(sector int) bool {
	_, ok := b.header(sector)
	return !ok && !flash.IsErased(b.region.View(sector*b.region.SectorSize(), headerSize+recordHeader))
}

// beginning reports whether what a sector has in place of a header is the part of the next
// one that power left.
func (b *bank) beginning(sector int) bool {
	v := b.region.View(sector*b.region.SectorSize(), headerSize)
	ended := false
	for i, whole := range appendHeader(nil, b.gen+1) {
		// Programming clears bits, byte for byte.
		if whole&^v[i] != 0 || ended && v[i] != flash.Erased {
			return false
		}
		ended = ended || v[i] != whole
	}
	return true
}

func appendHeader(b []byte, generation uint32) []byte {
	b = binary.LittleEndian.AppendUint32(b, magic)
	b = binary.LittleEndian.AppendUint32(b, generation)
	return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// latest returns the sequence of the last record of a sector before which all are good, 0
// if there is none.
func (b *bank) latest(sector int) uint32 {
	c := bank{region: b.region, live: sector}
	c.replay(func([]byte) {})
	return c.sequence
}

// behind hands out the good records of a sector that stand somewhere behind an offset, that
// of a bad one, and returns where the last of them ends, or the offset. Their places are
// not known: the bad one's length may be what is bad.
func (b *bank) behind(sector, bad int, f func(sequence uint32, entries []byte)) (end int) {
	size := b.region.SectorSize()
	v := b.region.View(sector*size, size)
	end = bad
	for at := bad + 1; at+recordHeader <= size; {
		next := at + recordHeader + int(binary.LittleEndian.Uint16(v[at:]))
		if next > size || binary.LittleEndian.Uint32(v[at+6:]) != checksum(v[at:next]) {
			at++
			continue
		}
		f(binary.LittleEndian.Uint32(v[at+2:]), v[at+recordHeader:next])
		at, end = next, next
	}
	return end
}

// left returns how many records at most were begun from an offset of a sector on: none
// where a length would stand and nothing does, and one where all behind it is erased.
func (b *bank) left(sector, at int) uint32 {
	size := b.region.SectorSize()
	v := b.region.View(sector*size, size)
	if at+recordHeader > size {
		return 0
	}
	length := int(binary.LittleEndian.Uint16(v[at:]))
	switch end := at + recordHeader + length; {
	case length == erasedLength: // a record begins with its length
		return 0
	case end <= size && flash.IsErased(v[end:]):
		return 1
	default:
		return math.MaxUint32 / 2
	}
}

func (b *bank) sectors() int { return b.region.Size() / b.region.SectorSize() }

func (b *bank) header(sector int) (generation uint32, ok bool) {
	v := b.region.View(sector*b.region.SectorSize(), headerSize)
	le := binary.LittleEndian
	if le.Uint32(v) != magic || le.Uint32(v[8:]) != crc32.ChecksumIEEE(v[:8]) {
		return 0, false
	}
	return le.Uint32(v[4:]), true
}

// replay hands out the entries of the live sector's records in order and finds their
// end. It returns where the first bad one stands, -1 if all are good.
func (b *bank) replay(apply func(entries []byte)) (bad int) {
	if b.live < 0 {
		return -1
	}
	size := b.region.SectorSize()
	sector := b.region.View(b.live*size, size)
	b.next = size
	for at := headerSize; at+recordHeader <= size; {
		length := int(binary.LittleEndian.Uint16(sector[at:]))
		if length == erasedLength && flash.IsErased(sector[at:]) {
			b.next = at
			return -1
		}
		end := at + recordHeader + length
		if end > size || binary.LittleEndian.Uint32(sector[at+6:]) != checksum(sector[at:end]) {
			b.spoilt = true
			return at
		}
		b.sequence = binary.LittleEndian.Uint32(sector[at+2:])
		apply(sector[at+recordHeader : end])
		at = end
	}
	return -1
}

// append appends a record, if it fits and nothing stands where it goes: a bit may have
// turned over there.
func (b *bank) append(record []byte) bool {
	size := b.region.SectorSize()
	if b.next+len(record) > size || !flash.IsErased(b.region.View(b.live*size+b.next, len(record))) {
		return false
	}
	b.region.Program(b.live*size+b.next, record)
	b.next += len(record)
	return true
}

// rewrite begins the next sector with a record of everything and makes it the live one.
func (b *bank) rewrite(everything []byte) {
	size := b.region.SectorSize()
	if headerSize+len(everything) > size {
		panic(fmt.Sprintf("journal: records of %d bytes do not fit a sector of %d", len(everything), size))
	}
	b.live = (b.live + 1) % b.sectors()
	base := b.live * size
	b.region.Erase(base)
	b.region.Program(base+headerSize, everything)
	b.gen++
	b.region.Program(base, appendHeader(nil, b.gen))
	b.next = headerSize + len(everything)
	for s := range b.sectors() { // one that was the live one, with a bad header
		if b.headless(s) {
			b.region.Erase(s * size)
		}
	}
}
