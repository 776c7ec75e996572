package bootloader

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
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
// The record is kept in the bootloader's journal too, which has two copies of it. The one
// in the trailer is what is left when the journal is lost.
//
// The marks are what makes a download resume at its stored offset. Clearing bits
// needs no erase, and a mark follows its data, so that after a power cut at most
// one block is asked for again.
type Slot struct {
	data, record, marks flash.Region
	journal             *journal.Journal // keeps the record as well
	key                 journal.Key

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
	recordEnd            = verifiedAt + 40

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

// OpenSlot returns the slot in a region of SlotSectors sectors for that capacity. It is
// read when a bootloader is opened with it.
func OpenSlot(region flash.Region, capacity int) *Slot {
	sector := region.SectorSize()
	data := (capacity + sector - 1) / sector
	s := &Slot{
		data:   region.Sub(0, data),
		record: region.Sub(data, 1),
		marks:  region.Sub(data+1, slotTrailer(data, sector)-1),
	}
	return s
}

// keep has the slot's record kept in a journal as well, under a key. What the journal
// says counts; if it says nothing, the record in the trailer does.
func (s *Slot) keep(j *journal.Journal, key journal.Key) error {
	s.journal, s.key = j, key
	kept, ok := j.Get(key)
	if !ok {
		kept = s.trailer()
	}
	return s.load(kept)
}

// trailer returns the record in the trailer, as far as it is good.
func (s *Slot) trailer() []byte {
	b := s.record.View(0, recordEnd)
	switch {
	case !goodRecord(b[:recordSize]):
		return nil
	case !goodVerdict(b[verifiedAt:]):
		return b[:recordSize]
	default:
		return b
	}
}

// recover goes by the trailer: the journal is lost. What could still be read of it counts
// where the trailer is bad.
func (s *Slot) recover() error {
	b := s.trailer()
	if b == nil {
		return nil
	}
	if err := s.load(b); err != nil {
		return err
	}
	s.commit()
	return nil
}

// load takes the slot's state over from a record: of nothing, of an image that is coming,
// or of a verified one.
func (s *Slot) load(record []byte) error {
	s.state = SlotEmpty
	s.id, s.size, s.offset, s.fileHash = ota.ImageID{}, 0, 0, [32]byte{}
	switch {
	case len(record) == 0:
		return nil
	case len(record) < recordSize || !goodRecord(record[:recordSize]) || len(record) > recordSize && (len(record) != recordEnd || !goodVerdict(record[verifiedAt:])):
		return fmt.Errorf("record of a slot: %d bytes, want 0, %d or %d of layout %d", len(record), recordSize, recordEnd, slotMagic)
	}
	le := binary.LittleEndian
	s.id = ota.ImageID{Manufacturer: le.Uint16(record[4:]), ImageType: le.Uint16(record[6:]), FileVersion: le.Uint32(record[8:])}
	s.size = min(le.Uint32(record[12:]), s.Capacity())
	if len(record) == recordEnd {
		s.fileHash, s.offset, s.state = [32]byte(record[verifiedAt+4:]), s.size, SlotVerified
		return nil
	}
	s.offset, s.state = min(s.marked(), s.size), SlotPartial
	if s.offset == s.size {
		s.state = SlotComplete
	}
	return nil
}

func goodRecord(b []byte) bool {
	return binary.LittleEndian.Uint32(b) == slotMagic && binary.LittleEndian.Uint32(b[16:]) == crc32.ChecksumIEEE(b[:16])
}

func goodVerdict(b []byte) bool {
	return binary.LittleEndian.Uint32(b) == verifiedMagic && binary.LittleEndian.Uint32(b[36:]) == crc32.ChecksumIEEE(b[:36])
}

// encode returns the slot's record as it stands in the trailer, nil of an empty slot.
func (s *Slot) encode() []byte {
	if s.state == SlotEmpty {
		return nil
	}
	le := binary.LittleEndian
	b := make([]byte, 0, recordEnd)
	b = le.AppendUint32(b, slotMagic)
	b = le.AppendUint16(b, s.id.Manufacturer)
	b = le.AppendUint16(b, s.id.ImageType)
	b = le.AppendUint32(b, s.id.FileVersion)
	b = le.AppendUint32(b, s.size)
	b = le.AppendUint32(b, crc32.ChecksumIEEE(b))
	if s.state != SlotVerified {
		return b
	}
	for len(b) < verifiedAt {
		b = append(b, flash.Erased)
	}
	b = le.AppendUint32(b, verifiedMagic)
	b = append(b, s.fileHash[:]...)
	return le.AppendUint32(b, crc32.ChecksumIEEE(b[verifiedAt:]))
}

// commit makes the slot's record durable: in the journal, where it counts from then on,
// and in the trailer.
func (s *Slot) commit() {
	s.keepRecord()
	s.writeTrailer()
}

func (s *Slot) keepRecord() {
	s.journal.Commit(journal.Entry{Key: s.key, Data: append([]byte{}, s.encode()...)})
}

// writeTrailer makes the record in the trailer the slot's.
func (s *Slot) writeTrailer() {
	want := s.encode()
	old := s.record.View(0, recordEnd)
	if len(want) == 0 && flash.IsErased(old) {
		return
	}
	if !flash.IsErased(old[len(want):]) || !programmable(old[:len(want)], want) {
		s.record.Erase(0)
		old = s.record.View(0, recordEnd)
	}
	for at := 0; at < len(want); at += verifiedAt {
		if part := want[at:min(at+verifiedAt, len(want))]; !bytes.Equal(old[at:at+len(part)], part) {
			s.record.Program(at, part)
		}
	}
}

// Check holds the record in the trailer against the one that counts, and writes it anew if
// it is another. It says what it found.
func (s *Slot) Check() journal.Condition {
	s.settle()
	found := journal.Whole
	if _, ok := s.journal.Get(s.key); !ok {
		found = journal.CutShort // of a release that kept one copy, or power failed before the second
		s.keepRecord()
	}
	want, old := s.encode(), s.record.View(0, recordEnd)
	for _, part := range []struct {
		from, to int
		good     func([]byte) bool
	}{{0, recordSize, goodRecord}, {verifiedAt, recordEnd, goodVerdict}} {
		is, should := old[part.from:part.to], []byte(nil)
		if len(want) >= part.to {
			should = want[part.from:part.to]
		}
		switch {
		case bytes.Equal(is, should), should == nil && flash.IsErased(is):
		// Power failed before or in the middle of writing it: what it was before, or an end
		// that is still erased.
		case part.good(is), flash.IsErased(is[len(is)-4:]):
			found = max(found, journal.CutShort)
		default:
			found = journal.Healed
		}
	}
	if !flash.IsErased(old[recordSize:verifiedAt]) {
		found = journal.Healed
	}
	if found != journal.Whole {
		s.writeTrailer()
	}
	return found
}

// settle programs the marks again that power may have left half cleared, as far as they
// were read as cleared: they might be read otherwise the next time, when the image was
// judged.
func (s *Slot) settle() {
	if s.offset == 0 || s.state == SlotVerified {
		return
	}
	const unitsPerByte = 8
	s.mark((s.offset-1)/markUnit/unitsPerByte*unitsPerByte*markUnit, s.offset)
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

// Intact reports whether the stored bytes are still those of the image that was found
// good.
func (s *Slot) Intact() bool {
	return s.state == SlotVerified && sha256.Sum256(s.File()) == s.fileHash
}

// Touched returns a number that is another one after any change to the image's bytes; see
// [flash.Region.Touched].
func (s *Slot) Touched() uint64 { return s.data.Touched() }

// Capacity returns the largest image the slot takes, in bytes.
func (s *Slot) Capacity() uint32 { return uint32(s.data.Size()) }

// File returns the stored bytes of the image. The slice aliases the flash.
func (s *Slot) File() []byte { return s.data.View(0, int(s.offset)) }

// Discard makes the slot empty. The data sectors are erased when they are next
// written to; without its record the image is gone for good.
func (s *Slot) Discard() {
	s.state = SlotEmpty
	s.id, s.size, s.offset, s.fileHash = ota.ImageID{}, 0, 0, [32]byte{}
	s.keepRecord()
	s.record.Erase(0)
}

// Takes returns why an image of size bytes does not fit the slot, or nil.
func (s *Slot) Takes(id ota.ImageID, size uint32) error {
	if size == 0 || size > s.Capacity() {
		return fmt.Errorf("image %s has %d bytes, the meter's slot takes 1 to %d", id, size, s.Capacity())
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
	s.id, s.size, s.state = id, size, SlotPartial
	s.commit()
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
		n := min(len(data), sector-at%sector)
		if at%sector == 0 && !s.stored(at, data[:n]) {
			s.data.Erase(at)
		}
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

// stored reports whether a sector holds data, or some of it, and nothing else. Power may have
// failed in the mark of what is there, which must not be erased then: the mark may read as
// set the next time.
func (s *Slot) stored(at int, data []byte) bool {
	v := s.data.View(at, s.data.SectorSize())
	there, rest := v[:len(data)], v[len(data):]
	return !flash.IsErased(there) && programmable(there, data) && flash.IsErased(rest)
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
	s.fileHash, s.state = fileHash, SlotVerified
	s.commit()
}
