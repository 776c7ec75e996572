package store

// view is the indexed set of records that every read comes from: go-memdb over a
// file, where readers and a slow commit meet, or sorted slices in memory alone,
// where a commit takes less than a microsecond.
type view interface {
	// get returns the record of a table under a key, or nil.
	get(t Table, key []byte) Record
	// each calls yield for the records of a table whose keys begin with a prefix, in
	// the order of their keys.
	each(t Table, prefix []byte, yield func(Record))
	// seek calls yield for the records of a table from a key on, until it returns false.
	seek(t Table, key []byte, yield func(Record) bool)
	// pick returns the first record of a table that want wants, of those whose keys
	// begin with a prefix, or nil.
	pick(t Table, prefix []byte, want func(Record) bool) Record
	// last returns the record of a table with the highest key, or nil.
	last(t Table) Record
	// begin starts a change. There is one at a time.
	begin() staging
}

// staging is a change of a view that nobody sees before it is committed.
type staging interface {
	put(t Table, key []byte, r Record) error
	// remove removes the record under a key, if there is one.
	remove(t Table, key []byte, r Record) error
	// get returns the record under a key as it is staged, or nil.
	get(t Table, key []byte) Record
	commit()
	// abort drops the change, unless it was committed.
	abort()
}

// first returns the record of a table under a key.
func first[R Record](s *Store, table Table, key []byte) (R, bool) {
	raw := s.live.get(table, key)
	if raw == nil {
		var none R
		return none, false
	}
	return raw.detached().(R), true
}

// all returns the records of a table whose keys begin with a prefix.
func all[R Record](s *Store, table Table, prefix []byte) []R {
	var records []R
	s.live.each(table, prefix, func(r Record) { records = append(records, r.detached().(R)) })
	return records
}

// whole returns all records of a table.
func whole[R Record](s *Store, table Table) []R { return all[R](s, table, nil) }

// from returns at most limit records of a table from a key on.
func from[R Record](s *Store, table Table, key []byte, limit int) []R {
	var records []R
	if limit <= 0 {
		return nil
	}
	s.live.seek(table, key, func(r Record) bool {
		records = append(records, r.detached().(R))
		return len(records) < limit
	})
	return records
}
