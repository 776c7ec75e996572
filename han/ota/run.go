package ota

import "slices"

// Run is a run of bytes of an image, from From up to and without To.
type Run struct{ From, To uint32 }

// Runs are runs in ascending order that do not touch.
type Runs []Run

// End returns what is behind the last run, 0 if there is none.
func (rs Runs) End() uint32 {
	if len(rs) == 0 {
		return 0
	}
	return rs[len(rs)-1].To
}

// Add adds a run and returns how many bytes of it were not there before. Of more
// than limit runs the two with the smallest gap become one, so that a strip drawn
// from them shows a little more than there is, at most.
func (rs *Runs) Add(from, to uint32, limit int) (added uint32) {
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

// Behind returns how many bytes there are from an offset to the end of the run that it
// is in, 0 if it is in none.
func (rs Runs) Behind(offset uint32) uint32 {
	for i := len(rs) - 1; i >= 0 && rs[i].To > offset; i-- {
		if rs[i].From <= offset {
			return rs[i].To - offset
		}
	}
	return 0
}

// Cut drops what there is from an offset to the end of the run that it is in.
func (rs *Runs) Cut(offset uint32) {
	for i := len(*rs) - 1; i >= 0 && (*rs)[i].To > offset; i-- {
		r := &(*rs)[i]
		switch {
		case r.From == offset:
			*rs = slices.Delete(*rs, i, i+1)
			return
		case r.From < offset:
			r.To = offset
			return
		}
	}
}

// Sum returns how many bytes there are.
func (rs Runs) Sum() uint32 {
	var n uint32
	for _, r := range rs {
		n += r.To - r.From
	}
	return n
}

// Whole reports whether all bytes of an image of a size are there.
func (rs Runs) Whole(size uint32) bool { return len(rs) == 1 && rs[0] == Run{To: size} }

func (rs *Runs) closeSmallestGap() {
	at := 1
	for i := 1; i < len(*rs); i++ {
		if (*rs)[i].From-(*rs)[i-1].To < (*rs)[at].From-(*rs)[at-1].To {
			at = i
		}
	}
	(*rs)[at-1].To = (*rs)[at].To
	*rs = slices.Delete(*rs, at, at+1)
}
