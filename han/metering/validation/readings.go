package validation

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/zcl"
)

// MaxAttributes is how many attributes are kept of a meter.
const MaxAttributes = 128

// Readings are what is believed of a meter, and what is not.
type Readings struct {
	Attributes []zcl.Attribute // ascending by ID
	// RegisterAt is when CurrentSummationDelivered was believed last; zero if it never was.
	RegisterAt time.Time
	// Held are the readings in quarantine, one of each attribute at most, ascending by ID.
	Held []Held
}

// Held is a reading in quarantine.
type Held struct {
	Attribute zcl.Attribute // as it was reported last
	Rule      Rule          // that it breaks
	Since     time.Time     // the first one came; what comes within a day of it belongs to it
	At        time.Time     // this one came
	Count     uint32        // of readings that were held since
	// Over tells that a later reading of the attribute is believed. What is held is kept for
	// whoever asks what happened.
	Over bool
}

// episode is how long readings that are held, with others in between, are one matter, of
// which somebody has to be told once.
const episode = 24 * time.Hour

// Attribute returns what is believed of an attribute.
func (r *Readings) Attribute(id uint16) (zcl.Value, bool) {
	i, ok := r.find(id)
	if !ok {
		return zcl.Value{}, false
	}
	return r.Attributes[i].Value, true
}

// Doubted reports whether the newest reading of an attribute is held.
func (r *Readings) Doubted() bool {
	for i := range r.Held {
		if !r.Held[i].Over {
			return true
		}
	}
	return false
}

// find returns where an attribute is, or would be. There are few of them.
func (r *Readings) find(id uint16) (int, bool) {
	for i := range r.Attributes {
		if have := r.Attributes[i].ID; have >= id {
			return i, have == id
		}
	}
	return len(r.Attributes), false
}

// held returns where a reading in quarantine is, or would be.
func (r *Readings) held(id uint16) (int, bool) {
	for i := range r.Held {
		if have := r.Held[i].Attribute.ID; have >= id {
			return i, have == id
		}
	}
	return len(r.Held), false
}

// Take takes a reported value: it is believed, or held. Strings are copied.
func (r *Readings) Take(now time.Time, a *zcl.Attribute, l Limits) error {
	if rule := r.judge(now, a, l); rule != Kept {
		r.hold(now, a, rule)
		return nil
	}
	if err := r.believe(now, a); err != nil {
		return err
	}
	if i, ok := r.held(a.ID); ok {
		r.Held[i].Over = true
	}
	return nil
}

// believe takes a value over. Nobody changes a copy, so that it may be shared.
func (r *Readings) believe(now time.Time, a *zcl.Attribute) error {
	i, ok := r.find(a.ID)
	if !ok {
		if len(r.Attributes) == MaxAttributes {
			return fmt.Errorf("mirror is full: attribute %04X is one more than %d", a.ID, MaxAttributes)
		}
		r.Attributes = slices.Insert(r.Attributes, i, zcl.Attribute{ID: a.ID})
	}
	have := &r.Attributes[i].Value
	have.Type, have.Number = a.Value.Type, a.Value.Number
	if !bytes.Equal(have.Bytes, a.Value.Bytes) || (have.Bytes == nil) != (a.Value.Bytes == nil) {
		have.Bytes = slices.Clone(a.Value.Bytes)
	}
	if a.ID == metering.AttributeCurrentSummationDelivered {
		r.RegisterAt = now
	}
	return nil
}

func (r *Readings) hold(now time.Time, a *zcl.Attribute, rule Rule) {
	i, ok := r.held(a.ID)
	if !ok {
		r.Held = slices.Insert(r.Held, i, Held{Since: now})
	}
	h := &r.Held[i]
	if h.Over && now.Sub(h.Since) >= episode {
		*h = Held{Since: now}
	}
	h.Attribute, h.Rule, h.At, h.Over = *a, rule, now, false
	h.Attribute.Value.Bytes = slices.Clone(a.Value.Bytes)
	h.Count++
}

// Accept returns readings in which what is held of an attribute is believed, as of when
// it came: it is the base of the next.
func (r *Readings) Accept(id uint16) (Readings, error) {
	i, ok := r.held(id)
	if !ok || r.Held[i].Over {
		return Readings{}, fmt.Errorf("attribute %04X: no reading is in quarantine", id)
	}
	h := r.Held[i]
	if !h.Rule.Acceptable() {
		return Readings{}, fmt.Errorf("attribute %04X: a reading that breaks the rule %q cannot be accepted: %s", id, h.Rule, h.Rule.Reason())
	}
	accepted := Readings{Attributes: slices.Clone(r.Attributes), RegisterAt: r.RegisterAt, Held: slices.Delete(slices.Clone(r.Held), i, i+1)}
	if err := accepted.believe(h.At, &h.Attribute); err != nil {
		return Readings{}, err
	}
	return accepted, nil
}

// delivers reports whether a supply can deliver so many counts of the register in a time.
// A meter that does not tell its divisor is taken to count thousandths.
func (r *Readings) delivers(l Limits, counts uint64, within time.Duration) bool {
	multiplier, divisor := uint64(1), uint64(thousandths)
	if v, ok := r.Attribute(metering.AttributeMultiplier); ok {
		multiplier = v.Number
	}
	if v, ok := r.Attribute(metering.AttributeDivisor); ok {
		divisor = v.Number
	}
	most := l.PerHour * uint64(within/time.Second) / secondsPerHour
	takenHigh, taken := bits.Mul64(counts, multiplier*thousandths)
	mostHigh, most := bits.Mul64(most, divisor)
	return takenHigh < mostHigh || takenHigh == mostHigh && taken <= most
}

const (
	thousandths    = 1000
	secondsPerHour = 3600
)
