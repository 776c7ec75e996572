package play

import (
	"fmt"
	"slices"
	"time"

	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/scenario/homefile"
)

// Failure is an expectation that does not hold.
type Failure struct {
	Meter       string `json:"meter"`
	Expectation string `json:"expectation"` // key and value, as in the file
	Got         string `json:"got"`
}

// String returns the failure as one line.
func (f Failure) String() string { return fmt.Sprintf("%s: %s: %s", f.Meter, f.Expectation, f.Got) }

// check holds a home's expectations against its meters.
func (r *Result) check(h *homefile.Home) {
	for i := range r.Meters {
		m := &r.Meters[i]
		if m.Target {
			r.checkMeter(m, &h.Expect)
		}
		if own := m.watch.device.Expect; own != nil {
			r.checkMeter(m, own)
		}
	}
}

// that enters one expectation; got says what is the case instead.
func (r *Result) that(holds bool, m *Meter, expectation string, got string, args ...any) {
	r.Checks++
	if !holds {
		r.Failures = append(r.Failures, Failure{m.Name, expectation, fmt.Sprintf(got, args...)})
	}
}

// never says what did not come about, and why if that is known.
func (m *Meter) never(what string) string {
	if m.Reason == "" {
		return what
	}
	return what + ": " + m.Reason
}

func (r *Result) checkMeter(m *Meter, e *homefile.Expect) {
	r.within(m, "complete_within", e.CompleteWithin, m.CompleteIn(), m.never("the image was never complete"))
	r.within(m, "activated_within", e.ActivateWithin, m.ActivatedIn(), m.never("the new firmware never ran for good"))
	r.atMost(m, "windows_at_most", e.WindowsAtMost, m.Windows)
	r.atMost(m, "refetched_at_most", e.RefetchedAtMost, m.Refetched)
	r.atMost(m, "retries_at_most", e.RetriesAtMost, m.Retries)
	if e.ChargeBelow != nil && m.watch.gas {
		r.that(m.charge < e.ChargeBelow.Of(&m.watch.set), m, "battery_used_below: "+e.ChargeBelow.String(),
			"%.3f mAh were used, %.4f%% of the battery", m.charge.MicroampHours()/1000, m.Share)
	}
	if e.LifeAbove != nil && m.watch.gas {
		r.that(m.Life > e.LifeAbove.Float()*yearDays, m, "battery_life_above: "+e.LifeAbove.String(), "a new cell lasts %.2f years", m.Life/yearDays)
	}
	if e.Version != nil {
		r.that(m.Version == e.Version.String(), m, "version: "+e.Version.String(), "%s", m.never("it runs "+m.Version))
	}
	if e.State != nil {
		want := store.UpdateState(*e.State)
		r.that(m.Target && m.state == want, m, "state: "+want.String(), "%s", m.never("it is "+m.State))
	}
	for _, a := range e.Alerts {
		r.that(slices.Contains(m.alerts, uint16(a)), m, "alerts: "+a.String(), "the supplier got %v", m.Alerts)
	}
	for _, a := range e.NoAlerts {
		r.that(!slices.Contains(m.alerts, uint16(a)), m, "no_alerts: "+a.String(), "the supplier got it")
	}
	for _, never := range e.Never {
		if never.Bricked {
			r.that(!m.Bricked, m, "never: bricked", "no image is left to run")
			continue
		}
		n := m.watch.seen[never.Kind]
		r.that(n == 0, m, "never: "+never.String(), "it happened %d times", n)
	}
}

// within checks a time since the distribution; 0 stands for never.
func (r *Result) within(m *Meter, key string, limit *homefile.Duration, got time.Duration, never string) {
	switch {
	case limit == nil:
	case got == 0:
		r.that(false, m, fmt.Sprintf("%s: %v", key, *limit), "%s", never)
	default:
		r.that(got <= time.Duration(*limit), m, fmt.Sprintf("%s: %v", key, *limit), "it took %v", homefile.Duration(got))
	}
}

func (r *Result) atMost(m *Meter, key string, limit *homefile.Number, got uint32) {
	if limit != nil {
		r.that(uint64(got) <= uint64(*limit), m, fmt.Sprintf("%s: %d", key, *limit), "there were %d", got)
	}
}
