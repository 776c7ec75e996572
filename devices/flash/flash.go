// Package flash is a NOR flash part with its physics: bits are cleared by
// programming and set only by erasing a whole sector, programming works within
// a page, and power can fail before, after, or in the middle of any operation.
//
// Every program and erase is one operation with a number. [Chip.CutAt] arms a
// power cut at an operation: the part does what [Cut] says and then panics with
// [PowerCut]. A driver recovers that, throws the machine away, keeps the part's
// bytes and builds the machine anew; nothing else in the house may rely on it.
//
// Programming a bit from 0 to 1 is a bug in the firmware above and panics too.
// A programmed byte may be programmed again with the same or with fewer one
// bits, as SPI NOR parts allow; that is how progress marks and torn writes work.
// A cell that power failed in the middle of may be unstable: it reads as a one or as
// a zero, another time differently, until it is programmed to zero or erased.
//
// The part counts what it does ([Stats]) so that devices/battery can charge it.
package flash

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Erased is the value of a byte after its sector was erased, as a [Region] reads it.
const Erased = 0xFF

// Geometry is the shape of a part, in bytes.
type Geometry struct {
	SectorSize int // unit of erasing
	PageSize   int // programming does not cross a page border in one operation
	Sectors    int
	// ErasedZero: erased cells are zeros and programming makes ones of them, as in some
	// microcontrollers. A driver inverts what goes in and out, so that reading copies:
	// what a region's View returned does not follow later writes.
	ErasedZero bool
}

// erased returns what erased cells hold.
func (g Geometry) erased() byte {
	if g.ErasedZero {
		return ^byte(Erased)
	}
	return Erased
}

// Size returns the capacity in bytes.
func (g Geometry) Size() int { return g.SectorSize * g.Sectors }

// Cut says what the operation does at which power fails.
type Cut uint8

const (
	// CutBefore: the operation does nothing.
	CutBefore Cut = iota
	// CutTornFirst: it does nothing but some of the bits of its first byte.
	CutTornFirst
	// CutTorn: the operation does half of its work. The byte in the middle is
	// left with some of its bits done.
	CutTorn
	// CutTornLast: it does everything but some of the bits of its last byte.
	CutTornLast
	// CutUnstableFirst, CutUnstable and CutUnstableLast: as the torn ones, but the bits
	// that the byte was to change are unstable.
	CutUnstableFirst
	CutUnstable
	CutUnstableLast
	// CutAfter: the operation is complete, but nothing after it happens.
	CutAfter
)

var cutNames = [...]string{
	"before", "torn in the first byte", "torn", "torn in the last byte",
	"unstable in the first byte", "unstable", "unstable in the last byte", "after",
}

// done returns how many bytes of n an operation does before power fails in the next.
func (c Cut) done(n int) int {
	switch c {
	case CutTornFirst, CutUnstableFirst:
		return 0
	case CutTorn, CutUnstable:
		return n / 2
	case CutTornLast, CutUnstableLast:
		return n - 1
	case CutBefore, CutAfter:
	}
	panic("flash: a cut " + c.String() + " leaves no byte half done")
}

func (c Cut) unstable() bool { return c >= CutUnstableFirst && c <= CutUnstableLast }

// String returns the name for test output.
func (c Cut) String() string { return cutNames[c] }

// PowerCut is what a part panics with when power fails.
type PowerCut struct {
	Operation int64 // number of the operation, from 1
}

// Error implements error.
func (p PowerCut) Error() string { return fmt.Sprintf("power cut at flash operation %d", p.Operation) }

// PowerFailed implements han.PowerFailure.
func (p PowerCut) PowerFailed() int64 { return p.Operation }

// Stats counts what a part did since it was made or opened.
type Stats struct {
	Operations   int64 // programs and erases
	BytesWritten int64
	Erases       int64
}

// Chip is one part. It is not safe for concurrent use.
type Chip struct {
	geometry Geometry
	mem      []byte
	erases   []uint32 // per sector
	touched  []uint64 // per sector, the number of the change that touched it last
	changes  uint64   // to any byte: operations and flipped bits
	stats    Stats
	unmap    func() error // nil for a part in memory
	sealed   *sealed      // where the bytes are kept encrypted; nil if mem is what is kept

	cutAt int64 // operation number, 0 = never
	cut   Cut

	unstable []unstableByte
	reads    uint64 // of unstable bytes
}

// New returns an erased part in memory.
func New(g Geometry) *Chip {
	c := &Chip{geometry: g, mem: make([]byte, g.Size()), erases: make([]uint32, g.Sectors), touched: make([]uint64, g.Sectors)}
	fill(c.mem, g.erased())
	return c
}

// IsErased reports whether all bytes are as erasing leaves them. Like what looks for
// raised bits it takes eight at a time: a meter programs at each heartbeat.
func IsErased(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b) != 1<<64-1 {
			return false
		}
	}
	for _, v := range b {
		if v != Erased {
			return false
		}
	}
	return true
}

