package store

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-memdb"
)

// Change is one record to put or to delete.
type Change struct {
	record  Record
	removal bool
}

// Put returns the change that adds a record or replaces the one with the same
// key. It copies the record.
func Put(r Record) Change { return Change{record: r.detached()} }

// Delete returns the change that removes the record with the same key as r; the
// other fields of r are ignored. Deleting what is not there does nothing.
func Delete(r Record) Change { return Change{record: r, removal: true} }

// Commit makes the changes durable, together and in order, and then visible.
// After an error neither has happened. The one exception is a disk that fails
// while the transaction is being sealed: whether it will be there after a
// restart cannot be known then, and all further commits are refused.
func (s *Store) Commit(changes ...Change) error {
	if len(changes) == 0 {
		return nil
	}
	for _, c := range changes {
		if err := c.check(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("commit: the store is closed")
	}
	done := s.begin()
	err := s.commit(changes)
	done(err)
	return err
}

// Watched has begin called at the start of each commit and what it returns at its
// end, with the error if there is one, to take its time: the store has no clock.
// Both must be quick. Call it before the first commit to watch.
func (s *Store) Watched(begin func() (done func(error))) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begin = begin
}

func unwatched() func(error) { return func(error) {} }

func (s *Store) commit(changes []Change) error {
	txn := s.live.Txn(true)
	defer txn.Abort()
	alerts := s.alerts
	var touched tableSet
	for _, c := range changes {
		added, err := apply(txn, c)
		if err != nil {
			return err
		}
		if c.record.table() == TableAlerts {
			alerts += added
		}
		touched.add(c.record.table())
	}
	for ; alerts > s.alertsLimit; alerts-- {
		c := Delete(oldestAlert(txn))
		if _, err := apply(txn, c); err != nil {
			return err
		}
		// Appending must not write into the caller's slice.
		changes = append(changes[:len(changes):len(changes)], c)
	}
	if s.disk != nil {
		if err := s.disk.write(changes); err != nil {
			return fmt.Errorf("commit to store: %w", reason(err))
		}
	}
	txn.Commit()
	s.alerts = alerts
	s.watch.wake(touched)
	return nil
}

// apply stages one change and returns by how many records the table grows.
func apply(txn *memdb.Txn, c Change) (int, error) {
	table, key := c.record.table().String(), c.record.appendKey(nil)
	old, err := txn.First(table, indexKey, key)
	if err != nil {
		return 0, fmt.Errorf("commit: look up %s %x: %w", table, key, err)
	}
	switch {
	case !c.removal:
		err = txn.Insert(table, c.record)
	case old != nil:
		err = txn.Delete(table, c.record)
	}
	if err != nil {
		return 0, fmt.Errorf("commit: change %s %x: %w", table, key, err)
	}
	switch {
	case !c.removal && old == nil:
		return 1, nil
	case c.removal && old != nil:
		return -1, nil
	default:
		return 0, nil
	}
}

// oldestAlert returns the alert with the lowest sequence. Callers know that
// there is one.
func oldestAlert(txn *memdb.Txn) Alert {
	raw, err := txn.First(TableAlerts.String(), indexKey)
	if err != nil {
		panic(fmt.Sprintf("store: read alerts: %v", err))
	}
	return raw.(Alert)
}

// check refuses a record that could not be read back.
func (c Change) check() error {
	if c.removal {
		return nil
	}
	if err := c.record.check(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
