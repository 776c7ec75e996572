package live

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files of a hub's folder. The records are made before the images' folder, so that
// images without records are a hub that lost them.
const (
	recordsFile  = "records.db"
	imagesFolder = "images"
)

// lostRecords refuses a folder in which a hub has been whose records are not there: it
// would begin as another one. The images are looked at first, since another process may
// be making both.
func lostRecords(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, imagesFolder)); err != nil {
		return ignoreMissing(err)
	}
	state, err := gone(filepath.Join(dir, recordsFile))
	if err != nil || state == "" {
		return err
	}
	return fmt.Errorf("%s %s, but a hub has been here: its %s are there; put the records back from a copy, or remove %s to begin with a new hub",
		filepath.Join(dir, recordsFile), state, filepath.Join(dir, imagesFolder), dir)
}

// madeSuffix ends the name of the file that tells that a meter was made here.
const madeSuffix = ".made"

// lostFlash refuses a meter that was made before and whose flash is not there: it would
// leave the factory a second time.
func lostFlash(path string) error {
	if _, err := os.Stat(path + madeSuffix); err != nil {
		return ignoreMissing(err)
	}
	state, err := gone(path)
	if err != nil || state == "" {
		return err
	}
	return fmt.Errorf("%s %s, but this meter was made before; put its flash back from a copy, or remove %s to begin with a new meter",
		path, state, path+madeSuffix)
}

// markMade keeps beside a meter's flash that the meter was made.
func markMade(path string) error {
	f, err := os.OpenFile(path+madeSuffix, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// gone tells how a file that should be there is not; "" if it is.
func gone(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is missing", nil
	case err != nil:
		return "", err
	case info.Mode().IsRegular() && info.Size() == 0:
		return "is empty", nil
	default:
		return "", nil
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
