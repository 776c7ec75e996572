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
//
// The part counts what it does ([Stats]) so that devices/battery can charge it.
package flash

import (
	"encoding/binary"
	"fmt"
)

// Erased is the value of a byte after its sector was erased.
const Erased = 0xFF

// Geometry is the shape of a part, in bytes.
type Geometry struct {
	SectorSize int // unit of erasing
	PageSize   int // programming does not cross a page border in one operation
	Sectors    int
}

// Size returns the capacity in bytes.
func (g Geometry) Size() int { return g.SectorSize * g.Sectors }

// Cut says what the operation does at which power fails.
type Cut uint8

const (
	// CutBefore: the operation does nothing.
	CutBefore Cut = iota
	// CutTorn: the operation does half of its work. The byte in the middle is
	// left with some of its bits done.
	CutTorn
	// CutAfter: the operation is complete, but nothing after it happens.
	CutAfter
)

var cutNames = [...]string{"before", "torn", "after"}

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
	stats    Stats
	unmap    func() error // nil for a part in memory

	cutAt int64 // operation number, 0 = never
	cut   Cut
}

// New returns an erased part in memory.
func New(g Geometry) *Chip {
	c := &Chip{geometry: g, mem: make([]byte, g.Size()), erases: make([]uint32, g.Sectors)}
	fill(c.mem)
	return c
}

// fill erases bytes: each copy doubles what is done.
func fill(b []byte) {
	if len(b) == 0 {
		return
	}
	b[0] = Erased
	for done := 1; done < len(b); done *= 2 {
		copy(b[done:], b[:done])
	}
}

// Geometry returns the part's shape.
func (c *Chip) Geometry() Geometry { return c.geometry }

// Stats returns what the part did so far.
func (c *Chip) Stats() Stats { return c.stats }

// Erases returns how often a sector was erased since the part was made or opened.
func (c *Chip) Erases(sector int) uint32 { return c.erases[sector] }

// CutAt arms a power cut at the operation with the given number, counted as in
// Stats. 0 disarms it.
func (c *Chip) CutAt(operation int64, cut Cut) { c.cutAt, c.cut = operation, cut }

// Clone returns a part in memory with the same bytes and no cut armed, as a
// snapshot for tests.
func (c *Chip) Clone() *Chip {
	d := New(c.geometry)
	copy(d.mem, c.mem)
	copy(d.erases, c.erases)
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
	if i := raised(c.mem[offset:], data); i >= 0 {
		panic(fmt.Sprintf("flash: program %02X over %02X at offset %d: not erased", data[i], c.mem[offset+i], offset+i))
	}
	c.operate(func(done int) {
		c.stats.BytesWritten += int64(done)
		copy(c.mem[offset:], data[:done])
	}, len(data), func(at int) {
		c.mem[offset+at] &= data[at] | 0xAA // half of the bits that should go down did
	})
	c.fail()
}

// raised returns the first byte of data that would set a bit in what is there, -1 if
// none does. It looks at eight bytes at a time: a meter programs at each heartbeat.
func raised(there, data []byte) int {
	i := 0
	for ; i+8 <= len(data); i += 8 {
		if binary.NativeEndian.Uint64(data[i:])&^binary.NativeEndian.Uint64(there[i:]) != 0 {
			break
		}
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
	offset := sector * c.geometry.SectorSize
	c.erases[sector]++
	c.operate(func(done int) {
		c.stats.Erases++
		fill(c.mem[offset : offset+done])
	}, c.geometry.SectorSize, func(at int) {
		c.mem[offset+at] |= 0x55 // half of the bits that should go up did
	})
	c.fail()
}

// operate counts an operation of n bytes and does all, half or none of it,
// depending on the armed cut. tear spoils the byte in the middle of a half one.
func (c *Chip) operate(do func(done int), n int, tear func(at int)) {
	c.stats.Operations++
	if c.stats.Operations != c.cutAt || c.cut == CutAfter {
		do(n)
		return
	}
	if c.cut == CutTorn {
		do(n / 2)
		tear(n / 2)
	}
}

// fail panics if power fails at the operation just counted.
func (c *Chip) fail() {
	if c.stats.Operations == c.cutAt {
		c.cutAt = 0
		panic(PowerCut{Operation: c.stats.Operations})
	}
}
