package prepayment

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/utrn"
)

const (
	supplier han.EUI64 = 0x90B3D51F30010000
	meter    han.EUI64 = 0x00DB1234567890A1
)

var (
	start  = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	secret = agree(meter)
)

func agree(with han.EUI64) seal.Secret {
	s, err := seal.Agree(seal.Derive(1, supplier).KA, seal.Derive(1, with).KA.PublicKey())
	if err != nil {
		panic(err)
	}
	return s
}

func newChip() *flash.Chip {
	return flash.New(flash.Geometry{SectorSize: 4096, PageSize: 256, Sectors: 4})
}

func open(t rapid.TB, chip *flash.Chip, limits Limits) (*Account, *journal.Journal) {
	j := journal.Open(chip.Region(0, 4))
	j.Check()
	if j.Empty() {
		j.Commit(journal.Entry{Key: board.KeyLabel, Data: []byte{1}})
	}
	a, err := Open(Config{
		Meter: meter, Supplier: supplier, Limits: limits, Common: func() (seal.Secret, error) { return secret, nil },
	}, j)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return a, j
}

func issue(t rapid.TB, number, pence uint32) string {
	class, value, err := utrn.Amount(pence)
	if err != nil {
		t.Fatal(err)
	}
	token, err := utrn.Issue(secret, utrn.Context{Originator: supplier, Meter: meter, TopUp: number}, class, value)
	if err != nil {
		t.Fatal(err)
	}
	return token.String()
}

func TestReasons(t *testing.T) {
	other, err := utrn.Issue(agree(meter+1), utrn.Context{Originator: supplier, Meter: meter + 1, TopUp: 3}, utrn.Pence, 100)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := open(t, newChip(), DefaultLimits())
	clock := start
	for i, step := range []struct {
		digits string
		number uint32 // 0: typed
		want   Outcome
		alerts []gbcs.AlertCode
	}{
		{issue(t, 5000, 1000), 5000, Accepted, nil}, // the message says all of the counter
		{issue(t, 5000, 1000), 0, Duplicate, []gbcs.AlertCode{0x8F51}},
		{issue(t, 5000, 1000), 5000, Duplicate, []gbcs.AlertCode{0x8F51}},
		{issue(t, 4999, 500), 0, Accepted, nil}, // in another order
		{issue(t, 4998, 500), 4999, WrongMeter, []gbcs.AlertCode{0x8F63}},
		{issue(t, 4400, 100), 0, TooOld, []gbcs.AlertCode{0x8F51}},
		{issue(t, 3000, 100), 3000, TooOld, []gbcs.AlertCode{0x8F51}},
		{other.String(), 0, WrongMeter, []gbcs.AlertCode{0x8F63}},
		{other.String(), 3, WrongMeter, []gbcs.AlertCode{0x8F63}},
		{"123", 0, Invalid, nil},
		{"12345678910123141516", 5001, Invalid, nil},
		{issue(t, 5002, 25_100), 5002, AboveCredit, []gbcs.AlertCode{0x8F5B}},
		{issue(t, 5003, 25_000), 5003, AboveBalance, []gbcs.AlertCode{0x8F47}},
		{issue(t, 5003, 23_500), 0, Accepted, nil},
		{issue(t, 6000, 100), 0, WrongMeter, []gbcs.AlertCode{0x8F63}}, // nobody told the meter how far the supplier is
	} {
		var o Outcome
		var alerts []gbcs.AlertCode
		if step.number == 0 {
			o, alerts = a.Type(clock, step.digits)
		} else {
			o, alerts = a.Message(clock, step.digits, step.number)
		}
		if o != step.want || !slices.Equal(alerts, step.alerts) {
			t.Errorf("step %d: %s, alerts %v; want %s, %v", i, o, alerts, step.want, step.alerts)
		}
	}
	if a.Balance() != OfPence(25_000) || a.state.taken.highest != 5003 || len(a.state.log) != 3 || a.state.log[0].Number != 5003 {
		t.Errorf("balance %d, highest %d, %+v", a.Balance(), a.state.taken.highest, a.state.log)
	}
}

