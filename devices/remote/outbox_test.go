package remote

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/internal/cuttest"
)

// small is an outbox of two copies of five sectors that take four messages of 20 bytes each.
var small = flash.Geometry{SectorSize: 128, PageSize: 32, Sectors: 2 * 5}

func text(i int) []byte { return fmt.Appendf(nil, "message %012d", i) }

func open(t testing.TB, chip *flash.Chip, record []byte) *outbox {
	t.Helper()
	o, _, err := openOutbox(chip.Region(0, small.Sectors), record, false)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func contents(o *outbox) (all []string) {
	for _, m := range o.waiting {
		all = append(all, string(o.data(m)))
	}
	return all
}

// TestTheOutboxAgainstASlice posts, commits, delivers and restarts at random and
// compares with a plain slice that forgets at a restart what was not committed.
func TestTheOutboxAgainstASlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		chip := flash.New(small)
		o := open(t, chip, nil)
		var record []byte
		var now []string
		committed, posted := 0, 0 // of now
		for range 200 {
			switch rapid.SampledFrom([]string{"post", "post", "post", "commit", "deliver", "restart"}).Draw(rt, "action") {
			case "post":
				posted++
				if o.post(text(posted), rapid.Bool().Draw(rt, "must")) {
					now = append(now, string(text(posted)))
				}
			case "commit":
				record, committed = o.record(), len(now)
			case "deliver":
				if _, ok := o.first(); ok && committed > 0 {
					o.confirm()
					now, committed = now[1:], committed-1
				}
			case "restart":
				now = now[:committed]
				o = open(t, chip, record)
			}
			if got := contents(o); fmt.Sprint(got) != fmt.Sprint(now) {
				rt.Fatalf("holds %v, want %v", got, now)
			}
		}
	})
}

// TestWhatWaitsIsNeverDropped: an outbox that fills up refuses what comes, first
// what may be lost, and has room again when its oldest sector was delivered.
func TestWhatWaitsIsNeverDropped(t *testing.T) {
	o := open(t, flash.New(small), nil)
	fill := func(must bool) (n int) {
		for o.post(text(0), must) {
			n++
		}
		return n
	}
	const perSector = 4
	if got := fill(false); got != 3*perSector || o.lost != 1 {
		t.Errorf("%d messages that may be lost fit, %d were; want all but two sectors, and 1", got, o.lost)
	}
	if got := fill(true); got != 2*perSector || o.lost != 2 {
		t.Errorf("then %d that must not be lost, %d were; want two sectors, and 2", got, o.lost)
	}
	for range perSector {
		o.first()
		o.confirm()
	}
	if o.post(text(1), false) || !o.post(text(2), true) {
		t.Error("with one sector delivered there is room for what may be lost, or none for what must not")
	}
}

func TestAConfirmationIsForTheMessageShown(t *testing.T) {
	o := open(t, flash.New(small), nil)
	if o.confirm() {
		t.Error("an empty outbox delivered something")
	}
	o.post(text(1), true)
	o.post(text(2), true)
	o.first()
	if !o.confirm() || o.confirm() {
		t.Error("one confirmation did not drop one message")
	}
	if got := fmt.Sprint(contents(o)); got != fmt.Sprintf("[%s]", text(2)) {
		t.Errorf("left %s", got)
	}
}

// TestAPowerCutAnywhereKeepsWhatWasCommitted: posts, commits and deliveries round the ring.
func TestAPowerCutAnywhereKeepsWhatWasCommitted(t *testing.T) {
	parts := append(cuttest.ErasedZero(small), flash.Geometry{SectorSize: 128, PageSize: 8, Sectors: small.Sectors})
	cuttest.Sweep(t, cuttest.Row{Name: "40 messages", Parts: parts, Begin: func(t *testing.T, g flash.Geometry) cuttest.Try {
		s := &posting{chip: flash.New(g)}
		return cuttest.Try{Chip: s.chip, Story: s.run, After: func(at cuttest.Point) { s.judge(t, at) }}
	}})
}

