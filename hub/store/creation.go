package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// present reports whether there is a file at path that holds anything.
func present(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case info.IsDir():
		return false, errors.New("is a directory, want a file")
	case !info.Mode().IsRegular():
		return false, errors.New("not a regular file")
	default:
		return info.Size() > 0, nil
	}
}

// create makes an empty store at path. It is made under another name and
// renamed when complete, so that a first start that is cut short leaves no file
// that the next start would take for a damaged store.
func create(path string, as form) error {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := writeNew(fresh, as, nil)
	if err == nil {
		err = publish(fresh, path)
	}
	if err != nil {
		_ = os.Remove(fresh) // the next start removes it if this fails
		return fmt.Errorf("create: %w", reason(err))
	}
	return nil
}

// publish renames fresh to path, unless another process was quicker.
func publish(fresh, path string) error {
	there, err := present(path)
	if err != nil {
		return err
	}
	if there {
		return os.Remove(fresh)
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// writeNew writes a store with what changes put into an empty one.
func writeNew(path string, as form, changes []Change) error {
	db, err := bbolt.Open(path, 0o600, options())
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if _, err := tx.CreateBucket(as.bucket()); err != nil {
			return err
		}
		for t := range tableCount {
			if _, err := tx.CreateBucket([]byte(t.String())); err != nil {
				return err
			}
		}
		var sum digest
		for _, c := range changes {
			if err := as.write(tx, c, &sum); err != nil {
				return err
			}
		}
		return as.writeAbout(tx, sum)
	})
	if closing := db.Close(); err == nil {
		err = closing
	}
	return err
}

// syncFolder makes a rename in a folder durable; syncing the file alone does not.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	err = folder.Sync()
	if closing := folder.Close(); err == nil {
		err = closing
	}
	return err
}
