package flash

import (
	"fmt"
	"slices"
)

// Region is a window onto whole sectors of a part, the only handle that
// machines get. A read-only region is how the certified metrology firmware is
// kept out of the application's reach.
type Region struct {
	chip     *Chip
	offset   int
	size     int
	readOnly bool
}

// Region returns the window of the given number of sectors. A window outside the
// part is a programmer's error and panics.
func (c *Chip) Region(firstSector, sectors int) Region {
	if firstSector < 0 || sectors < 1 || firstSector+sectors > c.geometry.Sectors {
		panic(fmt.Sprintf("flash: region of sectors %d to %d on a part of %d", firstSector, firstSector+sectors-1, c.geometry.Sectors))
	}
	return Region{chip: c, offset: firstSector * c.geometry.SectorSize, size: sectors * c.geometry.SectorSize}
}

// ReadOnly returns the same window without the right to program or erase.
func (r Region) ReadOnly() Region {
	r.readOnly = true
	return r
}

// Size returns the window's size in bytes.
func (r Region) Size() int { return r.size }

// Offset returns where the window begins on its part, in bytes.
func (r Region) Offset() int { return r.offset }

// SectorSize returns the part's unit of erasing in bytes.
func (r Region) SectorSize() int { return r.chip.geometry.SectorSize }

// Sub returns the window of whole sectors inside r.
func (r Region) Sub(firstSector, sectors int) Region {
	if firstSector < 0 || sectors < 1 || (firstSector+sectors)*r.SectorSize() > r.size {
		panic(fmt.Sprintf("flash: sectors %d to %d of a region of %d", firstSector, firstSector+sectors-1, r.size/r.SectorSize()))
	}
	r.offset += firstSector * r.SectorSize()
	r.size = sectors * r.SectorSize()
	return r
}

// Touched returns a number that is another one after any change to the window's bytes:
// an operation, or a flipped bit. Whoever read the window need not read it again while
// the number stays. It is never 0, and never stays for a window with an unstable cell, nor
// for a part that is kept in a file, to which anybody may write.
func (r Region) Touched() uint64 {
	c := r.chip
	if c.unmap != nil || c.wavers(r.offset, r.size) {
		c.changes++
		return 1 + c.changes
	}
	first := r.offset / r.SectorSize()
	return 1 + slices.Max(c.touched[first:first+r.size/r.SectorSize()])
}

// Erases returns how often each sector of the window was erased, see [Chip.Erases]. It must
// not be written to.
func (r Region) Erases() []uint32 {
	first := r.offset / r.SectorSize()
	return r.chip.erases[first : first+r.size/r.SectorSize()]
}

// View returns n bytes at offset. The slice may alias the part's memory and follow later
// writes, or be a copy of it ([Geometry.ErasedZero]); it must not be written to.
func (r Region) View(offset, n int) []byte {
	if offset < 0 || n < 0 || offset+n > r.size {
		panic(fmt.Sprintf("flash: view of %d bytes at %d in a region of %d", n, offset, r.size))
	}
	return r.chip.read(r.offset+offset, n)
}

// Program makes the bytes at offset equal to data, one operation per page
// touched. The bytes must be erased or hold a superset of data's one bits.
func (r Region) Program(offset int, data []byte) {
	r.writable(offset, len(data))
	at := r.offset + offset
	page := r.chip.geometry.PageSize
	for len(data) > 0 {
		n := min(len(data), page-at%page)
		r.chip.program(at, data[:n])
		at, data = at+n, data[n:]
	}
}

// Erase erases the sector that begins at offset.
func (r Region) Erase(offset int) {
	r.writable(offset, r.SectorSize())
	if offset%r.SectorSize() != 0 {
		panic(fmt.Sprintf("flash: erase at %d: not a sector border", offset))
	}
	r.chip.erase((r.offset + offset) / r.SectorSize())
}

func (r Region) writable(offset, n int) {
	if r.readOnly {
		panic("flash: write to a read-only region")
	}
	if offset < 0 || offset+n > r.size {
		panic(fmt.Sprintf("flash: write of %d bytes at %d in a region of %d", n, offset, r.size))
	}
}
