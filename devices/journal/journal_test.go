package journal

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/internal/cuttest"
)

var geometry = flash.Geometry{SectorSize: 256, PageSize: 32, Sectors: 4}

func TestRecordsSurviveReopening(t *testing.T) {
	region := flash.New(geometry).Region(0, 4)
	j := Open(region)
	j.Commit(Entry{1, []byte("one")}, Entry{2, []byte{}})
	j.Commit(Entry{3, []byte("three")})
	j.Commit(Entry{1, []byte("uno")}, Entry{3, nil})

	again := Open(region)
	for key, want := range map[Key]string{1: "uno", 2: ""} {
		if got, ok := again.Get(key); !ok || string(got) != want {
			t.Errorf("record %d is %q, %v; want %q", key, got, ok, want)
		}
	}
	if _, ok := again.Get(3); ok {
		t.Error("a deleted record is back")
	}
}

// TestAgainstAMap runs random commits and reopenings against a plain map.
func TestAgainstAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		region := flash.New(geometry).Region(0, 4)
		j, model := Open(region), map[Key]string{}
		for range rapid.IntRange(1, 60).Draw(t, "commits") {
			entries := drawEntries(t)
			j.Commit(entries...)
			applyTo(model, entries)
			if rapid.Bool().Draw(t, "reopen") {
				j = Open(region)
			}
			compare(t, j, model)
		}
	})
}

// TestAPowerCutAtAnyOperationKeepsCommitsWhole: after each cut the journal holds what was
// committed before, or that and the commit in hand, and takes further commits.
func TestAPowerCutAtAnyOperationKeepsCommitsWhole(t *testing.T) {
	story := make([][]Entry, 0, 40)
	for i := range 40 {
		story = append(story, []Entry{
			{Key(i % 4), fmt.Appendf(nil, "record of commit %d", i)},
			{Key(4 + i%2), bytes.Repeat([]byte{byte(i)}, i%17)},
		})
	}
	parts := append(cuttest.ErasedZero(geometry), flash.Geometry{SectorSize: 512, PageSize: 8, Sectors: 4})
	cuttest.Sweep(t, cuttest.Row{Name: "40 commits", Parts: parts, Begin: func(t *testing.T, g flash.Geometry) cuttest.Try {
		chip, done := flash.New(g), 0
		return cuttest.Try{
			Chip:  chip,
			Story: func() { commit(chip, story, &done) },
			After: func(at cuttest.Point) { keepsCommitsWhole(t, at, chip, story, done) },
		}
	}})
}

// commit commits the story and counts how many commits are done.
func commit(chip *flash.Chip, story [][]Entry, done *int) {
	j := Open(chip.Region(0, 4))
	for _, entries := range story {
		j.Commit(entries...)
		*done++
	}
}

// keepsCommitsWhole looks at a journal after power failed in the commit behind those done.
func keepsCommitsWhole(t *testing.T, at cuttest.Point, chip *flash.Chip, story [][]Entry, done int) {
	before, after := modelOf(story[:done]), modelOf(story[:done+1])
	j := Open(chip.Region(0, 4))
	if got := contents(j); !maps.Equal(got, before) && !maps.Equal(got, after) {
		t.Fatalf("%s in commit %d: journal holds %v, want %v or %v", at, done, got, before, after)
	}
	mended := chip.Clone().Region(0, 4)
	if c := Open(mended).Check(); c == Lost || c == Healed && at.Cut < flash.CutUnstableFirst {
		t.Fatalf("%s: the check says %s", at, c)
	}
	last := Whole
	for range 20 { // an unstable cell may read right the first time
		if last = Open(mended).Check(); last == Lost {
			t.Fatalf("%s: a later check says %s", at, last)
		}
	}
	if last != Whole {
		t.Fatalf("%s: not mended: %s", at, last)
	}
	j.Commit(story[done]...)
	if got := contents(Open(chip.Region(0, 4))); !maps.Equal(got, after) {
		t.Fatalf("%s: committing again gives %v, want %v", at, got, after)
	}
}

func modelOf(story [][]Entry) map[Key]string {
	m := map[Key]string{}
	for _, commit := range story {
		applyTo(m, commit)
	}
	return m
}

func applyTo(model map[Key]string, entries []Entry) {
	for _, e := range entries {
		if e.Data == nil {
			delete(model, e.Key)
		} else {
			model[e.Key] = string(e.Data)
		}
	}
}

func contents(j *Journal) map[Key]string {
	m := map[Key]string{}
	for k := range Key(8) {
		if data, ok := j.Get(k); ok {
			m[k] = string(data)
		}
	}
	return m
}

func compare(t *rapid.T, j *Journal, model map[Key]string) {
	if got := contents(j); !maps.Equal(got, model) {
		t.Fatalf("journal holds %v, want %v", got, model)
	}
}

func drawEntries(t *rapid.T) []Entry {
	var entries []Entry
	for range rapid.IntRange(1, 3).Draw(t, "entries") {
		e := Entry{Key: Key(rapid.IntRange(0, 5).Draw(t, "key"))}
		if rapid.IntRange(0, 4).Draw(t, "delete") > 0 {
			e.Data = rapid.SliceOfN(rapid.Byte(), 0, 25).Draw(t, "data")
			if e.Data == nil {
				e.Data = []byte{}
			}
		}
		entries = append(entries, e)
	}
	return entries
}

