// Package prepayment is a meter's account: it credits top-ups, each once, whichever way it
// came.
//
//	message (CS01b) ─► Message ┐
//	                           ├─► UTRN? ─► authentic? ─► not credited yet? ─► within the limits? ─► credited
//	digits typed ────► Type ───┘   Invalid   WrongMeter    Duplicate, TooOld    AboveBalance, AboveCredit
//
// Of a message the whole counter is known. Of digits ten bits are; the account completes them
// from the highest that was credited (utrn.Token.Counters). Which were is remembered by number,
// as far back as digits reach; the highest never goes back.
//
// The account stages its record in the application's journal and leaves the commit to its
// caller, so that a credit is durable together with the response that tells it, or neither is.
// A meter whose journal is lost in both copies credits nothing more: no top-up can be proved
// not to have been credited.
//
// Amounts are in thousandths of a penny, as in the field's messages. Divergence: nothing is
// taken off the balance, as there are no tariffs, and no emergency credit or debt is kept.
package prepayment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/utrn"
	"github.com/commshub/commshub/han/zcl"
)

// Millipence is an amount of money in thousandths of a penny.
type Millipence int64

// OfPence returns an amount of so many pence.
func OfPence(pence uint32) Millipence { return Millipence(pence) * 1000 }

// String returns the amount in pounds and pence, rounded down.
func (m Millipence) String() string {
	sign := ""
	if m < 0 {
		sign, m = "-", -m
	}
	pence := m / 1000
	return fmt.Sprintf("%s£%d.%02d", sign, pence/100, pence%100)
}

// Limits are what an account may hold, and be credited at once.
type Limits struct{ Balance, Credit Millipence }

// DefaultLimits are £250 each, as in a published GCS05.
func DefaultLimits() Limits { return Limits{Balance: OfPence(25_000), Credit: OfPence(25_000)} }

const (
	maxWrong = 5
	// LockTime is how long nothing that is typed is taken after five wrong codes in a row: an
	// assumption.
	LockTime = time.Hour
	// logged is how many top-ups are kept in full.
	logged = 5
)

// Config is what an account needs to know.
type Config struct {
	Meter, Supplier han.EUI64
	// Common returns what meter and supplier have in common, once it is needed.
	Common func() (seal.Secret, error)
	Limits Limits
}

// TopUp is one that was credited.
type TopUp struct {
	Token  utrn.Token
	Number uint32      // all of its counter
	At     zcl.UTCTime // by the meter's clock
	Typed  bool
}

// Amount returns what was credited.
func (t TopUp) Amount() Millipence { return OfPence(t.Token.Pence()) }

// Account is a meter's account.
type Account struct {
	cfg     Config
	journal *journal.Journal
	state   state
}

