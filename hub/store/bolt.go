package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// schemaVersion is the version of the file's contents. See the package comment
// for what makes a new one.
const schemaVersion = 1

// The bucket that says what the file is, and its keys.
var (
	bucketAbout = []byte("commshub store")
	keySchema   = []byte("schema version")
	keyDigest   = []byte("digest of all records")
)

// lockTimeout is how long to wait for another process to let go of the file.
const lockTimeout = time.Second

// boltFile is the durable layer: one bbolt file.
type boltFile struct {
	db   *bbolt.DB
	txid int // of the last transaction known to be durable
	sum  digest

	// doubt is set once a commit failed in a way that leaves open what is on
	// the disk. After a failed fsync the kernel may have dropped what it could
	// not write, so going on would only seem to work.
	doubt error
}

// options returns bbolt's options. The map freelist stays fast when the file is
// fragmented; the statistics are not read by anybody.
func options() *bbolt.Options {
	return &bbolt.Options{Timeout: lockTimeout, FreelistType: bbolt.FreelistMapType, NoStatistics: true}
}

// openBolt opens the file at path, or creates it. It is checked before bbolt,
// which trusts what it maps into memory, works with it.
func openBolt(path string) (*boltFile, error) {
	there, err := present(path)
	if err == nil && !there {
		err = create(path)
	}
	if err == nil {
		err = inspect(path)
	}
	if err != nil {
		return nil, err
	}
	db, err := bbolt.Open(path, 0o600, options())
	if err != nil {
		return nil, err
	}
	b := &boltFile{db: db}
	if err := b.identify(); err != nil {
		_ = db.Close() // nothing was written through it
		return nil, err
	}
	return b, nil
}

// inspect checks the structure of the file under a shared lock, so that nobody
// writes meanwhile.
func inspect(path string) error {
	var file *os.File
	o := options()
	o.ReadOnly = true
	o.OpenFile = func(name string, flag int, perm os.FileMode) (*os.File, error) {
		var err error
		file, err = os.OpenFile(name, flag, perm)
		return file, err
	}
	db, err := bbolt.Open(path, 0o600, o)
	if err != nil {
		return err
	}
	err = checkPages(file, db.Info().PageSize)
	if closing := db.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("damaged file: %w", err)
	}
	return nil
}

// identify demands a store of our schema version with exactly our tables.
func (b *boltFile) identify() error {
	return b.db.View(func(tx *bbolt.Tx) error {
		b.txid = tx.ID()
		about := tx.Bucket(bucketAbout)
		if about == nil {
			return fmt.Errorf("not a commshub store: bucket %q is missing", bucketAbout)
		}
		version := about.Get(keySchema)
		if len(version) != 4 {
			return fmt.Errorf("damaged file: %s of %d bytes, want 4", keySchema, len(version))
		}
		switch v := binary.BigEndian.Uint32(version); {
		case v > schemaVersion:
			return fmt.Errorf("schema version %d, want at most %d (written by a newer release)", v, schemaVersion)
		case v < schemaVersion:
			return fmt.Errorf("damaged file: schema version %d, want %d", v, schemaVersion)
		}
		for t := range tableCount {
			if tx.Bucket([]byte(t.String())) == nil {
				return fmt.Errorf("damaged file: table %s is missing", t)
			}
		}
		return nil
	})
}

// read hands all records to f.
func (b *boltFile) read(f func(Record) error) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		b.sum = digest{}
		for t := range tableCount {
			err := tx.Bucket([]byte(t.String())).ForEach(func(key, value []byte) error {
				r, err := decode(t, key, value)
				if err != nil {
					return err
				}
				b.sum.add(value)
				return f(r)
			})
			if err != nil {
				return err
			}
		}
		return b.sum.check(tx.Bucket(bucketAbout).Get(keyDigest))
	})
}

// write implements disk: one transaction, synced.
func (b *boltFile) write(changes []Change) error {
	if b.doubt != nil {
		return fmt.Errorf("an earlier commit failed half way, open the store again: %w", b.doubt)
	}
	sum := b.sum
	err := b.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range changes {
			if err := writeChange(tx, c, &sum); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketAbout).Put(keyDigest, sum.append(nil))
	})
	if txid, known := b.lastTransaction(); err == nil {
		b.txid, b.sum = txid, sum
	} else if !known || txid != b.txid {
		b.doubt = err
	}
	return err
}

func writeChange(tx *bbolt.Tx, c Change, sum *digest) error {
	bucket, key := tx.Bucket([]byte(c.record.table().String())), c.record.appendKey(nil)
	sum.remove(bucket.Get(key))
	if c.removal {
		return bucket.Delete(key)
	}
	value, err := encode(c.record)
	if err != nil {
		return err
	}
	sum.add(value)
	return bucket.Put(key, value)
}

// lastTransaction returns the number of the newest transaction that a reader
// sees, which after a failure need not be the last that succeeded.
func (b *boltFile) lastTransaction() (txid int, known bool) {
	err := b.db.View(func(tx *bbolt.Tx) error {
		txid = tx.ID()
		return nil
	})
	return txid, err == nil
}

// close implements disk.
func (b *boltFile) close() error { return b.db.Close() }

// reason returns what an error says without the paths that the operating system
// adds, and with bbolt's words made plain.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return errors.New("in use by another process")
	case errors.Is(err, bbolterrors.ErrInvalid), errors.Is(err, bbolterrors.ErrChecksum), errors.Is(err, bbolterrors.ErrVersionMismatch):
		return fmt.Errorf("not a commshub store, or damaged: %w", err)
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	default:
		return err
	}
}
