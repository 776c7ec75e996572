package chaos

import (
	"cmp"
	"slices"

	"github.com/commshub/commshub/internal/scenario/judge"
	"github.com/commshub/commshub/internal/trace"
)

// add takes a finding over, nil if there is none. Of those of one kind the one with the
// lowest seed stays.
func (r *Report) add(f *Finding) {
	if f == nil {
		return
	}
	for i, other := range r.Findings {
		if other.What != f.What {
			continue
		}
		f.Seeds = other.Seeds + 1
		if other.Seed < f.Seed {
			other.Seeds, f = f.Seeds, other
		}
		r.Findings[i] = f
		return
	}
	r.Findings = append(r.Findings, f)
}

// order brings the findings into the order of their seeds.
func (r *Report) order() {
	slices.SortFunc(r.Findings, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.What, b.What))
	})
}

// unmarked are the kinds of record that drawn homes do not come to, or hardly ever.
var unmarked = []trace.Kind{
	trace.DutyCycle,       // images of some KiB do not come near the limit of a band
	trace.MessageDropped,  // takes more than a meter's outbox holds
	trace.CommandRefused,  // nobody in these homes sends wrong commands
	trace.ReadingAccepted, // nobody decides anything in them
	trace.ImageRemoved,    // nor removes an image,
	trace.TopUpCredited,   // nor pays:
	trace.TopUpRefused,    // interleavings of top-ups are drawn in devices/prepayment
}

// steps are the usual ones in the lives of orders. Others take more luck than a
// hundred homes have.
var steps = []string{
	"order queued to delivered", "order queued to expired", "order delivered to accepted", "order delivered to done",
	"order delivered to failed", "order accepted to done", "order accepted to dropped", "order accepted to failed",
}

// Marks are what a run of many seeds must have gone through at least once: every kind
// of record, and the usual steps in the life of an order.
func Marks() []string {
	marks := append([]string{judge.MarkCutInOperation, judge.MarkOfferedAgain}, steps...)
	for k := trace.Kind(1); int(k) < trace.Kinds; k++ {
		if !slices.Contains(unmarked, k) {
			marks = append(marks, k.String())
		}
	}
	return marks
}
