package eventlog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
)

var geometry = flash.Geometry{SectorSize: 4096, PageSize: 256, Sectors: 4}

func open(t *testing.T, chip *flash.Chip) *Log {
	t.Helper()
	l, err := Open(chip.Region(0, 4))
	if err != nil {
		t.Fatal(err)
	}
	l.Format()
	return l
}

// event returns the n-th of a story; each third one says more.
func event(n int) gbcs.LogEntry {
	e := gbcs.LogEntry{Time: zcl.UTCTime(1000 + n), Code: gbcs.AlertCode(0x8100 + n%200)}
	if n%3 == 0 {
		e.Information = []byte{byte(n), byte(n >> 8), 3, 4}
	}
	return e
}

func events(from, to int) []gbcs.LogEntry {
	all := make([]gbcs.LogEntry, 0, to-from)
	for n := from; n < to; n++ {
		all = append(all, event(n))
	}
	return all
}

// TestTheLatestEntriesAreKept, over any number of reopenings and of rounds of the ring.
func TestTheLatestEntriesAreKept(t *testing.T) {
	chip := flash.New(geometry)
	for n := range 7*Capacity + 13 {
		open(t, chip).Append(event(n))
		if diff := cmp.Diff(events(max(0, n+1-Capacity), n+1), open(t, chip).Entries()); diff != "" {
			t.Fatalf("after %d entries (-want +got):\n%s", n+1, diff)
		}
	}
	if c := open(t, chip).Check(); c != journal.Whole {
		t.Errorf("the check says %s", c)
	}
	// A sector takes 70 entries and more before the next one is erased.
	if got := chip.Stats().Erases; got == 0 || got > 24 {
		t.Errorf("%d erases for %d entries", got, 7*Capacity+13)
	}
}

// TestAPowerCutAtAnyOperationLosesNoEntry that was entered, and at most the one in hand.
func TestAPowerCutAtAnyOperationLosesNoEntry(t *testing.T) {
	const before, story = Capacity + 60, 40 // over the end of a sector, and of the ring
	prepared := flash.New(geometry)
	l := open(t, prepared)
	for n := range before {
		l.Append(event(n))
	}
	whole := prepared.Clone()
	l = open(t, whole)
	start := whole.Stats().Operations
	for n := before; n < before+story; n++ {
		l.Append(event(n))
	}
	for operation := start + 1; operation <= whole.Stats().Operations; operation++ {
		for cut := flash.CutBefore; cut <= flash.CutAfter; cut++ {
			chip := prepared.Clone()
			chip.CutAt(operation, cut)
			n := enterUntilCut(t, chip, before, before+story)
			l := open(t, chip)
			if c := l.Check(); c == journal.Lost {
				t.Fatalf("cut %s operation %d: %s", cut, operation, c)
			}
			without, with := events(n-Capacity, n), events(n+1-Capacity, n+1)
			if got := l.Entries(); !cmp.Equal(got, without) && !cmp.Equal(got, with) {
				t.Fatalf("cut %s operation %d, in entry %d: (-want +got):\n%s", cut, operation, n, cmp.Diff(without, got))
			}
			l.Append(event(0))
			if got := open(t, chip).Entries(); len(got) != Capacity || !cmp.Equal(got[Capacity-1], event(0)) {
				t.Fatalf("cut %s operation %d: the next entry is not there", cut, operation)
			}
		}
	}
}

// enterUntilCut enters events until power fails, and returns the one in hand.
func enterUntilCut(t *testing.T, chip *flash.Chip, from, to int) (n int) {
	t.Helper()
	defer func() {
		if _, cut := recover().(flash.PowerCut); !cut {
			t.Fatal("no power cut")
		}
	}()
	l := open(t, chip)
	for n = from; n < to; n++ {
		l.Append(event(n))
	}
	return n
}

func TestWhatIsNotALogIsRefused(t *testing.T) {
	for _, size := range []int{recordHead - 1, recordHead + gbcs.MaxInformation + 1} {
		chip := flash.New(geometry)
		journal.Open(chip.Region(0, 4)).Commit(journal.Entry{Key: 1, Data: make([]byte, size)})
		if _, err := Open(chip.Region(0, 4)); err == nil || !strings.Contains(err.Error(), "want 10 to 14") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	chip := flash.New(geometry)
	journal.Open(chip.Region(0, 4)).Commit(journal.Entry{Key: keyLayout, Data: []byte{layout + 1}})
	if _, err := Open(chip.Region(0, 4)); err == nil || !strings.Contains(err.Error(), "layout 02, want 01") {
		t.Errorf("another layout: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("too much information was entered")
		}
	}()
	open(t, flash.New(geometry)).Append(gbcs.LogEntry{Information: make([]byte, gbcs.MaxInformation+1)})
}
