// Package batteryset finds a meter's battery set by what a person writes: the name of
// one that comes with the program, or a file of the same form (devices/battery). Flags
// and scenario files take the same words.
package batteryset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/internal/inputfile"
)

// FilePattern is a regular expression that what is read as a file matches, and no word
// without a point or a separator of folders does.
const FilePattern = `[./\\]`

// maxFile is more bytes than any battery set needs.
const maxFile = 64 << 10

// Want says what a person may write.
func Want() string { return "one of " + strings.Join(battery.Names(), ", ") + ", or a file" }

// IsFile tells whether a text is read as a file: it is no set's name, and has the
// [FilePattern].
func IsFile(text string) bool {
	return !slices.Contains(battery.Names(), text) && strings.ContainsAny(text, `./\`)
}

// Find returns the set of a name, or the one in a file; a relative path counts from dir.
// An error says which of the two it is, and in which line of the file.
func Find(nameOrFile, dir string) (battery.Model, error) {
	if !IsFile(nameOrFile) {
		model, err := battery.NamedModel(nameOrFile)
		if err != nil {
			return model, fmt.Errorf("%w, or a file", err)
		}
		return model, nil
	}
	path := nameOrFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	model, err := read(path)
	if err != nil {
		return battery.Model{}, fmt.Errorf("battery set %s: %w", nameOrFile, err)
	}
	return model, nil
}

func read(path string) (battery.Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return battery.Model{}, plain(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return battery.Model{}, plain(err)
	}
	if len(text) > maxFile {
		return battery.Model{}, fmt.Errorf("more than %d bytes", maxFile)
	}
	return battery.ParseModel(text)
}

// plain returns what the operating system says without the path, which the message
// around it names as it was written; and of what is not there, what could be.
func plain(err error) error {
	err = inputfile.Reason(err)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; want %s", err, Want())
	}
	return err
}