// posting is a story of an outbox, and how far it got.
type posting struct {
	chip      *flash.Chip
	record    []byte // what the journal keeps
	delivered int
}

func (s *posting) run() {
	o, found, err := openOutbox(s.chip.Region(0, small.Sectors), s.record, false)
	if err != nil || found != journal.Whole {
		panic(fmt.Sprint(err, found))
	}
	for i := range 40 {
		o.post(text(i), true)
		s.record = o.record()
		if len(o.waiting) > 6 {
			o.first()
			s.delivered++ // by the hub's word, before the meter writes it down
			o.confirm()
		}
	}
}

// judge holds what waits after the cut against what was posted and delivered.
func (s *posting) judge(t *testing.T, at cuttest.Point) {
	o, found, err := openOutbox(s.chip.Region(0, small.Sectors), s.record, false)
	if err != nil || found == journal.Lost || found == journal.Healed && at.Tidy() {
		t.Fatalf("%s: %s, %v", at, found, err)
	}
	posted := 0
	if s.record != nil {
		posted = int(s.record[1]) // all sequence numbers are small
	}
	got := contents(o)
	first := posted - len(got)
	if first > s.delivered || first < s.delivered-1 {
		t.Fatalf("%s: %d wait of %d posted and %d delivered", at, len(got), posted, s.delivered)
	}
	for i, m := range got {
		if m != string(text(first+i)) {
			t.Fatalf("%s: message %d is %q", at, first+i, m)
		}
	}
	if !o.post([]byte("one more"), true) || !bytes.Equal(o.data(o.waiting[len(o.waiting)-1]), []byte("one more")) {
		t.Fatalf("%s: it takes no more", at)
	}
	again := open(t, s.chip, o.record())
	// What the hub has may go: it was being marked as delivered.
	if n := len(again.waiting); n != len(got)+1 && (n != len(got) || first == s.delivered) {
		t.Fatalf("%s: %d wait after another start, want %d", at, n, len(got)+1)
	}
}

// TestAMessageThatNeverCountedIsNotLost: power failed in its first copy, where it reads well
// and then not.
func TestAMessageThatNeverCountedIsNotLost(t *testing.T) {
	chip := flash.New(small)
	o := open(t, chip, nil)
	o.post(text(1), true)
	o.first()
	o.confirm() // so that the sector is not worth mending
	record := o.record()
	chip.CutAt(chip.Stats().Operations+2, flash.CutUnstableLast) // behind the border of a page
	if !cuttest.Fails(func() { o.post(text(2), true) }) {
		t.Fatal("no power cut")
	}
	for range 100 {
		if o, found, err := openOutbox(chip.Region(0, small.Sectors), record, false); err != nil || found == journal.Lost || len(o.waiting) != 0 {
			t.Fatalf("%s, %v, %d wait, want none", found, err, len(o.waiting))
		}
	}
}

// TestAMessageIsShownAsItWasFoundGood, also if a cell of one copy reads differently the
// next time.
func TestAMessageIsShownAsItWasFoundGood(t *testing.T) {
	chip := flash.New(small)
	o := open(t, chip, nil)
	o.post(text(1), true)
	chip.CutAt(chip.Stats().Operations+1, flash.CutUnstable)
	if !cuttest.Fails(func() { chip.Region(0, 1).Program(messageHeader+3, []byte{0}) }) {
		t.Fatal("no power cut")
	}
	for range 100 {
		if got := contents(o)[0]; got != string(text(1)) {
			t.Fatalf("shown as %q", got)
		}
	}
}

// posted returns a part on which messages wait, after others were delivered, and what the
// journal keeps of it.
func posted(t *testing.T) (chip *flash.Chip, record []byte) {
	chip = flash.New(small)
	o := open(t, chip, nil)
	for i := range 10 {
		o.post(text(i), true)
		if i < 3 {
			o.first()
			o.confirm()
		}
	}
	return chip, o.record()
}

