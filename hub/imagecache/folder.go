package imagecache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folder is the cache's folder as far as images are written to it. Names are
// relative to it.
type folder interface {
	create(name string) (incoming, error) // refuses a name that is taken
	mkdir(name string) error              // a folder that is there is no error
	rename(from, to string) error
	remove(name string) error
	sync(dir string) error // makes the names in a folder durable
	stored
}

// stored is the folder as far as images are read from it.
type stored interface {
	open(name string) (*os.File, error) // refuses all but regular files
	entries(dir string) ([]fs.DirEntry, error)
	close() error
}

// incoming is a file on its way in.
type incoming interface {
	io.Writer
	io.ReaderAt
	rewrite(b []byte) error // puts b in the place of all that is there
	Sync() error
	Close() error
}

// plainIncoming is a file on its way in as it is.
type plainIncoming struct{ *os.File }

func (f plainIncoming) rewrite(b []byte) error {
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(b)))
}

const (
	incomingPrefix = "incoming-"
	damagedPrefix  = "damaged-"
	imagesDir      = "sha256"
)

// rootFolder is a folder that no name leads out of, not even over a symbolic link.
type rootFolder struct{ root *os.Root }

// openFolder opens the cache's folder, clears it up and creates what is missing.
func openFolder(dir string) (folder, error) {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = syncParent(dir)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := rootFolder{root}
	if err := f.prepare(); err != nil {
		_ = root.Close() // only the first error matters
		return nil, err
	}
	return f, nil
}

// prepare removes what interrupted uploads left and makes the images' folder.
func (f rootFolder) prepare() error {
	entries, err := f.entries(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), incomingPrefix) {
			continue
		}
		if err := f.remove(e.Name()); err != nil {
			return fmt.Errorf("remove %s: %w", e.Name(), reason(err))
		}
	}
	if err := f.mkdir(imagesDir); err != nil {
		return err
	}
	return f.sync(".")
}

func (f rootFolder) create(name string) (incoming, error) {
	file, err := f.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return plainIncoming{file}, err
}

func (f rootFolder) open(name string) (*os.File, error) {
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	return f.root.Open(name)
}

func (f rootFolder) mkdir(name string) error {
	if err := f.root.Mkdir(name, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func (f rootFolder) rename(from, to string) error { return f.root.Rename(from, to) }
func (f rootFolder) remove(name string) error     { return f.root.Remove(name) }
func (f rootFolder) close() error                 { return f.root.Close() }

func (f rootFolder) entries(dir string) ([]fs.DirEntry, error) {
	return fs.ReadDir(f.root.FS(), filepath.ToSlash(dir))
}

func (f rootFolder) sync(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closing := d.Close(); err == nil {
		err = closing
	}
	return err
}

func syncParent(dir string) error {
	root, err := os.OpenRoot(filepath.Dir(filepath.Clean(dir)))
	if err != nil {
		return err
	}
	err = rootFolder{root}.sync(".")
	if closing := root.Close(); err == nil {
		err = closing
	}
	return err
}

// reason returns what an error says without the paths that the operating system
// adds; callers name the file as its user knows it.
func reason(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	default:
		return err
	}
}
