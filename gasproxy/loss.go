package gasproxy

// lossMeter measures how many answers to a meter get lost, from the blocks that it
// asks for again. Requests that get lost never come here; the link is taken to be
// as good the one way as the other.
type lossMeter struct {
	asked, again uint32
	best         int // loss in the best window so far, parts per million
	windows      int // that were long enough to tell
}

// lossMemory is how many requests the meter looks back at, more or less.
const lossMemory = 4096

func (l *lossMeter) count(again bool) {
	if l.asked >= lossMemory {
		l.asked /= 2
		l.again /= 2
	}
	l.asked++
	if again {
		l.again++
	}
}

// partsPerMillion returns the loss measured; 0 before the first block.
func (l *lossMeter) partsPerMillion() int {
	if l.asked == 0 {
		return 0
	}
	return int(uint64(l.again) * 1_000_000 / uint64(l.asked))
}

// tellingWindow is how many blocks a window must have to say something about the
// channel.
const tellingWindow = 64

// endWindow takes note of how good the channel was in a window.
func (l *lossMeter) endWindow(w *Window) {
	asked := w.Blocks + w.Repeats
	if asked < tellingWindow {
		return
	}
	loss := int(uint64(w.Repeats) * 1_000_000 / uint64(asked))
	if l.windows == 0 || loss < l.best {
		l.best = loss
	}
	l.windows++
}
