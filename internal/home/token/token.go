// Package token keeps the token that changes over a hub's REST interface need, in a file
// that nobody else may read.
package token

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/secretfile"
)

// Make returns the token in a file, which is made if there is none yet: fresh tells so.
func Make(path string) (token string, fresh bool, err error) {
	token, err = Read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return token, false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", false, fmt.Errorf("make the token: %w", err)
	}
	token = rand.Text()
	if err := renameio.WriteFile(path, []byte(token+"\n"), 0o600, renameio.IgnoreUmask()); err != nil {
		return "", false, fmt.Errorf("write token %s: %w", path, inputfile.Reason(err))
	}
	return token, true, nil
}

// Read reads a token that nobody else may read.
func Read(path string) (string, error) {
	text, err := secretfile.Read(path, 1024)
	if err != nil {
		return "", fmt.Errorf("read token %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < 16 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("read token %s: want at least 16 visible characters", path)
	}
	return token, nil
}
