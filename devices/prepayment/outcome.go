package prepayment

import (
	"fmt"

	"github.com/commshub/commshub/han/gbcs"
)

// Outcome is what became of a top-up.
type Outcome uint8

// The outcomes; all but the first changed no balance.
const (
	Accepted     Outcome = iota
	Duplicate            // it was credited before, whichever way it came
	WrongMeter           // its MAC is not that of this meter and its supplier
	Invalid              // no 20 digits that are a UTRN: mistyped
	OtherNumber          // a number of another kind
	TooOld               // so far behind the last one that nobody can say whether it was credited
	AboveBalance         // the balance would be higher than it may
	AboveCredit          // more than may be paid in at once
	Locked               // after five wrong ones no more are taken for a while
	InDoubt              // the meter lost what it was credited, or has no key to check with
	outcomes
)

// outcomeRow says how an outcome is told.
type outcomeRow struct {
	text   string // as people see it
	result gbcs.TopUpResult
	alert  gbcs.AlertCode // 0: none
	wrong  bool           // somebody who typed it guesses, or errs
}

// What a supplier is told of an outcome. That a code is too old is told as its being a
// duplicate: it may be one.
var table = [outcomes]outcomeRow{
	Accepted:     {"accepted", gbcs.TopUpAccepted, 0, false},
	Duplicate:    {"rejected: duplicate", gbcs.TopUpDuplicate, gbcs.AlertDuplicateUTRN, false},
	WrongMeter:   {"rejected: wrong meter", gbcs.TopUpInvalid, gbcs.AlertUTRNNotAuthentic, true},
	Invalid:      {"rejected: invalid", gbcs.TopUpInvalid, 0, true},
	OtherNumber:  {"rejected: not a top-up", gbcs.TopUpInvalid, gbcs.AlertUTRNNotForThisDevice, true},
	TooOld:       {"rejected: too old", gbcs.TopUpDuplicate, gbcs.AlertDuplicateUTRN, false},
	AboveBalance: {"rejected: account limit, the balance would be too high", gbcs.TopUpMaxCreditReached, gbcs.AlertCreditExceedsMaximumBalance, false},
	AboveCredit:  {"rejected: account limit, too much at once", gbcs.TopUpValueTooLarge, gbcs.AlertUTRNExceedsMaximumCredit, false},
	Locked:       {"rejected: locked, try again later", gbcs.TopUpKeypadLocked, gbcs.AlertUTRNLockedOut, false},
	InDoubt:      {"rejected: meter error", gbcs.TopUpError, 0, false},
}

// String returns what people see.
func (o Outcome) String() string {
	if o < outcomes {
		return table[o].text
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// Result returns the outcome as a response tells it.
func (o Outcome) Result() gbcs.TopUpResult { return table[o].result }

// alerts returns the alert by which the supplier is told of a top-up that was not credited, if
// there is one.
func (o Outcome) alerts() []gbcs.AlertCode {
	if code := table[o].alert; code != 0 {
		return []gbcs.AlertCode{code}
	}
	return nil
}
