package cuttest

import (
	"testing"

	"github.com/commshub/commshub/devices/flash"
)

// TestEachPointIsTriedOnce, on a part that is as it was at that instant.
func TestEachPointIsTriedOnce(t *testing.T) {
	parts := ErasedZero(flash.Geometry{SectorSize: 64, PageSize: 16, Sectors: 2})
	for name, ways := range map[string][]flash.Cut{"all ways": nil, "one way": {flash.CutAfter}} {
		tried := map[Point]int{}
		begin := func(t *testing.T, g flash.Geometry) Try {
			chip, done := flash.New(g), 0
			r := chip.Region(0, 2)
			r.Program(0, []byte{1}) // before the story
			return Try{Chip: chip, Story: func() {
				for i := range 3 {
					r.Program(16*(1+i), []byte{1, 2})
					done++
				}
				r.Erase(64)
			}, After: func(at Point) {
				tried[at]++
				if int(at.Operation) != done+1 {
					t.Errorf("%s: %d operations were done", at, done)
				}
				if got, want := !flash.IsErased(r.View(int(16*at.Operation), 2)), at.Cut != flash.CutBefore && at.Operation < 4; got != want && at.Cut < flash.CutUnstableFirst {
					t.Errorf("%s: written %v, want %v", at, got, want)
				}
				r.Erase(0) // and power does not fail again
			}}
		}
		Sweep(t, Row{Name: name, Parts: parts, Ways: ways, Begin: begin})
		want := 4 * len(ways)
		if ways == nil {
			want = 4 * len(Ways())
		}
		for at, n := range tried {
			if n != len(parts) {
				t.Errorf("%s, %s: tried %d times on %d parts", name, at, n, len(parts))
			}
		}
		if len(tried) != want {
			t.Errorf("%s: %d points, want %d", name, len(tried), want)
		}
	}
}

// TestOnlyPowerCutsAreCaught.
func TestOnlyPowerCutsAreCaught(t *testing.T) {
	if Fails(func() {}) || !Fails(func() { panic(flash.PowerCut{Operation: 1}) }) {
		t.Error("a power cut is taken for none, or the reverse")
	}
	defer func() {
		if recover() != "a bug" {
			t.Error("the panic of a bug is gone")
		}
	}()
	Fails(func() { panic("a bug") })
}
