package gasproxy

import (
	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han/ota"
)

// lossMeter measures how many answers to a meter get lost, from the blocks that it
// asks for again. Requests that get lost never come here; the link is taken to be
// as good the one way as the other.
type lossMeter struct {
	asked, again uint32
	best         int // loss in the best window so far at most, parts per million
	windows      int // that were long enough to tell
	last         uint32
}

// lossMemory is how many requests the meter looks back at, more or less.
const lossMemory = 4096

// count takes note of a block that was served, whichever window it is in: one that
// is asked for twice in a row did not arrive.
func (l *lossMeter) count(offset uint32) (again bool) {
	again = l.asked > 0 && offset == l.last
	l.last = offset
	if l.asked >= lossMemory {
		l.asked /= 2
		l.again /= 2
	}
	l.asked++
	if again {
		l.again++
	}
	return again
}

// fade takes note of a window in which the policy let a meter have nothing: nothing was
// measured, and what was before says less about the channel. So a bad one that became good
// is found out.
func (l *lossMeter) fade() {
	const share = 16
	l.again -= (l.again + share - 1) / share
}

// partsPerMillion returns the loss measured; 0 before the first block.
func (l *lossMeter) partsPerMillion() int {
	if l.asked == 0 {
		return 0
	}
	return int(uint64(l.again) * million / uint64(l.asked))
}

// frameLoss returns the loss of one radio frame, parts per million: an answer is
// lost with any of its fragments.
func (c *child) frameLoss(set *battery.Set) int {
	const step = 1000
	n := set.Radio.Fragments(ota.BlockOverhead + c.cost.size)
	arrives := int64(million - c.loss.partsPerMillion())
	if n == 1 {
		return int(million - arrives)
	}
	for loss := 0; loss < million; loss += step {
		all := int64(million)
		for range n {
			all = all * int64(million-loss) / million
		}
		if all <= arrives {
			return loss
		}
	}
	return million
}

// tellingWindow is how many blocks a window must have to say something about the
// channel.
const tellingWindow = 64

// endWindow takes note of how good the channel was in a window: of the most that
// its loss can have been, three standard deviations above what was seen.
func (l *lossMeter) endWindow(w *HeartbeatWindow) {
	asked := w.Blocks + w.Repeats
	if asked < tellingWindow {
		return
	}
	lost := uint64(w.Repeats) + 3*uint64(isqrt(w.Repeats)) + 4
	loss := int(lost * million / uint64(asked))
	if l.windows == 0 || loss < l.best {
		l.best = loss
	}
	l.windows++
}

// reference returns the loss that a window is compared with; negative if there is
// none yet.
func (l *lossMeter) reference() int {
	if l.windows == 0 {
		return -1
	}
	return l.best
}

// isqrt returns the square root of n, rounded up. Integers decide, so that a run is
// the same on every processor.
func isqrt(n uint32) uint32 {
	root := uint32(0)
	for root*root < n {
		root++
	}
	return root
}
