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
	s.changes = append(s.changes[:0], changes...) // so that the caller's slice can live on its stack
	if err := s.accompany(); err != nil {
		clear(s.changes)
		return err
	}
	done := s.begin()
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

// Accompany has along asked for each mirror that is put, before its commit, what to
// commit with it: what rides along costs no commit of its own. along must be quick and
// must not commit. Call it before the first commit to accompany.
func (s *Store) Accompany(along func(m Mirror) []Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.along = along
}

// accompany adds to the commit in hand what rides along.
func (s *Store) accompany() error {
	if s.along == nil {
		return nil
	}
	for i := range s.changes {
		m, ok := s.changes[i].record.(Mirror)
		if !ok || s.changes[i].removal {
			continue
		}
		for _, c := range s.along(m) {
			if err := c.check(); err != nil {
				return err
			}
			s.changes = append(s.changes, c)
		}
	}
	return nil
}

func unwatched() func(error) { return func(error) {} }

func (s *Store) commit() error {
	txn := s.live.begin()
	defer txn.abort()
	defer func() {
		clear(s.exchanges)
		s.exchanges = s.exchanges[:0]
	}()
	if err := s.stage(txn); err != nil {
		s.shares.revert(s.exchanges)
		return err
	}
	txn.commit()
	s.known.take(s.exchanges)
	var touched tableSet
	for _, c := range s.changes {
		touched.add(c.record.table())
	}
	s.watch.wake(touched)
	return nil
}

// stage carries the changes out on a view that nobody sees yet, with what makes room in
// the inbox, and writes them.
func (s *Store) stage(txn staging) error {
	for _, c := range s.changes {
		if err := s.apply(txn, c); err != nil {
			return err
		}
	}
	for s.shares.total > s.inboxLimit {
		c := Delete(InboxEntry{Sequence: s.shares.surplus()})
		if err := s.apply(txn, c); err != nil {
			return err
		}
		s.changes = append(s.changes, c)
	}
	if s.disk == nil {
		return nil
	}
	if err := s.disk.write(s.changes); err != nil {
		return fmt.Errorf("commit to store: %w", reason(err))
	}
	return nil
}

// apply stages one change.
func (s *Store) apply(txn staging, c Change) (err error) {
	s.key = c.record.appendKey(s.key[:0])
	table, key := c.record.table(), s.key
	if e, ok := c.record.(InboxEntry); ok {
		s.exchange(txn, e, c.removal)
	}
	if c.removal {
		err = txn.remove(table, key, c.record)
	} else {
		err = txn.put(table, key, c.record)
	}
	if err != nil {
		return fmt.Errorf("commit: change %s %x: %w", table, key, err)
	}
	return nil
}

// exchange notes what a change does to the inbox, before it is staged.
func (s *Store) exchange(txn staging, e InboxEntry, removal bool) {
	var x exchange
	if old, ok := txn.get(TableInbox, s.key).(InboxEntry); ok {
		x.old = &old
	}
	if !removal {
		x.fresh = &e
	}
	s.shares.take(x)
	s.exchanges = append(s.exchanges, x)
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