// TestNoSingleBitTakesAMessageAway, nor brings one back or another one: before and after a
// restart and at a check. What was bad is mended.
func TestNoSingleBitTakesAMessageAway(t *testing.T) {
	chip, record := posted(t)
	want := fmt.Sprint(contents(open(t, chip, record)))
	healed := 0
	for bit := range 8 * small.Size() {
		running := chip.Clone()
		o := open(t, running, record)
		if found := o.check(); found != journal.Whole {
			t.Fatalf("a whole outbox is found %s", found)
		}
		running.Flip(bit/8, uint8(bit%8))
		if got := fmt.Sprint(contents(o)); got != want {
			t.Fatalf("byte %d bit %d: shown are %s, want %s", bit/8, bit%8, got, want)
		}
		restarted := running.Clone()
		again, found, err := openOutbox(restarted.Region(0, small.Sectors), record, false)
		if err != nil || found == journal.Lost || fmt.Sprint(contents(again)) != want {
			t.Fatalf("byte %d bit %d: after a restart %s, %v, %s", bit/8, bit%8, contents(again), err, found)
		}
		if found == journal.Healed {
			healed++
		}
		if checked := o.check(); checked != found || fmt.Sprint(contents(o)) != want {
			t.Fatalf("byte %d bit %d: a check finds it %s, a restart %s; %s", bit/8, bit%8, checked, found, contents(o))
		}
		if found := o.check(); found != journal.Whole || fmt.Sprint(contents(o)) != want {
			t.Fatalf("byte %d bit %d: not mended: %s", bit/8, bit%8, found)
		}
	}
	const least = 2 * 7 * 8 * 30 // two copies of seven messages of 31 bytes, but the end of the last
	if healed < least {
		t.Errorf("%d bits count as a damage, want at least %d", healed, least)
	}
}

// TestAMessageBadInBothCopiesIsTold, once; those before it still wait.
func TestAMessageBadInBothCopiesIsTold(t *testing.T) {
	chip, record := posted(t)
	const second = 128 + messageHeader + 20 + 15 // in the text of message 5
	chip.Flip(second, 0)
	chip.Flip(small.Size()/2+second, 1)
	o, found, err := openOutbox(chip.Region(0, small.Sectors), record, false)
	if err != nil || found != journal.Lost {
		t.Fatalf("%s, %v", found, err)
	}
	if got, want := fmt.Sprint(contents(o)), fmt.Sprintf("[%s %s %s %s]", text(3), text(4), text(8), text(9)); got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
	if found := o.check(); found != journal.Whole {
		t.Errorf("told again: %s", found)
	}
}

// TestAnOutboxThatNothingTouchedIsReadOnce, also one that never held a message. Reading it
// allocates; a check that does not read allocates nothing.
func TestAnOutboxThatNothingTouchedIsReadOnce(t *testing.T) {
	for name, begin := range map[string]func() (*flash.Chip, []byte){
		"new":           func() (*flash.Chip, []byte) { return flash.New(small), nil },
		"with messages": func() (*flash.Chip, []byte) { return posted(t) },
	} {
		chip, record := begin()
		o := open(t, chip, record)
		o.check()
		if n := testing.AllocsPerRun(10, func() { o.check() }); n != 0 {
			t.Errorf("%s: a check of what nothing touched allocates %v times: it was read", name, n)
		}
		chip.Flip(3, 0)
		if n := testing.AllocsPerRun(1, func() { chip.Flip(3, 0); o.check() }); n == 0 {
			t.Errorf("%s: what was touched is not read", name)
		}
	}
}

func TestARecordOfAnotherReleaseIsRefused(t *testing.T) {
	whole := open(t, flash.New(small), nil).record()
	for name, b := range map[string][]byte{"empty": {}, "another layout": append([]byte{recordVersion + 1}, whole[1:]...), "cut short": whole[:4]} {
		if _, _, err := openOutbox(flash.New(small).Region(0, small.Sectors), b, false); err == nil || !strings.Contains(err.Error(), "outbox: layout") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
