package filestreams

import "slices"

// span is the bytes from the first up to the second, which is not part of it.
type span [2]int64

// served is which bytes of a file were sent, as spans that do not touch,
// ascending. It is what people are told; the device alone knows what it has.
type served []span

// maxSpans bounds what a device that asks criss-cross can make the bridge keep.
const maxSpans = 256

// add marks bytes as sent. Of too many spans the last ones are forgotten: the
// file then counts as not sent whole, which is the safe side.
func (s *served) add(from, to int64) {
	first, _ := slices.BinarySearchFunc(*s, from, func(p span, at int64) int { return int(min(max(p[1]-at, -1), 1)) })
	last := first
	for last < len(*s) && (*s)[last][0] <= to {
		from, to = min(from, (*s)[last][0]), max(to, (*s)[last][1])
		last++
	}
	*s = slices.Replace(*s, first, last, span{from, to})
	if len(*s) > maxSpans {
		*s = (*s)[:maxSpans]
	}
}

// prefix returns how many bytes were sent without a gap from the beginning.
func (s served) prefix() int64 {
	if len(s) == 0 || s[0][0] != 0 {
		return 0
	}
	return s[0][1]
}

// valid reports whether spans read back are as add leaves them, in a file of a size.
func (s served) valid(size int64) bool {
	before := int64(-1)
	for _, p := range s {
		if p[0] <= before || p[1] <= p[0] || p[1] > size {
			return false
		}
		before = p[1]
	}
	return len(s) <= maxSpans
}
