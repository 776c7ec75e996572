// Package storagekey keeps the key that a home's memory is encrypted with: in a file that
// nobody else may read, or in the environment.
package storagekey

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/secretfile"
)

// variable is how a key is named that an environment variable holds.
const variable = "env:"

// Read returns the key in the file named, or with env:NAME that in the environment
// variable NAME; nil if nothing is named.
func Read(named string) (*atrest.Key, error) {
	if named == "" {
		return nil, nil
	}
	text := ""
	if name, ok := strings.CutPrefix(named, variable); ok {
		text = os.Getenv(name)
	} else {
		b, err := secretfile.ReadKey(named, 1024)
		if err != nil {
			return nil, fmt.Errorf("read storage key %w", err)
		}
		text = string(b)
	}
	key, err := atrest.ParseKey(strings.TrimSpace(text), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("read storage key %s: %w (commshub storage key makes one)", named, err)
	}
	return key, nil
}

// Make writes a fresh key into a file, which must not be there yet.
func Make(path string) error {
	if path == "-" {
		return errors.New("make storage key: name a file; a key is not written to standard output")
	}
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	var f *os.File
	if err == nil {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make storage key %s: it is there already, and what it encrypts needs it: name another file", path)
	}
	if err == nil {
		_, err = f.WriteString(atrest.NewKeyText(rand.Reader) + "\n")
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err == nil {
		_, err = Read(path)
		return err // its folder may be one that others use
	}
	return fmt.Errorf("make storage key: %w", err)
}
