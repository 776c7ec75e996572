package dtls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	pion "github.com/pion/dtls/v3"
)

// handshakeReason turns pion's nested errors into one line for a person.
// A wrong install code shows only by silence: the other side cannot read what
// was encrypted with it.
func handshakeReason(err error, timeout time.Duration, usesKey bool) error {
	if own, ok := fromCarrier(err); ok {
		return own
	}
	if errors.Is(err, context.DeadlineExceeded) && usesKey {
		return fmt.Errorf("no answer within %s: do both sides have the same install code?", timeout)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", timeout)
	}
	if errors.Is(err, context.Canceled) {
		return errSuperseded
	}
	var identity *identityError
	if errors.As(err, &identity) {
		return identity
	}
	return alertReason(innermost(err))
}

// innermost strips what pion wraps around a cause.
func innermost(err error) error {
	var (
		handshake *pion.HandshakeError
		fatal     *pion.FatalError
		internal  *pion.InternalError
		temporary *pion.TemporaryError
	)
	switch {
	case errors.As(err, &handshake):
		return innermost(handshake.Err)
	case errors.As(err, &fatal):
		return innermost(fatal.Err)
	case errors.As(err, &internal):
		return innermost(internal.Err)
	case errors.As(err, &temporary):
		return innermost(temporary.Err)
	default:
		return err
	}
}

// alertReason words an alert of the other side, and passes other errors on.
func alertReason(err error) error {
	_, words, isAlert := strings.Cut(err.Error(), "alert: Alert ")
	if !isAlert {
		return err
	}
	_, description, _ := strings.Cut(words, ": ")
	return refusal(spaced(description))
}

// refusal is an alert of the other side.
type refusal string

// Error implements error.
func (r refusal) Error() string { return "the other side refused: " + string(r) }

// A hub that gives no key for a handshake has no other word for it than pion's.
const keyRefused refusal = "internal error"

var errNoKey = errors.New("the hub refused: it knows no install code of this device, or waits after tries that did not prove it")

// spaced writes "BadCertificate" as "bad certificate".
func spaced(camel string) string {
	var words strings.Builder
	for i, c := range camel {
		if 'A' <= c && c <= 'Z' {
			if i > 0 {
				words.WriteByte(' ')
			}
			c += 'a' - 'A'
		}
		words.WriteRune(c)
	}
	return words.String()
}

// identityError says that the other side is not who it has to be.
type identityError struct{ text string }

func (e *identityError) Error() string { return e.text }

func identityErrorf(format string, args ...any) error {
	return &identityError{fmt.Sprintf(format, args...)}
}