// Open returns the account as the application's journal has it; that of a meter that was never
// topped up is empty. It fails on one that another release kept.
func Open(cfg Config, j *journal.Journal) (*Account, error) {
	a := &Account{cfg: cfg, journal: j}
	_, a.state.doubted = j.Get(board.KeyDoubt)
	if data, ok := j.Get(board.KeyPrepay); ok {
		if err := a.state.parse(data); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// Balance returns what is there.
func (a *Account) Balance() Millipence { return a.state.balance }

// Last returns the top-up that was credited last; ok is false if there was none.
func (a *Account) Last() (t TopUp, ok bool) {
	if len(a.state.log) == 0 {
		return TopUp{}, false
	}
	return a.state.log[0], true
}

// Message credits a top-up whose whole number is known, and returns what the supplier is to be
// alerted of. clock is the meter's own.
func (a *Account) Message(clock time.Time, digits string, number uint32) (Outcome, []gbcs.AlertCode) {
	token, err := utrn.Parse(digits)
	o := unread(err)
	if err == nil {
		o = a.settle(clock, token, false, number)
	}
	return o, o.alerts()
}

// Type credits a top-up that somebody typed, and returns what the supplier is to be alerted of:
// of a lock once.
func (a *Account) Type(clock time.Time, digits string) (Outcome, []gbcs.AlertCode) {
	if a.locked(clock) {
		if a.state.lockTold {
			return Locked, nil
		}
		a.state.lockTold = true
		a.stage()
		return Locked, Locked.alerts()
	}
	token, err := utrn.Parse(digits)
	o := unread(err)
	if err == nil {
		o = a.settle(clock, token, true, token.Counters(a.state.taken.highest)...)
	}
	alerts := o.alerts()
	if !table[o].wrong {
		return o, alerts
	}
	if a.state.wrong++; a.state.wrong >= maxWrong {
		a.state.wrong, a.state.lockTold = 0, false
		a.state.lockedUntil = clock.Add(LockTime).Unix()
		alerts = append(alerts, gbcs.AlertUTRNEntrySuspended)
	}
	a.stage()
	return o, alerts
}

// unread returns the outcome of digits that are no UTRN.
func unread(err error) Outcome {
	if errors.Is(err, utrn.ErrOtherNumber) {
		return OtherNumber
	}
	return Invalid
}

// locked reports whether nothing is taken that is typed. A clock that was set back does not
// make a lock longer than it is.
func (a *Account) locked(clock time.Time) bool {
	until := time.Unix(a.state.lockedUntil, 0)
	return clock.Before(until) && until.Sub(clock) <= LockTime
}

// settle credits a token that is of one of the numbers.
func (a *Account) settle(clock time.Time, t utrn.Token, typed bool, numbers ...uint32) Outcome {
	if a.state.doubted {
		return InDoubt
	}
	secret, err := a.cfg.Common()
	if err != nil {
		return InDoubt
	}
	for _, n := range numbers {
		if n != 0 && t.Check(secret, utrn.Context{Originator: a.cfg.Supplier, Meter: a.cfg.Meter, TopUp: n}) {
			return a.credit(clock, TopUp{Token: t, Number: n, Typed: typed})
		}
	}
	return WrongMeter
}

func (a *Account) credit(clock time.Time, t TopUp) Outcome {
	s := &a.state
	switch {
	case s.taken.has(t.Number):
		return Duplicate
	case s.taken.tooOld(t.Number):
		return TooOld
	case t.Amount() > a.cfg.Limits.Credit:
		return AboveCredit
	case s.balance+t.Amount() > a.cfg.Limits.Balance:
		return AboveBalance
	}
	t.At = zcl.UTCTimeOf(clock)
	s.balance += t.Amount()
	s.taken.add(t.Number)
	s.wrong, s.lockedUntil = 0, 0
	s.log = append([]TopUp{t}, s.log[:min(len(s.log), logged-1)]...)
	a.stage()
	return Accepted
}

// stage has the account kept with the next commit.
func (a *Account) stage() {
	a.journal.Stage(journal.Entry{Key: board.KeyPrepay, Data: a.state.append(nil)})
}

// state is what is kept of an account.
type state struct {
	balance     Millipence
	doubted     bool // an account before this one was lost
	taken       taken
	wrong       uint8 // in a row, typed
	lockTold    bool
	lockedUntil int64 // seconds since 1970 by the meter's clock; 0: it is not
	log         []TopUp
}

const (
	stateLayout = 1
	stateHead   = 1 + 8 + 1 + 4 + window/8 + 1 + 1 + 8
	topUpSize   = 8 + 4 + 4 + 1
)

// append appends layout(1) balance(8) doubted(1) highest(4) taken(64) wrong(1) lock told(1)
// locked until(8), and for each top-up: counter(2) class ‖ value(2) MAC(4) number(4) at(4) typed(1). All
// is little-endian.
func (s *state) append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint64(append(b, stateLayout), uint64(s.balance))
	b = le.AppendUint32(append(b, flag(s.doubted)), s.taken.highest)
	for _, w := range s.taken.bits {
		b = le.AppendUint64(b, w)
	}
	b = append(b, s.wrong, flag(s.lockTold))
	b = le.AppendUint64(b, uint64(s.lockedUntil))
	for _, t := range s.log {
		b = le.AppendUint16(b, t.Token.Counter)
		b = le.AppendUint16(b, uint16(t.Token.Class)<<13|t.Token.Value)
		b = le.AppendUint32(b, t.Token.MAC)
		b = le.AppendUint32(le.AppendUint32(b, t.Number), uint32(t.At))
		b = append(b, flag(t.Typed))
	}
	return b
}

func flag(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func (s *state) parse(b []byte) error {
	if len(b) < stateHead || b[0] != stateLayout || (len(b)-stateHead)%topUpSize != 0 || (len(b)-stateHead)/topUpSize > logged {
		return fmt.Errorf("account of a prepayment meter: %d bytes, want %d of layout %d, and %d for each top-up", len(b), stateHead, stateLayout, topUpSize)
	}
	le := binary.LittleEndian
	b = b[1:]
	s.balance, s.doubted, s.taken.highest = Millipence(le.Uint64(b)), b[8] != 0, le.Uint32(b[9:])
	b = b[13:]
	for i := range s.taken.bits {
		s.taken.bits[i] = le.Uint64(b[8*i:])
	}
	b = b[window/8:]
	s.wrong, s.lockTold, s.lockedUntil = b[0], b[1] != 0, int64(le.Uint64(b[2:]))
	for b = b[10:]; len(b) > 0; b = b[topUpSize:] {
		word := le.Uint16(b[2:])
		s.log = append(s.log, TopUp{
			Token:  utrn.Token{Counter: le.Uint16(b), Class: utrn.Class(word >> 13), Value: word & utrn.MaxValue, MAC: le.Uint32(b[4:])},
			Number: le.Uint32(b[8:]), At: zcl.UTCTime(le.Uint32(b[12:])), Typed: b[16] != 0,
		})
	}
	return nil
}
