package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// homeFile is the file beside the certificates with the number of the home that they
// are for. Each new folder gets one that is drawn, so that no two homes have the same
// identities; folders of earlier releases have none.
const homeFile = "home"

// MaxHome is the largest number of a home.
const MaxHome = 1<<24 - 1

// ParseHome reads the number of a home.
func ParseHome(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n > MaxHome {
		return 0, fmt.Errorf("want a number from 0 to %d", MaxHome)
	}
	return uint32(n), nil
}

// Home returns the number of the home whose certificates are in a folder, or
// fs.ErrNotExist.
func Home(dir string) (uint32, error) {
	path := filepath.Join(dir, homeFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("read the home's number: %w", err)
	}
	n, err := ParseHome(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the home's number %s: %q: %w", path, strings.TrimSpace(string(text)), err)
	}
	return n, nil
}

// KeepHome says whose home's certificates are in a folder, which is made.
func KeepHome(dir string, n uint32) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = writeFile(dir, filepath.Join(dir, homeFile), fmt.Appendln(nil, n), 0o600)
	}
	if err != nil {
		return fmt.Errorf("keep the home's number: %w", err)
	}
	return nil
}

// HasRoot reports whether there are certificates in a folder.
func HasRoot(dir string) bool {
	_, err := os.Stat(certFile(dir, rootName))
	return err == nil
}

// drawHome draws a number for a new home, unless it was given one. The published
// identities, those of home 0, are not drawn.
func drawHome(dir string) error {
	if _, err := Home(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return KeepHome(dir, 1+rand.Uint32N(MaxHome))
}
