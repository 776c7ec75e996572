package flash

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/atrest"
)

var small = Geometry{SectorSize: 64, PageSize: 16, Sectors: 4}

// panics returns what f panics with, or nil.
func panics(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

func TestProgrammingClearsBitsAndErasingSetsThem(t *testing.T) {
	c := New(small)
	r := c.Region(1, 2)
	r.Program(3, []byte{0xF0, 0x0F})
	r.Program(3, []byte{0x70, 0x0F}) // fewer one bits: allowed
	if got := r.View(2, 4); !bytes.Equal(got, []byte{0xFF, 0x70, 0x0F, 0xFF}) {
		t.Fatalf("programmed bytes read % X", got)
	}
	if v := panics(func() { r.Program(3, []byte{0xF0}) }); v == nil {
		t.Error("programming 0 to 1 did not panic")
	}
	r.Erase(0)
	if got := r.View(0, r.SectorSize()); !isAll(got, Erased) {
		t.Errorf("erased sector reads % X", got)
	}
	if c.Erases(1) != 1 || c.Erases(0) != 0 {
		t.Errorf("erase counts %d and %d, want 1 for the sector that was erased", c.Erases(1), c.Erases(0))
	}
}

func TestProgramSplitsAtPageBorders(t *testing.T) {
	c := New(small)
	c.Region(0, 1).Program(10, make([]byte, 30)) // pages 0, 1 and 2
	if got := c.Stats(); got != (Stats{Operations: 3, BytesWritten: 30}) {
		t.Errorf("stats %+v, want 3 operations and 30 bytes", got)
	}
}

func TestRegionsGuardTheirBorders(t *testing.T) {
	c := New(small)
	r := c.Region(1, 1)
	for name, f := range map[string]func(){
		"program past the end":     func() { r.Program(60, make([]byte, 8)) },
		"erase inside a sector":    func() { r.Erase(16) },
		"view past the end":        func() { r.View(60, 8) },
		"program of a read-only":   func() { r.ReadOnly().Program(0, []byte{0}) },
		"erase of a read-only":     func() { r.ReadOnly().Erase(0) },
		"region past the part":     func() { c.Region(3, 2) },
		"sub-region past a region": func() { r.Sub(0, 2) },
	} {
		if panics(f) == nil {
			t.Errorf("%s did not panic", name)
		}
	}
	if got := c.Stats().Operations; got != 0 {
		t.Errorf("%d operations happened all the same", got)
	}
}

// TestTouchedChangesWithEachChange, of this window and no other, and is never 0, so that
// whoever never read a window can say so.
func TestTouchedChangesWithEachChange(t *testing.T) {
	c := New(small)
	r, other := c.Region(1, 2), c.Region(3, 1)
	untouched, last := other.Touched(), r.Touched()
	if untouched == 0 || last == 0 {
		t.Fatal("a new part's windows count as never read")
	}
	for name, change := range map[string]func(){
		"program": func() { r.Program(70, []byte{0}) }, "erase": func() { r.Erase(0) }, "flipped bit": func() { c.Flip(64, 3) },
	} {
		if change(); r.Touched() == last || other.Touched() != untouched {
			t.Errorf("%s: %d after %d; another window %d after %d", name, r.Touched(), last, other.Touched(), untouched)
		}
		last = r.Touched()
	}
}

// TestABitIsFoundWhereverItStands, by what looks at eight bytes at a time.
func TestABitIsFoundWhereverItStands(t *testing.T) {
	for n := range 20 {
		b := bytes.Repeat([]byte{Erased}, n)
		if !IsErased(b) || raised(b, b) != -1 {
			t.Errorf("%d erased bytes are not erased", n)
		}
		for i := range b {
			b[i] = 0xEF
			if IsErased(b) {
				t.Errorf("%d bytes: the one at %d is taken for erased", n, i)
			}
			if got := raised(b, bytes.Repeat([]byte{Erased}, n)); got != i {
				t.Errorf("%d bytes: the one at %d that cannot be programmed is found at %d", n, i, got)
			}
			b[i] = Erased
		}
	}
}

func TestPowerCuts(t *testing.T) {
	data := bytes.Repeat([]byte{0x0F}, 8)
	tests := []struct {
		cut         Cut
		wantProgram []byte // the 8 bytes after a cut program
		wantErased  int    // erased bytes of the sector after a cut erase
	}{
		{CutBefore, bytes.Repeat([]byte{0xFF}, 8), 0},
		{CutTornFirst, []byte{0xAF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 0},
		{CutTornLast, []byte{0x0F, 0x0F, 0x0F, 0x0F, 0x0F, 0x0F, 0x0F, 0xAF}, 63},
		{CutTorn, []byte{0x0F, 0x0F, 0x0F, 0x0F, 0xAF, 0xFF, 0xFF, 0xFF}, 32},
		{CutAfter, data, 64},
	}
	for _, tt := range tests {
		t.Run("program "+tt.cut.String(), func(t *testing.T) {
			c := New(small)
			c.CutAt(1, tt.cut)
			r := c.Region(0, 1)
			v := panics(func() { r.Program(0, data) })
			if v != (PowerCut{Operation: 1}) {
				t.Fatalf("panicked with %v", v)
			}
			if got := r.View(0, 8); !bytes.Equal(got, tt.wantProgram) {
				t.Errorf("left % X, want % X", got, tt.wantProgram)
			}
			if v := panics(func() { r.Program(0, data) }); v != nil {
				t.Errorf("programming the same again panicked: %v", v)
			}
			if got := r.View(0, 8); !bytes.Equal(got, data) {
				t.Errorf("programming again left % X", got)
			}
		})
		t.Run("erase "+tt.cut.String(), func(t *testing.T) {
			c := New(small)
			r := c.Region(0, 1)
			r.Program(0, make([]byte, 64))
			c.CutAt(c.Stats().Operations+1, tt.cut)
			if v := panics(func() { r.Erase(0) }); v == nil {
				t.Fatal("did not panic")
			}
			if got := bytes.Count(r.View(0, 64), []byte{0xFF}); got != tt.wantErased {
				t.Errorf("%d bytes erased, want %d", got, tt.wantErased)
			}
		})
	}
}

func TestFileKeepsEveryOperation(t *testing.T) {
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { keepsEveryOperation(t, key) })
	}
}

