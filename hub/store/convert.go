package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/commshub/commshub/internal/atrest"
)

// Encrypt encrypts the file of a store that is not encrypted, and Decrypt does the reverse.
// A file with the same records takes the place of the old one at once. They do nothing if
// there is no file, or to one that is so already.
func Encrypt(path string, key *atrest.Key) (changed bool, err error) {
	return converted(path, nil, key, ErrEncrypted)
}

// Decrypt is the reverse of Encrypt.
func Decrypt(path string, key *atrest.Key) (changed bool, err error) {
	return converted(path, key, nil, ErrPlain)
}

// converted replaces a file of one form by one of another, which openBolt refuses with done.
func converted(path string, from, to *atrest.Key, done error) (changed bool, err error) {
	if there, err := present(path); err != nil || !there {
		return false, err
	}
	old, err := openBolt(path, from)
	if errors.Is(err, done) {
		old, err = openBolt(path, to) // for the key to be the right one
	}
	if err == nil {
		defer func() { err = errors.Join(err, old.close()) }()
		if old.form.key == nil != (to == nil) {
			changed, err = true, old.rewrite(path, newForm(to))
		}
	}
	if err != nil {
		return false, fmt.Errorf("convert store %s: %w", path, reason(err))
	}
	return changed, nil
}

// rewrite puts a file of another form with the same records in the place of this one.
func (b *boltFile) rewrite(path string, as form) error {
	var all []Change
	if err := b.read(func(r Record) error {
		all = append(all, PutOwn(r))
		return nil
	}); err != nil {
		return err
	}
	fresh := path + ".new"
	err := os.Remove(fresh)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		err = writeNew(fresh, as, all)
	}
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		_ = os.Remove(fresh) // the next attempt removes it if this fails
		return err
	}
	return syncFolder(filepath.Dir(path))
}
