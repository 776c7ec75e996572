package imagecache

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/atrest"
)

// disk is the shelf in a folder.
type disk struct {
	folder folder
	key    *atrest.Key // nil if images are kept as they are

	mu    sync.Mutex // one image at a time is brought into place; guards what follows
	count int        // incoming files so far
}

// path returns the path of an image in the folder.
func (h Hash) path() string {
	s := h.String()
	return filepath.Join(imagesDir, s[:2], s[2:])
}

// upload is a file being received.
type upload struct {
	file incoming
	name string
	size int64
}

func (d *disk) put(r io.Reader, limit int64) (Entry, error) {
	up, err := d.begin()
	if err != nil {
		return Entry{}, keepError(err)
	}
	im, err := d.receive(up, r, limit)
	return d.end(up, im, err)
}

func (d *disk) add(im *Image) error {
	up, err := d.begin()
	if err != nil {
		return keepError(err)
	}
	if _, err = up.file.Write(im.file); err != nil {
		err = keepError(err)
	} else {
		d.mu.Lock()
		err = d.place(up, im)
		d.mu.Unlock()
	}
	_, err = d.end(up, im, err)
	return err
}

// begin opens a file under a name that no other upload has.
func (d *disk) begin() (*upload, error) {
	d.mu.Lock()
	d.count++
	name := incomingPrefix + strconv.Itoa(d.count)
	d.mu.Unlock()
	file, err := d.folder.create(name)
	if err != nil {
		return nil, err
	}
	up := &upload{file: file, name: name}
	if d.key != nil {
		if up.file, err = sealIncoming(file, d.key); err != nil {
			_, err = d.end(up, nil, err)
			return nil, err
		}
	}
	return up, nil
}

// end closes an upload that came to err, and removes its file unless it is in place.
func (d *disk) end(up *upload, im *Image, err error) (Entry, error) {
	_ = up.file.Close() // synced already, or to be thrown away
	if err != nil {
		_ = d.folder.remove(up.name) // if this fails, the next Open does it
		return Entry{}, err
	}
	return im.Entry, nil
}

// receive streams an upload into its file, checks it, and brings it into place.
func (d *disk) receive(up *upload, r io.Reader, limit int64) (*Image, error) {
	from := &tracked{r: r}
	n, err := io.Copy(up.file, io.LimitReader(from, limit+1))
	switch {
	case from.err != nil:
		return nil, receiveError(from.err)
	case err != nil:
		return nil, keepError(err)
	case n > limit:
		return nil, tooLarge(limit)
	}
	up.size = n
	// Slow uploads wait in their files; only one at a time is read into memory.
	d.mu.Lock()
	defer d.mu.Unlock()
	published := make([]byte, n)
	if _, err := up.file.ReadAt(published, 0); err != nil {
		return nil, keepError(err)
	}
	im, err := NewImage(published)
	if err != nil {
		return nil, err
	}
	if err := unwrap(up, im); err != nil {
		return nil, keepError(err)
	}
	return im, d.place(up, im)
}

// unwrap leaves only the OTA file in the upload's file.
func unwrap(up *upload, im *Image) error {
	if int64(len(im.file)) == up.size {
		return nil
	}
	return up.file.rewrite(im.file)
}

// place brings a received file under its name, durably. The caller holds mu.
func (d *disk) place(up *upload, im *Image) error {
	path := im.FileHash.path()
	shard := filepath.Dir(path)
	if f, err := d.open(im.FileHash); err == nil {
		// It is there, whole; an earlier crash may have left its name unsynced.
		_ = f.Close() // only read from
		if err := d.folder.remove(up.name); err != nil {
			return keepError(err)
		}
		return keepError(d.syncNames(shard))
	}
	err := up.file.Sync()
	if err == nil {
		err = d.folder.mkdir(shard)
	}
	if err == nil {
		err = d.folder.rename(up.name, path)
	}
	if err == nil {
		if err = d.syncNames(shard); err != nil {
			_ = d.folder.remove(path) // what may not last must not be seen
		}
	}
	if err != nil {
		_ = d.folder.remove(shard) // works if it is empty
	}
	return keepError(err)
}

// syncNames makes an image's name durable, and that of the folder it is in.
func (d *disk) syncNames(shard string) error {
	if err := d.folder.sync(shard); err != nil {
		return err
	}
	return d.folder.sync(imagesDir)
}

func (d *disk) open(hash Hash) (*File, error) {
	file, err := d.folder.open(hash.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(hash)
	}
	if err != nil {
		return nil, fmt.Errorf("open image %s: %w", hash, reason(err))
	}
	info, err := file.Stat()
	if err == nil {
		f := new(File)
		if f.source, f.size, err = unsealed(file, info.Size(), d.key); err == nil {
			err = f.verify(hash)
		}
		if err == nil {
			return f, nil
		}
	}
	_ = file.Close() // only read from
	return nil, fmt.Errorf("open image %s: %w", hash, reason(err))
}

// verify demands that the bytes have the hash.
func (f *File) verify(hash Hash) error {
	if f.size > ota.MaxFileSize {
		return fmt.Errorf("changed on disk: %d bytes, want at most %d", f.size, ota.MaxFileSize)
	}
	sum := sha256.New()
	for off := int64(0); off < f.size; off += int64(len(f.window)) {
		if err := f.fill(off); err != nil {
			return err
		}
		sum.Write(f.window)
	}
	if have := Hash(sum.Sum(nil)); have != hash {
		return fmt.Errorf("changed on disk: its SHA-256 is now %s", have)
	}
	return nil
}

func (d *disk) remove(hash Hash) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := hash.path()
	err := d.folder.remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		shard := filepath.Dir(path)
		err = d.folder.sync(shard)
		_ = d.folder.remove(shard) // works if it is empty
	}
	if err != nil {
		return fmt.Errorf("remove image %s: %w", hash, reason(err))
	}
	return nil
}

// quarantine renames an image. One that was put aside before it makes way.
func (d *disk) quarantine(hash Hash) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := hash.path()
	err := d.folder.rename(path, damagedPrefix+hash.String())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = d.syncNames(filepath.Dir(path))
	}
	if err == nil {
		err = d.folder.sync(".")
	}
	if err != nil {
		return fmt.Errorf("put image %s aside: %w", hash, reason(err))
	}
	return nil
}

func (d *disk) list() ([]Hash, error) {
	shards, err := d.folder.entries(imagesDir)
	if err != nil {
		return nil, fmt.Errorf("list images: %w", reason(err))
	}
	var hashes []Hash
	for _, shard := range shards {
		if !shard.IsDir() {
			continue
		}
		files, err := d.folder.entries(filepath.Join(imagesDir, shard.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil, fmt.Errorf("list images: %w", reason(err))
		}
		for _, file := range files {
			// What else somebody put there is not ours.
			hash, err := ParseHash(shard.Name() + file.Name())
			if err == nil && hash.path() == filepath.Join(imagesDir, shard.Name(), file.Name()) {
				hashes = append(hashes, hash)
			}
		}
	}
	slices.SortFunc(hashes, compareHashes)
	return hashes, nil
}

func (d *disk) close() error { return reason(d.folder.close()) }

// tracked remembers how reading ended, to tell the sender's failure from ours.
type tracked struct {
	r   io.Reader
	err error
}

func (t *tracked) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		t.err = err
	}
	return n, err
}

func keepError(err error) error {
	if err == nil {
		return nil
	}
	return StorageError{reason(err)}
}
