package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/commshub/commshub/internal/atrest"
)

// schemaVersion is the version of the file's contents. See the package comment
// for what makes a new one.
const schemaVersion = 5

// The bucket that says what the file is, and its keys. An encrypted file has one of
// another name, so that no release without encryption takes it for a damaged one.
var (
	bucketAbout  = []byte("commshub store")
	bucketSealed = []byte("commshub store, encrypted")
	keySchema    = []byte("schema version")
	keyDigest    = []byte("digest of all records")
	keyRelease   = []byte("release")
	keySealed    = []byte("key") // salt and proof, see package atrest
)

// lockTimeout is how long to wait for another process to let go of the file.
const lockTimeout = time.Second

// boltFile is the durable layer: one bbolt file.
type boltFile struct {
	db   *bbolt.DB
	form form
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
func openBolt(path string, key *atrest.Key) (*boltFile, error) {
	there, err := present(path)
	if err == nil && !there {
		err = create(path, newForm(key))
	}
	if err == nil && there {
		// A start that was cut short, or whose disk failed, may have left the name unsynced.
		err = syncFolder(filepath.Dir(path))
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
	version, err := b.identify(key)
	if err == nil && version < schemaVersion {
		if err = b.migrate(); err == nil {
			_, err = b.identify(key)
		}
	}
	if err == nil {
		err = b.secure()
	}
	if err != nil {
		_ = db.Close() // nothing was written through it that anybody relies on
		return nil, err
	}
	return b, nil
}

// readBolt opens the file at path to be read alone.
func readBolt(path string, key *atrest.Key) (*boltFile, error) {
	there, err := present(path)
	if err == nil && !there {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = inspect(path)
	}
	if err != nil {
		return nil, err
	}
	o := options()
	o.ReadOnly = true
	db, err := bbolt.Open(path, 0o600, o)
	if err != nil {
		return nil, err
	}
	b := &boltFile{db: db}
	version, err := b.identify(key)
	if err == nil && version < schemaVersion {
		err = fmt.Errorf("schema version %d, want %d: start its hub once, which converts it", version, schemaVersion)
	}
	if err != nil {
		_ = db.Close() // it was only read
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

// identify demands a store of a schema version that can be read, with exactly its
// tables, that the key opens, and returns the version.
func (b *boltFile) identify(key *atrest.Key) (version uint32, err error) {
	err = b.db.View(func(tx *bbolt.Tx) error {
		b.txid = tx.ID()
		if b.form, err = formOf(tx, key); err != nil {
			return err
		}
		about := b.form.about(tx)
		schema := about.Get(keySchema)
		if len(schema) != 4 {
			return fmt.Errorf("damaged file: %s of %d bytes, want 4", keySchema, len(schema))
		}
		switch version = binary.BigEndian.Uint32(schema); {
		case version > schemaVersion:
			return fmt.Errorf("schema version %d, want at most %d (written by %s: open it with that one)", version, schemaVersion, writtenBy(about))
		case version == 0:
			return fmt.Errorf("damaged file: schema version %d, want 1 to %d", version, schemaVersion)
		case version != firstVersion && version != schemaVersion:
			return fmt.Errorf("schema version %d, which no release wrote, want %d or %d: open it with the program that wrote it", version, firstVersion, schemaVersion)
		}
		for _, t := range tablesOf(version) {
			if tx.Bucket([]byte(t.String())) == nil {
				return fmt.Errorf("damaged file: table %s is missing", t)
			}
		}
		return nil
	})
	return version, err
}

// secure makes durable what is seen in the file. A process that died, or whose disk
// failed, while it sealed a commit may have left one that is in the system's memory alone:
// what is told from it now must not be gone after a power cut. A sync is not enough, since
// the system forgets what it once failed to write; a new transaction refers to the same
// pages, which were synced before.
func (b *boltFile) secure() error {
	if err := b.db.Update(func(*bbolt.Tx) error { return nil }); err != nil {
		return fmt.Errorf("make what is in the file durable: %w", reason(err))
	}
	txid, known := b.lastTransaction()
	if !known {
		return errors.New("the file cannot be read")
	}
	b.txid = txid
	return nil
}

// read hands all records to f.
func (b *boltFile) read(f func(Record) error) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		b.sum = digest{}
		for t := range tableCount {
			err := tx.Bucket([]byte(t.String())).ForEach(func(name, value []byte) error {
				r, err := b.form.decode(t, name, value)
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
		return b.form.check(tx, b.sum)
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
			if err := b.form.write(tx, c, &sum); err != nil {
				return err
			}
		}
		return b.form.putDigest(tx, sum)
	})
	if txid, known := b.lastTransaction(); err == nil {
		b.txid, b.sum = txid, sum
	} else if !known || txid != b.txid {
		b.doubt = reason(err) // here: the paths in it would hide what is said around it
	}
	return err
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
		return ErrInUse
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
