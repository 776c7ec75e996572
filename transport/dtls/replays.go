package dtls

import "hash/maphash"

// replaysKept is how many datagrams of an association are remembered: as many as the window
// behind which a record is too old (RFC 6347 §4.1.2.6).
const replaysKept = 64

// replays notices a protected datagram that comes again, byte by byte, as a broker may send
// it twice or somebody who listens may. The window of the association drops it in any case;
// this tells that it happened. What only looks like it, since somebody made up its number,
// has other bytes.
type replays struct {
	seed maphash.Seed
	kept [replaysKept]uint64
	next int
	full bool
}

func newReplays() *replays { return &replays{seed: maphash.MakeSeed()} }

// again remembers a datagram and reports whether it came before.
func (r *replays) again(datagram []byte) bool {
	sum := maphash.Bytes(r.seed, datagram)
	kept := r.kept[:r.next]
	if r.full {
		kept = r.kept[:]
	}
	for _, k := range kept {
		if k == sum {
			return true
		}
	}
	r.kept[r.next] = sum
	r.next = (r.next + 1) % replaysKept
	r.full = r.full || r.next == 0
	return false
}
