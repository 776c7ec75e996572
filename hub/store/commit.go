package store

import (
	"errors"
	"fmt"
)

// Change is one record to put or to delete.
type Change struct {
	record  Record
	removal bool
}

// Put returns the change that adds a record or replaces the one with the same
// key. It copies the record.
func Put(r Record) Change { return Change{record: r.detached()} }

// PutOwn returns the same change as Put without a copy: the memory of the record is
// the store's from here on. An empty slice in it must be nil.
func PutOwn(r Record) Change { return Change{record: r} }

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
	s.changes = append(s.changes[:0], changes...) // so that the caller's slice can live on its stack
	err := s.commit()
	clear(s.changes) // no record lives longer for it
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

func (s *Store) commit() error {
	txn := s.live.begin()
	defer txn.abort()
	alerts := s.alerts
	var touched tableSet
	for _, c := range s.changes {
		added, err := s.apply(txn, c)
		if err != nil {
			return err
		}
		if c.record.table() == TableAlerts {
			alerts += added
		}
		touched.add(c.record.table())
	}
	for ; alerts > s.alertsLimit; alerts-- {
		c := Delete(txn.first(TableAlerts))
		if _, err := s.apply(txn, c); err != nil {
			return err
		}
		s.changes = append(s.changes, c)
	}
	if s.disk != nil {
		if err := s.disk.write(s.changes); err != nil {
			return fmt.Errorf("commit to store: %w", reason(err))
		}
	}
	txn.commit()
	s.alerts = alerts
	s.watch.wake(touched)
	return nil
}

// apply stages one change and returns by how many records the table grows.
func (s *Store) apply(txn staging, c Change) (added int, err error) {
	s.key = c.record.appendKey(s.key[:0])
	table, key := c.record.table(), s.key
	if c.removal {
		added, err = txn.remove(table, key, c.record)
	} else {
		added, err = txn.put(table, key, c.record)
	}
	if err != nil {
		return 0, fmt.Errorf("commit: change %s %x: %w", table, key, err)
	}
	return added, nil
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