func TestFiveWrongCodesLockTheKeypadForAnHour(t *testing.T) {
	chip := newChip()
	a, j := open(t, chip, DefaultLimits())
	wrong := "73943333457189043313" // a good one, of another meter
	good := issue(t, 1, 1000)
	for i := range 5 {
		want := []gbcs.AlertCode{0x8F63}
		if i == 4 {
			want = append(want, 0x81C4)
		}
		if o, alerts := a.Type(start, wrong); o != WrongMeter || !slices.Equal(alerts, want) {
			t.Fatalf("wrong code %d: %s, %v", i, o, alerts)
		}
		j.Commit()
		a, j = open(t, chip, DefaultLimits()) // a reset does not give five more
	}
	if o, alerts := a.Type(start.Add(LockTime-time.Second), good); o != Locked || !slices.Equal(alerts, []gbcs.AlertCode{0x81C5}) {
		t.Errorf("%s, %v", o, alerts)
	}
	if o, alerts := a.Type(start.Add(LockTime-time.Second), good); o != Locked || len(alerts) != 0 {
		t.Errorf("told twice: %s, %v", o, alerts)
	}
	if o, _ := a.Type(start.Add(-100*time.Hour), good); o != Accepted {
		t.Errorf("a clock that was set back locks for %s", o)
	}
	b, _ := open(t, chip, DefaultLimits())
	if o, _ := b.Type(start.Add(LockTime), good); o != Accepted {
		t.Errorf("after an hour: %s", o)
	}
	c, _ := open(t, chip, DefaultLimits())
	if o, _ := c.Message(start, good, 1); o != Accepted {
		t.Errorf("a message while it is locked: %s", o)
	}
	if o, _ := c.Type(start, issue(t, 2, 1)); o != Accepted {
		t.Errorf("after a message was taken: %s", o)
	}
}

func TestAMeterInDoubtCreditsNothing(t *testing.T) {
	chip := newChip()
	_, j := open(t, chip, DefaultLimits())
	j.Commit(journal.Entry{Key: board.KeyDoubt, Data: []byte{}})
	a, j := open(t, chip, DefaultLimits())
	a.Type(start, "mistyped") // which is kept, and no account
	j.Commit()
	a, _ = open(t, chip, DefaultLimits())
	for _, number := range []uint32{0, 1} {
		o, _ := a.Type(start, issue(t, 1, 100))
		if number > 0 {
			o, _ = a.Message(start, issue(t, 1, 100), number)
		}
		if o != InDoubt || o.Result() != gbcs.TopUpError || a.Balance() != 0 {
			t.Errorf("%s, balance %d", o, a.Balance())
		}
	}
}

// rig is a meter's account, and what it should hold.
type rig struct {
	*rapid.T
	chip     *flash.Chip
	account  *Account
	journal  *journal.Journal
	credited map[uint32]bool
	sum      Millipence
	highest  uint32
}

var unlimited = Limits{Balance: 1 << 60, Credit: 1 << 60}

func (r *rig) restart() { r.account, r.journal = open(r, r.chip, unlimited) }

func (r *rig) try(n uint32, typed bool) (o Outcome) {
	if typed {
		o, _ = r.account.Type(start, issue(r, n, amount(n)))
	} else {
		o, _ = r.account.Message(start, issue(r, n, amount(n)), n)
	}
	r.journal.Commit()
	return o
}

func (r *rig) credit(n uint32) {
	if r.credited[n] {
		r.Fatalf("top-up %d is credited twice", n)
	}
	r.credited[n], r.sum = true, r.sum+OfPence(amount(n))
}

func (r *rig) check() {
	if a := r.account; a.Balance() != r.sum || a.state.taken.highest < r.highest {
		r.Fatalf("balance %s, highest %d; want %s of %v, at least %d", a.Balance(), a.state.taken.highest, r.sum, r.credited, r.highest)
	}
	r.highest = r.account.state.taken.highest
}

