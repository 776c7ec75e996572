package bridge

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

// maxImage is the longest image the bridge copies, that of the hub, in bytes.
const maxImage = 16 << 20

// copies holds copies of the images that outside devices are to take, so that
// delivering never waits for the hub. They are kept over a restart and dropped
// when no update needs them.
type copies struct {
	dir  string
	open map[Hash]*os.File
}

const copySuffix = ".ota"

func openCopies(dir string) (*copies, error) {
	c := &copies{dir: filepath.Join(dir, "images"), open: map[Hash]*os.File{}}
	return c, os.MkdirAll(c.dir, 0o700)
}

func (c *copies) path(h Hash) string { return filepath.Join(c.dir, h.String()+copySuffix) }

// get returns the copy of an image, and fetches it first if there is none.
func (c *copies) get(ctx context.Context, hub Hub, im Image) (*os.File, error) {
	if f, ok := c.open[im.Hash]; ok {
		return f, nil
	}
	f, err := c.reopen(im)
	if err != nil {
		if f, err = c.fetch(ctx, hub, im); err != nil {
			return nil, fmt.Errorf("copy image %.8s of the hub: %w", im.Hash, err)
		}
	}
	c.open[im.Hash] = f
	return f, nil
}

// reopen opens a copy of an earlier run, if it is there and whole.
func (c *copies) reopen(im Image) (*os.File, error) {
	f, err := os.Open(c.path(im.Hash))
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err = io.Copy(h, io.LimitReader(f, maxImage+1)); err == nil && Hash(h.Sum(nil)) != im.Hash {
		err = errors.New("damaged")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (c *copies) fetch(ctx context.Context, hub Hub, im Image) (f *os.File, err error) {
	if im.Size <= 0 || im.Size > maxImage {
		return nil, fmt.Errorf("%d bytes, want 1 to %d", im.Size, maxImage)
	}
	t, err := renameio.NewPendingFile(c.path(im.Hash), renameio.WithPermissions(0o600))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Cleanup()) }()
	digest := sha256.New()
	to := &limitedWriter{to: io.MultiWriter(t, digest), left: im.Size}
	if err := hub.Fetch(ctx, im.Hash, to); err != nil {
		return nil, err
	}
	if Hash(digest.Sum(nil)) != im.Hash {
		return nil, fmt.Errorf("the hub sent %d bytes that are not this image", im.Size-to.left)
	}
	if err := t.CloseAtomicallyReplace(); err != nil {
		return nil, err
	}
	return os.Open(c.path(im.Hash))
}

// limitedWriter refuses more than it was told to expect.
type limitedWriter struct {
	to   io.Writer
	left int64
}

// Write implements io.Writer.
func (l *limitedWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > l.left {
		return 0, errors.New("longer than the hub said")
	}
	l.left -= int64(len(b))
	return l.to.Write(b)
}

// retain drops the copies that are not needed. A file may still be read by whoever
// was given it; the collector closes it when nobody can any more.
func (c *copies) retain(needed map[Hash]bool) error {
	for h := range c.open {
		if !needed[h] {
			delete(c.open, h)
		}
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var h Hash
		name, isCopy := strings.CutSuffix(e.Name(), copySuffix)
		if !isCopy || h.UnmarshalText([]byte(name)) != nil || needed[h] {
			continue
		}
		err = errors.Join(err, os.Remove(filepath.Join(c.dir, e.Name())))
	}
	return err
}

func (c *copies) close() error {
	var err error
	for _, f := range c.open {
		err = errors.Join(err, f.Close())
	}
	return err
}
