package store

// view is the indexed set of records that every read comes from: go-memdb over a
// file, where readers and a slow commit meet, or sorted slices in memory alone,
// where a commit takes less than a microsecond.
type view interface {
	// get returns the record of a table under a key, or nil.
	get(t Table, key []byte) Record
	// each calls yield for the records that an index of a table holds under a value,
	// or all of the table with indexKeyPrefix and an empty value, in the order of
	// their keys.
	each(t Table, index string, value []byte, yield func(Record))
	// seek calls yield for the records of a table from a key on, until it returns false.
	seek(t Table, key []byte, yield func(Record) bool)
	// last returns the record of a table with the highest key, or nil.
	last(t Table) Record
	// begin starts a change. There is one at a time.
	begin() staging
}

// staging is a change of a view that nobody sees before it is committed.
type staging interface {
	// put and remove return by how many records the table grows.
	put(t Table, key []byte, r Record) (int, error)
	remove(t Table, key []byte, r Record) (int, error)
	// first returns the record of a table with the lowest key, or nil.
	first(t Table) Record
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

// all returns the records that an index of a table holds under value.
func all[R Record](s *Store, table Table, index string, value []byte) []R {
	var records []R
	s.live.each(table, index, value, func(r Record) { records = append(records, r.detached().(R)) })
	return records
}

// whole returns all records of a table.
func whole[R Record](s *Store, table Table) []R { return all[R](s, table, indexKeyPrefix, nil) }

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
