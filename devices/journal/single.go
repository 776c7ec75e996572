package journal

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/commshub/commshub/devices/flash"
)

// ReadSingle returns the records of a journal of flash layout 1, which had
// one copy: over two or more sectors, records without a sequence number, another magic. A
// region without a valid header has none. Whole tells that they are all: no other sector can
// have been the live one, and what stands behind the last good record is erased, or was cut
// short by power. Nothing is written.
func ReadSingle(region flash.Region) (entries []Entry, whole bool) {
	const single = 0x314A4843 // "CHJ1"
	const recordHeader = 6
	le := binary.LittleEndian
	size := region.SectorSize()
	var live []byte
	var generation uint32
	for at := 0; at < region.Size(); at += size {
		b := region.View(at, size)
		switch good := le.Uint32(b) == single && le.Uint32(b[8:]) == crc32.ChecksumIEEE(b[:8]); {
		case good && (live == nil || le.Uint32(b[4:]) > generation):
			live, generation = b, le.Uint32(b[4:])
		case !good && !flash.IsErased(b[8:headerSize]):
			return nil, false // power that failed in it left its end erased
		}
	}
	if live == nil {
		return nil, true
	}
	j := &Journal{}
	at := headerSize
	for at+recordHeader <= size {
		length := int(le.Uint16(live[at:]))
		end := at + recordHeader + length
		if length == erasedLength || end > size || le.Uint32(live[at+2:]) != crc32.ChecksumIEEE(live[at+recordHeader:end]) {
			break
		}
		j.apply(live[at+recordHeader : end])
		at = end
	}
	return j.Records(), tornAt(live, at)
}

// tornAt reports whether what stands in a sector of that layout from an offset on is nothing,
// or the beginning of a record whose end power kept from it. A record that is there to its
// end, with another length in front, is none.
func tornAt(sector []byte, at int) bool {
	const recordHeader = 6
	if at+recordHeader > len(sector) || flash.IsErased(sector[at:]) {
		return flash.IsErased(sector[min(at, len(sector)):])
	}
	le := binary.LittleEndian
	last := at + recordHeader + int(le.Uint16(sector[at:])) - 1
	if last >= len(sector) || !flash.IsErased(sector[last:]) {
		return false
	}
	for end := at + recordHeader; end <= last; end++ {
		if crc32.ChecksumIEEE(sector[at+recordHeader:end]) == le.Uint32(sector[at+2:]) {
			return false
		}
	}
	return true
}
