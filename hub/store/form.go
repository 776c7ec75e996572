package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/commshub/commshub/internal/atrest"
)

var (
	// ErrInUse is wrapped by Open and Read if another process has the file open.
	ErrInUse = errors.New("in use by another process")
	// ErrEncrypted is wrapped by Open if a key is needed for the file.
	ErrEncrypted = errors.New("it is encrypted: name the file with its key with --storage-key")
	// ErrPlain is wrapped by Open if the file is not encrypted and should be.
	ErrPlain = errors.New("it is not encrypted: run commshub storage encrypt first, or leave --storage-key out")
)

// form is how a file keeps records: as they are, or encrypted. bbolt maps its file and
// leaves no place for a cipher of pages, so names and values are encrypted one by one: the
// file tells how many records each table has, how long they are and which of them change,
// and nothing of what is in them.
type form struct {
	key    *atrest.FileKey // nil for a plain file
	values *atrest.Values
}

func formWith(key *atrest.FileKey) form { return form{key, key.Values()} }

// newForm returns the form of a new file.
func newForm(key *atrest.Key) form {
	if key == nil {
		return form{}
	}
	return formWith(key.New())
}

// formOf returns the form of a file, which must be the one that the key is for.
func formOf(tx *bbolt.Tx, key *atrest.Key) (form, error) {
	sealed := tx.Bucket(bucketSealed)
	switch {
	case sealed == nil && tx.Bucket(bucketAbout) == nil:
		return form{}, fmt.Errorf("not a commshub store: bucket %q is missing", bucketAbout)
	case sealed == nil && key != nil:
		return form{}, ErrPlain
	case sealed == nil:
		return form{}, nil
	case key == nil:
		return form{}, ErrEncrypted
	}
	of, err := key.OfHeader(sealed.Get(keySealed))
	if errors.Is(err, atrest.ErrWrongKey) {
		return form{}, err
	}
	if err != nil {
		return form{}, fmt.Errorf("damaged file: key: %w", err)
	}
	return formWith(of), nil
}

// about returns the bucket that says what the file is.
func (f form) about(tx *bbolt.Tx) *bbolt.Bucket { return tx.Bucket(f.bucket()) }

func (f form) bucket() []byte {
	if f.key == nil {
		return bucketAbout
	}
	return bucketSealed
}

// name returns what the record with a key is kept under.
func (f form) name(table Table, key []byte) []byte {
	if f.key == nil {
		return key
	}
	return f.values.Name(table.String(), key)
}

// write carries a change out.
func (f form) write(tx *bbolt.Tx, c Change, sum *digest) error {
	table := c.record.table()
	bucket, name := tx.Bucket([]byte(table.String())), f.name(table, c.record.appendKey(nil))
	sum.remove(bucket.Get(name))
	if c.removal {
		return bucket.Delete(name)
	}
	value, err := f.encode(name, c.record)
	if err != nil {
		return err
	}
	sum.add(value)
	return bucket.Put(name, value)
}

// encode returns the value that r is stored as. An encrypted one begins with its nonce, and
// that is what the digest of all records takes from it.
func (f form) encode(name []byte, r Record) ([]byte, error) {
	if f.key == nil {
		return encode(r)
	}
	body, err := encMode.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record of %s: %w", r.table(), err)
	}
	return f.values.Seal(name, body), nil
}

// decode reads the record that table holds under a name.
func (f form) decode(table Table, name, value []byte) (Record, error) {
	if f.key == nil {
		return decode(table, name, value)
	}
	body, err := f.values.Open(name, value)
	var r Record
	if err == nil {
		r, err = tables[table].decode(body)
	}
	if err == nil && !bytes.Equal(f.name(table, r.appendKey(nil)), name) {
		err = errors.New("holds the record of another key")
	}
	if err != nil {
		return nil, fmt.Errorf("damaged file: record %x of %s: %w", name, table, err)
	}
	return r, nil
}

// putDigest writes the digest of all records.
func (f form) putDigest(tx *bbolt.Tx, sum digest) error {
	stored := sum.append(nil)
	if f.key != nil {
		stored = f.values.Seal(keyDigest, stored)
	}
	return f.about(tx).Put(keyDigest, stored)
}

// check compares the digest of what was read with the stored one.
func (f form) check(tx *bbolt.Tx, sum digest) error {
	stored := f.about(tx).Get(keyDigest)
	if f.key != nil {
		var err error
		if stored, err = f.values.Open(keyDigest, stored); err != nil {
			return fmt.Errorf("damaged file: %s: %w", keyDigest, err)
		}
	}
	return sum.check(stored)
}

// writeAbout writes what a file says of itself.
func (f form) writeAbout(tx *bbolt.Tx, sum digest) error {
	about := f.about(tx)
	if f.key != nil {
		if err := about.Put(keySealed, f.key.Header(nil)); err != nil {
			return err
		}
	}
	if err := about.Put(keyRelease, []byte(release())); err != nil {
		return err
	}
	if err := about.Put(keySchema, binary.BigEndian.AppendUint32(nil, schemaVersion)); err != nil {
		return err
	}
	return f.putDigest(tx, sum)
}