func keepsEveryOperation(t *testing.T, key *atrest.Key) {
	path := filepath.Join(t.TempDir(), "part.flash")
	c, err := Open(path, small, key)
	if err != nil {
		t.Fatal(err)
	}
	c.Region(0, 4).Program(70, []byte("kept"))
	c.Flip(3, 1)
	if _, err := Open(path, small, key); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second opening was not refused: %v", err)
	}
	// Not closed: a killed process does not close either.
	stored, err := os.ReadFile(path)
	if err == nil {
		stored, err = opened(stored, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(stored, c.Region(0, 4).View(0, small.Size())) {
		t.Error("file and memory differ")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path, small, key)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := again.Region(1, 1).View(6, 4); string(got) != "kept" {
		t.Errorf("reopened part reads %q", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, make([]byte, 10), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a file of another size": short,
		"a directory":            dir,
		"a missing directory":    filepath.Join(dir, "no", "such"),
	} {
		if _, err := Open(path, small, nil); err == nil {
			t.Errorf("%s was opened", name)
		} else if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error does not name the file: %v", name, err)
		}
	}
}

func TestFullDiskLeavesNoHalfFile(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full on this system")
	}
	f, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := filepath.Join(t.TempDir(), "never-made")
	if err := create(f, path, make([]byte, 8)); err == nil || strings.ContainsRune(fmt.Sprint(err), '\n') {
		t.Errorf("create on a full disk: %v, want an error of one line", err)
	}
}

func isAll(b []byte, v byte) bool { return bytes.Count(b, []byte{v}) == len(b) }
