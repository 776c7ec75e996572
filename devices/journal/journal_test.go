package journal

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/flash"
)

var geometry = flash.Geometry{SectorSize: 256, PageSize: 32, Sectors: 3}

func TestRecordsSurviveReopening(t *testing.T) {
	region := flash.New(geometry).Region(0, 3)
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
		region := flash.New(geometry).Region(0, 3)
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

// TestAPowerCutAtAnyOperationKeepsCommitsWhole replays one story with a cut
// before, in the middle of, and after each flash operation. After each cut the
// journal holds what was committed before, or that and the commit in hand, and
// takes further commits.
func TestAPowerCutAtAnyOperationKeepsCommitsWhole(t *testing.T) {
	story := make([][]Entry, 0, 40)
	for i := range 40 {
		story = append(story, []Entry{
			{Key(i % 4), fmt.Appendf(nil, "record of commit %d", i)},
			{Key(4 + i%2), bytes.Repeat([]byte{byte(i)}, i%17)},
		})
	}
	whole := flash.New(geometry)
	for _, commit := range story {
		Open(whole.Region(0, 3)).Commit(commit...)
	}
	operations := whole.Stats().Operations
	if operations < 100 {
		t.Fatalf("the story takes %d operations only", operations)
	}
	for n := int64(1); n <= operations; n++ {
		for _, cut := range []flash.Cut{flash.CutBefore, flash.CutTorn, flash.CutAfter} {
			chip := flash.New(geometry)
			chip.CutAt(n, cut)
			done := runUntilCut(t, chip, story)
			before, after := modelOf(story[:done]), modelOf(story[:done+1])
			j := Open(chip.Region(0, 3))
			if got := contents(j); !maps.Equal(got, before) && !maps.Equal(got, after) {
				t.Fatalf("cut %s operation %d in commit %d: journal holds %v, want %v or %v", cut, n, done, got, before, after)
			}
			j.Commit(story[done]...)
			if got := contents(Open(chip.Region(0, 3))); !maps.Equal(got, after) {
				t.Fatalf("cut %s operation %d: committing again gives %v, want %v", cut, n, got, after)
			}
		}
	}
}

// runUntilCut commits the story until power fails and returns how many commits
// were whole by then.
func runUntilCut(t *testing.T, chip *flash.Chip, story [][]Entry) (done int) {
	t.Helper()
	defer func() {
		if _, cut := recover().(flash.PowerCut); !cut {
			t.Fatal("no power cut")
		}
	}()
	j := Open(chip.Region(0, 3))
	for _, commit := range story {
		j.Commit(commit...)
		done++
	}
	return done
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
