package bootloader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/han/ota"
)

type imageID = ota.ImageID

// SlotState is how far an image got in a slot.
type SlotState uint8

// The states. A slot only moves down this list, or back to SlotEmpty.
const (
	SlotEmpty    SlotState = iota
	SlotPartial            // a download is under way
	SlotComplete           // all bytes are there
	SlotVerified           // found good, hash recorded
)

var slotStateNames = [...]string{"empty", "partial", "complete", "verified"}

// String returns the name as status output shows it.
func (s SlotState) String() string { return slotStateNames[s] }

// Slot is where one image lives: its bytes, then a trailer of one record sector
// and enough sectors for the progress marks.
//
//	record sector:  0 magic(4) manufacturer(2) type(2) version(4) size(4) crc32(4)
//	               64 magic(4) sha256(32) crc32(4)      once the image was found good
//	marks:         one bit per 16 bytes of data, cleared when they are programmed
//
// The marks are what makes a download resume at its stored offset. Clearing bits
// needs no erase, and a mark follows its data, so that after a power cut at most
// one block is asked for again.
type Slot struct {
	data, record, marks flash.Region

	state    SlotState
	id       ota.ImageID
	size     uint32
	offset   uint32 // bytes stored
	fileHash [32]byte
}

const (
	slotMagic     uint32 = 0x31534843 // "CHS1"
	verifiedMagic uint32 = 0x31564843 // "CHV1"
	recordSize           = 20
	verifiedAt           = 64
	verifiedSize         = 40

	// markUnit is how many bytes of data one mark stands for.
	markUnit = 16
)

// ErrConflict is returned by Write if the flash holds other bytes where the data
// should go: the image changed under its name. The download must start over.
var ErrConflict = errors.New("flash holds other bytes at this offset")

// slotTrailer returns the sectors of a trailer for the given number of data sectors.
func slotTrailer(dataSectors, sectorSize int) int {
	marks := dataSectors * sectorSize / markUnit / 8
	return 1 + (marks+sectorSize-1)/sectorSize
}

// SlotSectors returns how many sectors a slot needs to hold an image of
// capacity bytes.
func SlotSectors(capacity, sectorSize int) int {
	data := (capacity + sectorSize - 1) / sectorSize
	return data + slotTrailer(data, sectorSize)
}

// OpenSlot reads a slot in a region of SlotSectors sectors for that capacity.
func OpenSlot(region flash.Region, capacity int) *Slot {
	sector := region.SectorSize()
	data := (capacity + sector - 1) / sector
	s := &Slot{
		data:   region.Sub(0, data),
		record: region.Sub(data, 1),
		marks:  region.Sub(data+1, slotTrailer(data, sector)-1),
	}
	s.load()
	return s
}

// load finds the slot's state in its trailer.
func (s *Slot) load() {
	le := binary.LittleEndian
	b := s.record.View(0, recordSize)
	if le.Uint32(b) != slotMagic || le.Uint32(b[16:]) != crc32.ChecksumIEEE(b[:16]) {
		return
	}
	s.id = ota.ImageID{Manufacturer: le.Uint16(b[4:]), ImageType: le.Uint16(b[6:]), FileVersion: le.Uint32(b[8:])}
	s.size = le.Uint32(b[12:])
	s.offset = min(s.marked(), s.size)
	s.state = SlotPartial
	if s.offset < s.size {
		return
	}
	s.state = SlotComplete
	v := s.record.View(verifiedAt, verifiedSize)
	if le.Uint32(v) == verifiedMagic && le.Uint32(v[36:]) == crc32.ChecksumIEEE(v[:36]) {
		s.fileHash = [32]byte(v[4:36])
		s.state = SlotVerified
	}
}

// marked returns how many bytes the marks vouch for: the run of cleared bits
// from the start.
func (s *Slot) marked() uint32 {
	units := 0
	for _, b := range s.marks.View(0, s.marks.Size()) {
		n := bits.TrailingZeros8(b)
		units += n
		if n < 8 {
			break
		}
	}
	return uint32(units) * markUnit
}

// State returns how far the image got.
func (s *Slot) State() SlotState { return s.state }

// ID returns the image's identity; not meaningful in SlotEmpty.
func (s *Slot) ID() ota.ImageID { return s.id }

// Size returns the image's size in bytes.
func (s *Slot) Size() uint32 { return s.size }