// TestNoSingleBitTakesAnythingAway flips every bit of a journal, one at a time: all
// records are still there, the check leaves two whole copies, and what a power cut
// cannot have done is told.
func TestNoSingleBitTakesAnythingAway(t *testing.T) {
	chip := flash.New(geometry)
	for i := range 30 { // the live sectors are no longer the first ones
		Open(chip.Region(0, 4)).Commit(Entry{Key(i % 3), fmt.Appendf(nil, "record of commit %d", i)})
	}
	want := contents(Open(chip.Region(0, 4)))
	told := 0
	for bit := range 8 * geometry.Size() {
		hurt := chip.Clone()
		hurt.Flip(bit/8, uint8(bit%8))
		j := Open(hurt.Region(0, 4))
		if got := contents(j); !maps.Equal(got, want) {
			t.Fatalf("bit %d of byte %d: journal holds %v, want %v", bit%8, bit/8, got, want)
		}
		switch c := j.Check(); c {
		case Lost:
			t.Fatalf("bit %d of byte %d: %s", bit%8, bit/8, c)
		case Healed:
			told++
		case Whole, CutShort:
		}
		if c := j.Check(); c != Whole {
			t.Fatalf("bit %d of byte %d: the second check finds it %s", bit%8, bit/8, c)
		}
		if got := contents(Open(hurt.Region(0, 4))); !maps.Equal(got, want) {
			t.Fatalf("bit %d of byte %d: after the check %v, want %v", bit%8, bit/8, got, want)
		}
	}
	if told < 1000 {
		t.Errorf("only %d of %d flipped bits count as a damage", told, 8*geometry.Size())
	}
}

// TestABitAndAPowerCutTakeNothingAway: any bit is flipped, and power fails in the next
// commit, before anybody has noticed. What was committed is there, with that commit or
// without it, and it is known to be the latest but for a few bits.
func TestABitAndAPowerCutTakeNothingAway(t *testing.T) {
	chip := flash.New(geometry)
	for i := range 30 {
		Open(chip.Region(0, 4)).Commit(Entry{Key(i % 3), fmt.Appendf(nil, "record of commit %d", i)})
	}
	before := contents(Open(chip.Region(0, 4)))
	after := maps.Clone(before)
	last := Entry{1, []byte("the last commit")}
	applyTo(after, []Entry{last})
	healed, lost := 0, 0
	for bit := range 8 * geometry.Size() {
		for operation := int64(1); operation <= 2; operation++ {
			hurt := chip.Clone()
			hurt.Flip(bit/8, uint8(bit%8))
			hurt.CutAt(hurt.Stats().Operations+operation, flash.CutTorn)
			if !cuttest.Fails(func() { Open(hurt.Region(0, 4)).Commit(last) }) {
				t.Fatal("no power cut")
			}
			j := Open(hurt.Region(0, 4))
			c := j.Check()
			if c == Lost {
				lost++
			}
			if got := contents(j); !maps.Equal(got, before) && !maps.Equal(got, after) {
				t.Fatalf("bit %d of byte %d, cut in operation %d: %s, %v", bit%8, bit/8, operation, c, got)
			}
			if c == Healed {
				healed++
			}
			if again := Open(hurt.Region(0, 4)); again.Check() != Whole || !maps.Equal(contents(again), contents(j)) {
				t.Fatalf("bit %d of byte %d, cut in operation %d: not whole after the check", bit%8, bit/8, operation)
			}
		}
	}
	// Where the length of the last record stands, or that of one to come, a bit may hide how
	// many were begun.
	const unproved = 4 * 16
	if healed < 1000 || lost > unproved {
		t.Errorf("%d damages healed, %d lost, want at most %d", healed, lost, unproved)
	}
}

// TestABitWhereTheNextRecordGoesKeepsNothingFromBeingCommitted.
func TestABitWhereTheNextRecordGoesKeepsNothingFromBeingCommitted(t *testing.T) {
	for bit := range 8 * 2 * geometry.SectorSize {
		chip := flash.New(geometry)
		j := Open(chip.Region(0, 4))
		j.Commit(Entry{1, []byte("first")})
		chip.Flip(bit/8, uint8(bit%8))
		j.Commit(Entry{1, []byte("second")})
		if got, _ := Open(chip.Region(0, 4)).Get(1); string(got) != "second" {
			t.Fatalf("bit %d of byte %d: %q", bit%8, bit/8, got)
		}
	}
}

// TestBothCopiesDamagedIsTold, and what can be read is there.
func TestBothCopiesDamagedIsTold(t *testing.T) {
	chip := flash.New(geometry)
	j := Open(chip.Region(0, 4))
	j.Commit(Entry{1, []byte("first")})
	j.Commit(Entry{1, []byte("second")})
	last := headerSize + 2*(recordHeader+entryHeader) + len("first")
	chip.Flip(last, 0)
	chip.Flip(2*geometry.SectorSize+last, 0)
	j = Open(chip.Region(0, 4))
	if got, _ := j.Get(1); string(got) != "first" {
		t.Errorf("%q, want what can be read", got)
	}
	if c := j.Check(); c != Lost {
		t.Errorf("%s, want lost", c)
	}
	if c := Open(chip.Region(0, 4)).Check(); c != Whole {
		t.Errorf("%s after the check, want whole", c)
	}
}
