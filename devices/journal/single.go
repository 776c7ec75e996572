package journal

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/commshub/commshub/devices/flash"
)

// ReadSingle returns the records of a journal of a part before flash layout 3, which had
// one copy: over two or more sectors, records without a sequence number, another magic. A
// region without a valid header has none. Whole tells that they are all: what stands behind
// the last good one is erased, or was cut short by power. Nothing is written.
func ReadSingle(region flash.Region) (entries []Entry, whole bool) {
	const single = 0x314A4843 // "CHJ1"
	const recordHeader = 6
	le := binary.LittleEndian
	size := region.SectorSize()
	var live []byte
	var generation uint32
	for at := 0; at < region.Size(); at += size {
		b := region.View(at, size)
		if le.Uint32(b) == single && le.Uint32(b[8:]) == crc32.ChecksumIEEE(b[:8]) && (live == nil || le.Uint32(b[4:]) > generation) {
			live, generation = b, le.Uint32(b[4:])
		}
	}
	if live == nil {
		return nil, flash.IsErased(region.View(0, region.Size()))
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
	// Power that failed in the middle of a record left its end erased.
	torn := at
	if at+recordHeader <= size {
		if length := int(le.Uint16(live[at:])); length != erasedLength {
			torn += recordHeader + length - 1
		}
	}
	return j.Records(), flash.IsErased(live[min(size, torn):])
}