// Offset returns how many bytes are stored, which is where a download goes on.
func (s *Slot) Offset() uint32 { return s.offset }

// FileHash returns the SHA-256 recorded by MarkVerified.
func (s *Slot) FileHash() [32]byte { return s.fileHash }

// Capacity returns the largest image the slot takes, in bytes.
func (s *Slot) Capacity() uint32 { return uint32(s.data.Size()) }

// File returns the stored bytes of the image. The slice aliases the flash.
func (s *Slot) File() []byte { return s.data.View(0, int(s.offset)) }

// Discard makes the slot empty. The data sectors are erased when they are next
// written to; without its record the image is gone for good.
func (s *Slot) Discard() {
	s.state = SlotEmpty
	s.record.Erase(0)
	s.id, s.size, s.offset, s.fileHash = ota.ImageID{}, 0, 0, [32]byte{}
}

// Takes returns why an image of size bytes does not fit the slot, or nil.
func (s *Slot) Takes(id ota.ImageID, size uint32) error {
	if size == 0 || size > s.Capacity() {
		return fmt.Errorf("begin image %s: %d bytes, want 1 to %d", id, size, s.Capacity())
	}
	return nil
}

// Begin empties the slot and makes it ready for an image of size bytes.
func (s *Slot) Begin(id ota.ImageID, size uint32) error {
	if err := s.Takes(id, size); err != nil {
		return err
	}
	s.Discard()
	for at := 0; at < s.marks.Size(); at += s.marks.SectorSize() {
		s.marks.Erase(at)
	}
	le := binary.LittleEndian
	b := le.AppendUint32(nil, slotMagic)
	b = le.AppendUint16(b, id.Manufacturer)
	b = le.AppendUint16(b, id.ImageType)
	b = le.AppendUint32(b, id.FileVersion)
	b = le.AppendUint32(b, size)
	b = le.AppendUint32(b, crc32.ChecksumIEEE(b))
	s.record.Program(0, b)
	s.id, s.size, s.state = id, size, SlotPartial
	return nil
}

// Write stores the next bytes of the image; offset must be Offset().
func (s *Slot) Write(offset uint32, data []byte) error {
	if s.state != SlotPartial || offset != s.offset || uint64(offset)+uint64(len(data)) > uint64(s.size) {
		panic(fmt.Sprintf("bootloader: write of %d bytes at %d into a slot %s at %d of %d", len(data), offset, s.state, s.offset, s.size))
	}
	sector := s.data.SectorSize()
	at := int(offset)
	for len(data) > 0 {
		if at%sector == 0 {
			s.data.Erase(at)
		}
		n := min(len(data), sector-at%sector)
		if !programmable(s.data.View(at, n), data[:n]) {
			return ErrConflict
		}
		s.data.Program(at, data[:n])
		at, data = at+n, data[n:]
	}
	s.mark(s.offset, uint32(at))
	s.offset = uint32(at)
	if s.offset == s.size {
		s.state = SlotComplete
	}
	return nil
}

// programmable reports whether old can become data by clearing bits.
func programmable(old, data []byte) bool {
	for i, b := range data {
		if old[i]&b != b {
			return false
		}
	}
	return true
}

// mark clears the marks of the units that became whole between two offsets. The
// last unit of the image counts as whole however short it is.
func (s *Slot) mark(from, to uint32) {
	first, last := from/markUnit, to/markUnit
	if to == s.size {
		last = (to + markUnit - 1) / markUnit
	}
	for at := first / 8; at*8 < last; at++ {
		low, high := max(first, at*8)-at*8, min(last, at*8+8)-at*8
		if low == high {
			continue
		}
		clear := byte(1<<high-1) &^ byte(1<<low-1)
		old := s.marks.View(int(at), 1)[0]
		s.marks.Program(int(at), []byte{old &^ clear})
	}
}

// MarkVerified records that the complete image was found good, with the SHA-256
// of the whole file for later boots.
func (s *Slot) MarkVerified(fileHash [32]byte) {
	if s.state != SlotComplete {
		panic(fmt.Sprintf("bootloader: image marked as verified in a slot %s", s.state))
	}
	b := binary.LittleEndian.AppendUint32(nil, verifiedMagic)
	b = append(b, fileHash[:]...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	s.record.Program(verifiedAt, b)
	s.fileHash, s.state = fileHash, SlotVerified
}
