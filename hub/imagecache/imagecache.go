// Package imagecache keeps firmware images as content-addressed files.
//
//	DIR/incoming-N             an image on its way in; removed when the cache is opened
//	DIR/sha256/ab/cdef…        an image, named by the SHA-256 of its bytes
//	DIR/damaged-abcdef…        one that changed on disk, put aside for a person to look at
//
// What is kept is exactly the OTA file that a client downloads, without what a
// vendor wrapped around it, and only after it was parsed. A file appears under
// its name whole or not at all: it is received under another name, synced,
// renamed, and the folder synced. Its hash is checked again whenever it is
// opened, so an image that changed on disk is never sent.
//
// The contract for callers: one process at a time uses a folder (the hub's store
// sees to that with its lock); methods may be called from any goroutine; errors
// are one line that reads well behind a file name. What an image is good for
// (who signed it, which devices it fits) is not judged here.
package imagecache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/atrest"
)

// MaxUpload is the largest file taken, in bytes: the largest OTA file and what
// vendors wrap around it.
const MaxUpload = ota.MaxFileSize + 64<<10

// Cache is a set of images.
type Cache struct{ shelf shelf }

// shelf is where the images are: a folder or memory.
type shelf interface {
	put(r io.Reader, limit int64) (Entry, error)
	add(im *Image) error
	open(hash Hash) (*File, error)
	remove(hash Hash) error
	quarantine(hash Hash) error
	list() ([]Hash, error)
	close() error
}

// NewMemory returns an empty cache that lives as long as the process.
func NewMemory() *Cache { return &Cache{&memory{images: make(map[Hash]*Image)}} }

// Open opens the cache in a folder, which is created if it is missing, and
// removes what an interrupted Put left there. With a key images are encrypted (package
// atrest); a folder with images that are not is refused then, with ErrPlain, and one with
// images that are, without a key, with ErrEncrypted.
func Open(dir string, key *atrest.Key) (*Cache, error) {
	f, err := openFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("open image cache %s: %w", dir, reason(err))
	}
	d := &disk{folder: f, key: key}
	if err := d.checkForm(); err != nil {
		return nil, errors.Join(fmt.Errorf("open image cache %s: %w", dir, err), d.close())
	}
	return &Cache{d}, nil
}

// Put takes in a file as it was published, at most limit bytes of it or
// MaxUpload if that is less. After an error nothing of it is left. A file that
// is there already is no error.
func (c *Cache) Put(r io.Reader, limit int64) (Entry, error) {
	return c.shelf.put(r, min(limit, MaxUpload))
}

// Add takes in an image that is in memory. Memory caches share its bytes.
func (c *Cache) Add(im *Image) error { return c.shelf.add(im) }

// Open opens an image and checks its bytes against the hash. The error is
// fs.ErrNotExist if there is no such image.
func (c *Cache) Open(hash Hash) (*File, error) { return c.shelf.open(hash) }

// Load reads a whole image and parses it, for those who check signatures. Its
// bytes may be shared; they must not be changed.
func (c *Cache) Load(hash Hash) (*ota.Image, error) {
	f, err := c.Open(hash)
	if err != nil {
		return nil, err
	}
	b, err := f.whole()
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	return ota.ParseImage(b)
}

// Remove removes an image. Removing what is not there does nothing. Files that
// are open stay readable.
func (c *Cache) Remove(hash Hash) error { return c.shelf.remove(hash) }

// Quarantine puts an image aside that is not what it was: it is not there any more, and
// can be put in again. Doing so to what is not there does nothing.
func (c *Cache) Quarantine(hash Hash) error { return c.shelf.quarantine(hash) }

// List returns the hashes of all images, sorted.
func (c *Cache) List() ([]Hash, error) { return c.shelf.list() }

// Close ends the use of the folder. Files that are open stay readable.
func (c *Cache) Close() error { return c.shelf.close() }

// ErrTooLarge is wrapped by Put's error for a file over the limit.
var ErrTooLarge = errors.New("the file is too large")

// StorageError is what Put and Add return if the image could not be kept: the
// reader of the message looks at the hub's disk, not at the file.
type StorageError struct{ Err error }

// Error implements error.
func (e StorageError) Error() string { return "keep image: " + e.Err.Error() }

// Unwrap returns the cause.
func (e StorageError) Unwrap() error { return e.Err }

// missing returns the error for an image that is not there.
func missing(hash Hash) error { return fmt.Errorf("image %s is not cached: %w", hash, fs.ErrNotExist) }
