package prepayment

// window is how many top-ups a meter remembers one by one: as many as a UTRN can be behind
// the highest and still be told from a newer one.
const window = 512

// taken remembers which top-ups were credited: all of the last ones, by number.
type taken struct {
	highest uint32
	// bits has the one for the top-up n below the highest in its place n, that of the highest
	// first.
	bits [window / 64]uint64
}

// tooOld reports whether a number is so far behind that nothing is known of it.
func (t *taken) tooOld(n uint32) bool { return n < t.highest && t.highest-n >= window }

// has reports whether a top-up was credited.
func (t *taken) has(n uint32) bool {
	if n > t.highest || t.tooOld(n) {
		return false
	}
	behind := t.highest - n
	return t.bits[behind/64]>>(behind%64)&1 != 0
}

// add remembers a top-up. One that is too old is not remembered.
func (t *taken) add(n uint32) {
	if t.tooOld(n) {
		return
	}
	if n > t.highest {
		t.shift(n - t.highest)
		t.highest = n
	}
	behind := t.highest - n
	t.bits[behind/64] |= 1 << (behind % 64)
}

// shift moves all that is remembered so many places behind.
func (t *taken) shift(by uint32) {
	if by >= window {
		t.bits = [len(t.bits)]uint64{}
		return
	}
	words, rest := int(by/64), by%64
	for i := len(t.bits) - 1; i >= 0; i-- {
		var w uint64
		if i >= words {
			w = t.bits[i-words] << rest
		}
		if rest > 0 && i > words {
			w |= t.bits[i-words-1] >> (64 - rest)
		}
		t.bits[i] = w
	}
}
