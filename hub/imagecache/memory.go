package imagecache

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
)

// memory is a shelf without a folder, for simulation.
type memory struct {
	mu     sync.Mutex
	images map[Hash]*Image
}

func (m *memory) put(r io.Reader, limit int64) (Entry, error) {
	published, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return Entry{}, receiveError(err)
	}
	if int64(len(published)) > limit {
		return Entry{}, tooLarge(limit)
	}
	im, err := NewImage(published)
	if err != nil {
		return Entry{}, err
	}
	return im.Entry, m.add(im)
}

func (m *memory) add(im *Image) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.images[im.FileHash] = im
	return nil
}

func (m *memory) open(hash Hash) (*File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	im, ok := m.images[hash]
	if !ok {
		return nil, missing(hash)
	}
	// The window is the whole image, so the source is never asked.
	return &File{size: int64(len(im.file)), window: im.file}, nil
}

func (m *memory) remove(hash Hash) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.images, hash)
	return nil
}

func (m *memory) quarantine(hash Hash) error { return m.remove(hash) }

func (m *memory) list() ([]Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Keys(m.images), compareHashes), nil
}

func (m *memory) close() error { return nil }

func compareHashes(a, b Hash) int { return bytes.Compare(a[:], b[:]) }

func receiveError(err error) error { return fmt.Errorf("receive image: %w", err) }

func tooLarge(limit int64) error {
	return fmt.Errorf("receive image: %w: more than %d bytes", ErrTooLarge, limit)
}
