package store

import (
	"slices"
	"strings"
	"sync"
)

// sorted is the view of a store in memory: a sorted slice for each table. A change
// is made at once; nobody reads until it is committed, or undone.
type sorted struct {
	mu     sync.RWMutex
	tables [tableCount][]row
	staged bool
	undo   []undo // what was before, of the change in hand
}

// undo is what a table held under a key: nil for nothing.
type undo struct {
	table Table
	key   string
	old   Record
}

// row is a record and its key.
type row struct {
	key    string
	record Record
}

// find returns where a key is, or would be.
func (v *sorted) find(t Table, key []byte) (int, bool) {
	rows := v.tables[t]
	low, high := 0, len(rows)
	if high > 0 && rows[high-1].key < string(key) {
		return high, false // records with a sequence number come last
	}
	for low < high {
		if mid := (low + high) / 2; rows[mid].key < string(key) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(rows) && rows[low].key == string(key)
}

func (v *sorted) get(t Table, key []byte) Record {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if i, ok := v.find(t, key); ok {
		return v.tables[t][i].record
	}
	return nil
}

func (v *sorted) each(t Table, prefix []byte, yield func(Record)) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	rows := v.tables[t]
	for at, _ := v.find(t, prefix); at < len(rows) && strings.HasPrefix(rows[at].key, string(prefix)); at++ {
		yield(rows[at].record)
	}
}

func (v *sorted) pick(t Table, prefix []byte, want func(Record) bool) Record {
	v.mu.RLock()
	defer v.mu.RUnlock()
	rows := v.tables[t]
	for at, _ := v.find(t, prefix); at < len(rows) && strings.HasPrefix(rows[at].key, string(prefix)); at++ {
		if want(rows[at].record) {
			return rows[at].record
		}
	}
	return nil
}

func (v *sorted) seek(t Table, key []byte, yield func(Record) bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	rows := v.tables[t]
	for at, _ := v.find(t, key); at < len(rows) && yield(rows[at].record); at++ {
	}
}

func (v *sorted) last(t Table) Record {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if n := len(v.tables[t]); n > 0 {
		return v.tables[t][n-1].record
	}
	return nil
}

func (v *sorted) begin() staging {
	v.mu.Lock()
	v.staged, v.undo = true, v.undo[:0]
	return sortedStaging{v}
}

// sortedStaging is a view whose lock is held.
type sortedStaging struct{ *sorted }

func (s sortedStaging) get(t Table, key []byte) Record {
	if i, ok := s.find(t, key); ok {
		return s.tables[t][i].record
	}
	return nil
}

func (v *sorted) put(t Table, key []byte, r Record) error {
	i, there := v.find(t, key)
	if there {
		old := &v.tables[t][i]
		v.undo = append(v.undo, undo{t, old.key, old.record})
		old.record = r
		return nil
	}
	k := string(key)
	v.undo = append(v.undo, undo{t, k, nil})
	v.tables[t] = slices.Insert(v.tables[t], i, row{k, r})
	return nil
}

func (v *sorted) remove(t Table, key []byte, _ Record) error {
	i, there := v.find(t, key)
	if !there {
		return nil
	}
	v.undo = append(v.undo, undo{t, v.tables[t][i].key, v.tables[t][i].record})
	v.tables[t] = slices.Delete(v.tables[t], i, i+1)
	return nil
}

func (v *sorted) commit() {
	v.staged = false
	clear(v.undo) // no record lives longer for it
	v.mu.Unlock()
}

func (v *sorted) abort() {
	if !v.staged {
		return
	}
	for i := len(v.undo) - 1; i >= 0; i-- {
		u := v.undo[i]
		at, there := v.find(u.table, []byte(u.key))
		switch {
		case !there:
			v.tables[u.table] = slices.Insert(v.tables[u.table], at, row{u.key, u.old})
		case u.old == nil:
			v.tables[u.table] = slices.Delete(v.tables[u.table], at, at+1)
		default:
			v.tables[u.table][at].record = u.old
		}
	}
	v.commit()
}
