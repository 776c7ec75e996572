package headend

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// How an order to activate moves the update that it is about:
//
//	given        at once: activating     dated: dated            cancelling: –
//	expired      as it was before the order                      dated
//	accepted     –                       dated                   transferred
//	carried out  activated               activated (8F66)        –
//	not          failed, or transferred with what the device said, or, if it says that it
//	             holds no image, pending: offered again
//
// Carried out is what the device says it runs: a success that names another version is
// none, and a device that runs the version and holds nothing more to activate was late
// with the answer to an order before.
//
// A device holds at most one dated activation: whatever Activate Firmware command it
// takes after that drops it.

// outcomeText returns the outcome of an activation in words.
func outcomeText(o gbcs.ActivationOutcome) string {
	return fmt.Sprintf("activation: %s, runs version %08X", o.Code, o.FirmwareVersion)
}

// activationAnswered moves an order, and what it is about, on the device's response.
func (s *HeadEnd) activationAnswered(now time.Time, o store.Order, r gbcs.ActivateFirmwareResponse) []store.Change {
	u, ok := s.current(o.Device)
	dated := ok && u.State == store.UpdateDated
	switch {
	case r.Accepted && o.Cancels:
		return append(s.drop(now, o), store.Put(moved(o, now, store.OrderDone, "accepted")))
	case r.Accepted:
		changes := append(s.drop(now, o), store.Put(moved(o, now, store.OrderAccepted, "")))
		if dated && u.Order == o.Counter && !s.cancelling(u) {
			changes = append(changes, store.Put(with(u, now, u.State, "accepted, "+dateOf(o))))
		}
		return changes
	case o.Cancels:
		changes := s.activationEnded(now, o, r.Outcome)
		if dated && u.Order == o.Before {
			changes = append(changes, store.Put(with(u, now, u.State, s.dated(u)+"the device did not cancel: "+r.Outcome.Code.String())))
		}
		return changes
	default:
		return append(s.drop(now, o), s.activationEnded(now, o, r.Outcome)...)
	}
}

// drop ends the dated activations that a device held when it took a later order.
func (s *HeadEnd) drop(now time.Time, later store.Order) []store.Change {
	why := "a later order took its place"
	if later.Cancels {
		why = "activation cancelled"
	}
	u, held := s.current(later.Device)
	held = held && u.State == store.UpdateDated && u.Order != later.Counter
	// An order that the store does not know was given before orders were kept.
	dropped := held && u.Order == 0
	var changes []store.Change
	for _, o := range s.store.OrdersOf(later.Device) {
		if o.ExecuteAt == 0 || o.State.Ended() || o.Counter >= later.Counter {
			continue
		}
		changes = append(changes, store.Put(moved(o, now, store.OrderDropped, why)))
		dropped = dropped || held && u.Order == o.Counter
	}
	if dropped {
		u.Order = 0
		changes = append(changes, store.Put(with(u, now, store.UpdateTransferred, why)))
	}
	return changes
}

// ordered returns the update that an order to activate is about, if the outcome can still
// move it: the device may have told before that it runs the image.
func (s *HeadEnd) ordered(o store.Order) (store.Update, bool) {
	for _, u := range s.store.UpdatesOf(o.Device) {
		if u.Order == o.Counter && (u.State.Holds() || u.State == store.UpdateActivated && u.Outcome == runsNow) {
			return u, true
		}
	}
	return store.Update{}, false
}

// activationEnded moves an order, and the update that it is about, on the outcome of
// the activation.
func (s *HeadEnd) activationEnded(now time.Time, o store.Order, outcome gbcs.ActivationOutcome) []store.Change {
	text, state := outcomeText(outcome), store.OrderFailed
	if outcome.Code == gbcs.ActivationSuccess {
		state = store.OrderDone
	}
	changes := append(s.unanswered(now, o), store.Put(moved(o, now, state, text)))
	u, ok := s.ordered(o)
	if !ok {
		return changes
	}
	switch {
	case outcome.Code == gbcs.ActivationFailure:
		u = with(u, now, store.UpdateFailed, text)
	case outcome.Code != gbcs.ActivationHashMismatch && outcome.FirmwareVersion == s.versionOf(u):
		u = with(u, now, store.UpdateActivated, text) // also of no image held: an order before this was carried out
	case outcome.Code == gbcs.ActivationNoImageHeld: // it lost what it had; its response tells the supplier
		u.Order, u.Whole = 0, false
		u = retried(now, s.figures(u), text)
	default: // also of a success that names another version
		u = with(u, now, store.UpdateTransferred, text)
		u.Order = 0
	}
	return append(changes, store.Put(u))
}