// fill makes all bytes equal: each copy doubles what is done.
func fill(b []byte, value byte) {
	if len(b) == 0 {
		return
	}
	b[0] = value
	for done := 1; done < len(b); done *= 2 {
		copy(b[done:], b[:done])
	}
}

// Geometry returns the part's shape.
func (c *Chip) Geometry() Geometry { return c.geometry }

// Stats returns what the part did so far.
func (c *Chip) Stats() Stats { return c.stats }

// Erases returns how often a sector was erased since the part was made, as far as it is
// known: since it was opened, and before as RestoreErases says.
func (c *Chip) Erases(sector int) uint32 { return c.erases[sector] }

// RestoreErases takes over how often each sector was erased before the part was opened. A
// part that counted all the time knows more, and keeps its own.
func (c *Chip) RestoreErases(kept []uint32) {
	for i, n := range kept {
		c.erases[i] = max(c.erases[i], n)
	}
}

// Flip turns one bit over, as ageing and radiation do. It is no operation.
func (c *Chip) Flip(offset int, bit uint8) {
	c.touch(offset)
	c.mem[offset] ^= 1 << bit
	c.sealed.keep(c.mem, offset, 1)
}

// touch counts a change in the sector of a byte.
func (c *Chip) touch(offset int) {
	c.changes++
	c.touched[offset/c.geometry.SectorSize] = c.changes
}

// CutAt arms a power cut at the operation with the given number, counted as in
// Stats. 0 disarms it.
func (c *Chip) CutAt(operation int64, cut Cut) { c.cutAt, c.cut = operation, cut }

// Clone returns a part in memory with the same cells and no cut armed, as a
// snapshot for tests.
func (c *Chip) Clone() *Chip {
	d := New(c.geometry)
	copy(d.mem, c.mem)
	copy(d.erases, c.erases)
	d.unstable = slices.Clone(c.unstable)
	return d
}

// Close releases the file behind the part, if there is one. The part must not be
// used afterwards.
func (c *Chip) Close() error {
	if c.unmap == nil {
		return nil
	}
	if err := c.unmap(); err != nil {
		return fmt.Errorf("close flash: %w", err)
	}
	return nil
}

// program clears bits so that the bytes at offset become data. It is one
// operation and stays within a page.
func (c *Chip) program(offset int, data []byte) {
	there := c.read(offset, len(data))
	for _, u := range c.unstable {
		if i := u.offset - offset; i >= 0 && i < len(data) {
			there[i] |= u.bits // such a cell stands in nobody's way
		}
	}
	if i := raised(there, data); i >= 0 {
		panic(fmt.Sprintf("flash: program %02X over %02X at offset %d: not erased", data[i], there[i], offset+i))
	}
	c.touch(offset)
	done, torn := c.begin(len(data))
	c.stats.BytesWritten += int64(done)
	c.write(offset, data[:done])
	if torn {
		down := there[done] &^ data[done]
		c.write(offset+done, []byte{there[done] &^ (down & 0x55)}) // half of the bits that should go down did
		c.unsettle(offset+done, down)
	}
	c.sealed.keep(c.mem, offset, len(data))
	c.fail()
}

// raised returns the first byte of data that would set a bit in what is there, -1 if
// none does.
func raised(there, data []byte) int {
	there = there[:len(data)]
	i := 0
	for d, t := data, there; len(d) >= 8 && len(t) >= 8; d, t = d[8:], t[8:] {
		if binary.NativeEndian.Uint64(d)&^binary.NativeEndian.Uint64(t) != 0 {
			break
		}
		i += 8
	}
	for ; i < len(data); i++ {
		if data[i]&^there[i] != 0 {
			return i
		}
	}
	return -1
}

// erase sets all bits of a sector. It is one operation.
func (c *Chip) erase(sector int) {
	size := c.geometry.SectorSize
	offset := sector * size
	c.erases[sector]++
	c.touch(offset)
	done, torn := c.begin(size)
	if done > 0 || torn {
		c.stats.Erases++
	}
	fill(c.mem[offset:offset+done], c.geometry.erased())
	c.unstable = slices.DeleteFunc(c.unstable, func(u unstableByte) bool { return u.offset >= offset && u.offset < offset+done })
	if torn {
		up := ^c.read(offset+done, 1)[0]
		c.write(offset+done, []byte{^up | up&0x55}) // half of the bits that should go up did
		c.unsettle(offset+done, up)
	}
	c.sealed.keep(c.mem, offset, size)
	c.fail()
}

// begin counts an operation of n bytes and says how many of them are done. torn: power
// fails in the middle of the next.
func (c *Chip) begin(n int) (done int, torn bool) {
	c.stats.Operations++
	switch {
	case c.stats.Operations != c.cutAt || c.cut == CutAfter:
		return n, false
	case c.cut == CutBefore:
		return 0, false
	default:
		return c.cut.done(n), true
	}
}

// fail panics if power fails at the operation just counted.
func (c *Chip) fail() {
	if c.stats.Operations == c.cutAt {
		c.cutAt = 0
		panic(PowerCut{Operation: c.stats.Operations})
	}
}