// step has a top-up come, with or without a power cut in the middle, or the meter restart.
func (r *rig) step(n uint32, typed bool) {
	switch rapid.SampledFrom([]string{"come", "come", "cut", "restart"}).Draw(r.T, "what") {
	case "come":
		switch o := r.try(n, typed); {
		case o == Accepted:
			r.credit(n)
		case o != Duplicate || !r.credited[n]:
			r.Fatalf("top-up %d, typed %v: %s, credited %v", n, typed, o, r.credited)
		}
	case "cut":
		cut := flash.Cut(rapid.Uint8Range(uint8(flash.CutBefore), uint8(flash.CutAfter)).Draw(r.T, "cut"))
		r.chip.CutAt(r.chip.Stats().Operations+rapid.Int64Range(1, 3).Draw(r.T, "operation"), cut)
		powered := survives(func() { r.try(n, typed) })
		r.chip.CutAt(0, 0)
		r.restart()
		if r.account.Balance() != r.sum || powered && !r.credited[n] {
			r.credit(n) // it was kept before power failed
		}
	case "restart":
		r.restart()
	}
}

// A code that anybody has is credited once, whichever ways it comes, how often, in which order,
// and wherever power fails in between. rapid.checks says how many interleavings are tried; 10,000
// pass (2026-11-27).
func TestEachCodeIsCreditedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := &rig{T: t, chip: newChip(), credited: map[uint32]bool{}}
		r.restart()
		first := rapid.Uint32Range(2, 1<<31).Draw(t, "first number")
		var numbers []uint32
		for n, i := first, 0; i < 6; i++ {
			numbers = append(numbers, n)
			n += rapid.Uint32Range(1, 80).Draw(t, "gap")
		}
		if o := r.try(first-1, false); o != Accepted { // a message tells the meter how far the supplier is
			t.Fatalf("the first: %s", o)
		}
		r.credit(first - 1)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			r.step(rapid.SampledFrom(numbers).Draw(t, "top-up"), rapid.Bool().Draw(t, "typed"))
			r.check()
		}
		for _, n := range numbers { // who was not credited yet is, on paper or by message
			if o := r.try(n, n%2 == 0); o == Accepted {
				r.credit(n)
			}
			if !r.credited[n] {
				t.Fatalf("top-up %d is not credited", n)
			}
			r.check()
		}
	})
}

// amount returns how much a top-up is by, in pence: neighbours have different ones.
func amount(n uint32) uint32 { return 1 + n%8000 }

// survives reports whether power lasted.
func survives(f func()) (powered bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, cut := r.(flash.PowerCut); !cut {
				panic(r)
			}
		}
	}()
	f()
	return true
}

func TestTakenRemembersTheLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got taken
		want := map[uint32]bool{}
		highest := uint32(0)
		for range rapid.IntRange(1, 50).Draw(t, "top-ups") {
			n := uint32(max(1, int64(highest)+rapid.Int64Range(-700, 700).Draw(t, "ahead")))
			old := highest >= window && n <= highest-window
			if old != got.tooOld(n) || got.has(n) != (want[n] && !old) {
				t.Fatalf("%d with highest %d: too old %v, had %v; want %v, %v", n, highest, got.tooOld(n), got.has(n), old, want[n])
			}
			got.add(n)
			if !old {
				want[n], highest = true, max(highest, n)
			}
		}
		for n := range want {
			if n > highest-min(highest, window-1) && !got.has(n) {
				t.Fatalf("%d is forgotten, highest is %d", n, highest)
			}
		}
	})
}

func TestAnAccountOfAnotherReleaseIsRefused(t *testing.T) {
	var s state
	good := s.append(nil)
	for _, bad := range [][]byte{nil, {2}, good[:len(good)-1], append(slices.Clone(good), 1), append([]byte{2}, good[1:]...), append(slices.Clone(good), make([]byte, 6*topUpSize)...)} {
		if err := new(state).parse(bad); err == nil || !strings.Contains(err.Error(), "account of a prepayment meter") {
			t.Errorf("%x: %v", bad, err)
		}
	}
}
