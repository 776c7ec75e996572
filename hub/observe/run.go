package observe

import "slices"

// Run is a run of bytes of an image, from From up to and without To.
type Run struct{ From, To uint32 }

// maxServed bounds the runs of a whole transfer. An image is downloaded front to
// back, so that there is one run unless somebody plays games.
const maxServed = 256

// runs are runs in ascending order that do not touch.
type runs []Run

// add adds a run and returns how many bytes of it were not there before. Of more
// than limit runs the two with the smallest gap become one, so that a strip drawn
// from them shows a little more than there is, at most.
func (rs *runs) add(from, to uint32, limit int) (added uint32) {
	if to <= from {
		return 0
	}
	added = to - from
	// Nearly always the block goes on where the last run ends.
	if n := len(*rs); n > 0 && (*rs)[n-1].To == from {
		(*rs)[n-1].To = to
		return added
	}
	first, _ := slices.BinarySearchFunc(*rs, from, func(r Run, from uint32) int {
		if r.To < from {
			return -1
		}
		return 1
	})
	last := first
	merged := Run{from, to}
	for ; last < len(*rs) && (*rs)[last].From <= to; last++ {
		r := (*rs)[last]
		if overlap := int64(min(r.To, to)) - int64(max(r.From, from)); overlap > 0 {
			added -= uint32(overlap)
		}
		merged.From, merged.To = min(merged.From, r.From), max(merged.To, r.To)
	}
	*rs = slices.Replace(*rs, first, last, merged)
	if len(*rs) > limit {
		rs.closeSmallestGap()
	}
	return added
}

func (rs *runs) closeSmallestGap() {
	at := 1
	for i := 1; i < len(*rs); i++ {
		if (*rs)[i].From-(*rs)[i-1].To < (*rs)[at].From-(*rs)[at-1].To {
			at = i
		}
	}
	(*rs)[at-1].To = (*rs)[at].To
	*rs = slices.Delete(*rs, at, at+1)
}
