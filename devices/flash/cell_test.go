package flash

import (
	"bytes"
	"testing"
)

// values returns what a byte of a region reads as, in many readings.
func values(r Region, offset int) map[byte]bool {
	seen := map[byte]bool{}
	for range 200 {
		seen[r.View(offset, 1)[0]] = true
	}
	return seen
}

// cutIn runs an operation in which power fails.
func cutIn(t *testing.T, c *Chip, cut Cut, operation func()) {
	t.Helper()
	c.CutAt(c.Stats().Operations+1, cut)
	if _, ok := panics(operation).(PowerCut); !ok {
		t.Fatal("no power cut")
	}
}

// TestAnUnstableCellReadsDifferently until it is programmed to zero or erased; the others
// of its byte, and of what was to be written, read as they should.
func TestAnUnstableCellReadsDifferently(t *testing.T) {
	for _, g := range []Geometry{small, {SectorSize: 64, PageSize: 16, Sectors: 4, ErasedZero: true}} {
		c := New(g)
		r := c.Region(0, 1)
		cutIn(t, c, CutUnstableLast, func() { r.Program(0, []byte{0x12, 0x3C}) })
		if got := r.View(0, 1)[0]; got != 0x12 {
			t.Errorf("the byte before reads %02X", got)
		}
		seen := values(r, 1)
		if len(seen) != 16 {
			t.Errorf("four unstable cells read as %d values, want 16", len(seen))
		}
		for v := range seen {
			if v&0x3C != 0x3C {
				t.Errorf("it reads %02X: cells that were not to change did", v)
			}
		}
		touched := r.Touched()
		if r.View(1, 1); r.Touched() == touched {
			t.Error("nothing tells that it has to be read again")
		}
		if got := len(values(c.Clone().Region(0, 1), 1)); got != 16 {
			t.Errorf("in a clone they read as %d values", got)
		}
		r.Program(1, []byte{0x3C})
		if seen := values(r, 1); len(seen) != 1 || !seen[0x3C] {
			t.Errorf("programmed again it reads %v", seen)
		}
	}
}

func TestErasingSettlesUnstableCells(t *testing.T) {
	c := New(small)
	r := c.Region(0, 1)
	r.Program(0, bytes.Repeat([]byte{0}, 64))
	cutIn(t, c, CutUnstableFirst, func() { r.Erase(0) })
	if seen := values(r, 0); len(seen) < 100 {
		t.Errorf("eight unstable cells read as %d values", len(seen))
	}
	if got := r.View(1, 1)[0]; got != 0 {
		t.Errorf("the byte behind reads %02X", got)
	}
	r.Erase(0)
	if seen := values(r, 0); len(seen) != 1 || !seen[Erased] {
		t.Errorf("erased it reads %v", seen)
	}
}

// TestAPartWhoseErasedCellsAreZeros is read and written like any other, through copies.
func TestAPartWhoseErasedCellsAreZeros(t *testing.T) {
	c := New(Geometry{SectorSize: 64, PageSize: 16, Sectors: 1, ErasedZero: true})
	r := c.Region(0, 1)
	before := r.View(0, 2)
	r.Program(0, []byte{0xF0, 0x0F})
	r.Program(0, []byte{0x70})
	if got := r.View(0, 3); !bytes.Equal(got, []byte{0x70, 0x0F, Erased}) {
		t.Errorf("it reads % X", got)
	}
	if !IsErased(before) {
		t.Error("what was read before follows the writes")
	}
	if !bytes.Equal(c.mem[:3], []byte{0x8F, 0xF0, 0}) {
		t.Errorf("its cells hold % X", c.mem[:3])
	}
	if panics(func() { r.Program(0, []byte{0xF0}) }) == nil {
		t.Error("programming a bit that is not erased did not panic")
	}
	r.Erase(0)
	if !IsErased(r.View(0, 64)) || !isAll(c.mem, 0) {
		t.Error("it is not erased")
	}
}
