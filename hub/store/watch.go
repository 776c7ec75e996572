package store

import "sync"

// tableSet is a set of tables, a bit for each.
type tableSet uint16

func (s *tableSet) add(t Table) { *s |= 1 << t }

// watchers holds one channel for each set of tables that somebody watches. All
// who watch the same set share it, so there are few of them however many come
// and go, and nobody has to sign off. go-memdb's own watch channels are one per
// table and index; to wait for several at once it starts goroutines, which this
// floor of the house does without.
type watchers struct {
	mu   sync.Mutex
	open map[tableSet]chan struct{}
}

// Watch returns a channel that is closed by the next commit that touches one of
// the tables, or any table if none is given. Take the channel first and read the
// records then: no change falls in between.
func (s *Store) Watch(tables ...Table) <-chan struct{} {
	var set tableSet
	for _, t := range tables {
		set.add(t)
	}
	if set == 0 {
		set = 1<<tableCount - 1
	}
	return s.watch.channel(set)
}

func (w *watchers) channel(set tableSet) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ch, ok := w.open[set]; ok {
		return ch
	}
	if w.open == nil {
		w.open = make(map[tableSet]chan struct{})
	}
	ch := make(chan struct{})
	w.open[set] = ch
	return ch
}

// wake closes the channels of all sets that share a table with touched.
func (w *watchers) wake(touched tableSet) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for set, ch := range w.open {
		if set&touched != 0 {
			close(ch)
			delete(w.open, set)
		}
	}
}
