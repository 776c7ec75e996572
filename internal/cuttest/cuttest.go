// Package cuttest has power fail in each flash operation of a story, in each of the ways in
// which it can, on parts of several geometries. Only tests import it.
//
// A test has a table of rows. Each says how a story begins, what it does, and what must hold
// of what is left on the part:
//
//	cuttest.Sweep(t, cuttest.Row{Name: "commits", Parts: parts, Begin: func(t *testing.T, g flash.Geometry) cuttest.Try {
//		chip := flash.New(g)
//		return cuttest.Try{Chip: chip, Story: …, After: func(at cuttest.Point) { … }}
//	}})
package cuttest

import (
	"fmt"
	"testing"

	"github.com/commshub/commshub/devices/flash"
)

// Row is a story, and the parts that it is played on.
type Row struct {
	Name  string
	Parts []flash.Geometry
	Ways  []flash.Cut // nil for all
	// Begin makes a story ready. It is called once for each point, and must do the same each
	// time.
	Begin func(t *testing.T, g flash.Geometry) Try
}

// Try is a story that is ready to be played once.
type Try struct {
	Chip *flash.Chip
	// Story is what power fails in. What is in memory then is gone.
	Story func()
	// After judges what is on the part. No cut is armed any more. It is not called for the
	// story without a cut.
	After func(at Point)
}

// Point is where power fails.
type Point struct {
	Operation int64 // of the story, from 1
	Cut       flash.Cut
}

// String returns what test output calls it.
func (p Point) String() string { return fmt.Sprintf("cut %s operation %d", p.Cut, p.Operation) }

// Tidy reports whether no byte is left with some of its bits done at an end of what was
// written, which cannot be told from a bit that turned over.
func (p Point) Tidy() bool {
	return p.Cut == flash.CutBefore || p.Cut == flash.CutTorn || p.Cut == flash.CutAfter
}

// Ways are all ways in which power fails.
func Ways() (all []flash.Cut) {
	for c := flash.CutBefore; c <= flash.CutAfter; c++ {
		all = append(all, c)
	}
	return all
}

// Sweep plays each row on each of its parts: once as it is, to count its operations, and
// then once for each of them and each way.
func Sweep(t *testing.T, rows ...Row) {
	t.Helper()
	for _, row := range rows {
		for _, g := range row.Parts {
			t.Run(row.Name+"/"+nameOf(g), func(t *testing.T) { row.sweep(t, g) })
		}
	}
}

func (r Row) sweep(t *testing.T, g flash.Geometry) {
	whole := r.Begin(t, g)
	before := whole.Chip.Stats().Operations
	if Fails(whole.Story) {
		t.Fatal("power fails and nobody cut it")
	}
	operations := whole.Chip.Stats().Operations - before
	ways := r.Ways
	if ways == nil {
		ways = Ways()
	}
	if operations == 0 {
		t.Fatal("the story has no flash operation")
	}
	for n := int64(1); n <= operations; n++ {
		for _, cut := range ways {
			at, try := Point{n, cut}, r.Begin(t, g)
			try.Chip.CutAt(try.Chip.Stats().Operations+n, cut)
			if !Fails(try.Story) {
				t.Fatalf("%s: power does not fail: the story does not do the same each time", at)
			}
			if try.After(at); t.Failed() {
				t.Fatalf("found after: %s", at)
			}
		}
	}
	t.Logf("%d points: %d flash operations, %d ways", operations*int64(len(ways)), operations, len(ways))
}

// Fails runs f until it ends or power fails, and reports which.
func Fails(f func()) (cut bool) {
	defer func() {
		if v := recover(); v != nil {
			if _, cut = v.(flash.PowerCut); !cut {
				panic(v)
			}
		}
	}()
	f()
	return false
}

// ErasedZero returns the same parts, and others like them whose erased cells are zeros.
func ErasedZero(parts ...flash.Geometry) []flash.Geometry {
	for _, g := range parts {
		g.ErasedZero = true
		parts = append(parts, g)
	}
	return parts
}

func nameOf(g flash.Geometry) string {
	name := fmt.Sprintf("%d sectors of %d, pages of %d", g.Sectors, g.SectorSize, g.PageSize)
	if g.ErasedZero {
		name += ", erased to zeros"
	}
	return name
}
