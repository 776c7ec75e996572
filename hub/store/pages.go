package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// bbolt maps its file into memory and follows the page numbers and lengths it
// finds there without a check: a damaged file makes it fault, recurse without
// end or allocate terabytes, and none of the three can be recovered from. Its own
// check is no help: it dies the same way, of about one damaged page header in thirty. So
// the pages are walked here first, which is an eighth of the time to open a store
// (docs/performance.md), in the file format of bbolt 1.x (version 2, integers in the
// machine's byte order); a test pins the release that it was read from:
//
//	page     id u64, flags u16, count u16, overflow u32, then count elements
//	meta     magic, version, page size, flags u32; root page, root sequence,
//	         free list page, high water mark, transaction u64; FNV-1a of all before
//	branch   element: position, key size u32, child page u64
//	leaf     element: flags, position, key size, value size u32
//	bucket   a leaf's value: root page u64, sequence u64; root 0: one page follows inline
//
// A position counts from its element. Contents are guarded by the checksum of
// each record.
const (
	pageHeaderSize   = 16
	elementSize      = 16
	bucketHeaderSize = 16
	metaSize         = 64

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageFreeList = 0x10
	leafBucket   = 0x01

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreeList  = ^uint64(0)
)

var native = binary.NativeEndian

// pageWalk visits every page that the newest transaction can reach.
type pageWalk struct {
	file     io.ReaderAt
	pageSize uint64
	high     uint64          // pages from here on were never allocated
	seen     map[uint64]bool // pages reached, as part of a tree or as free
}

// checkPages refuses a file whose pages do not hang together.
func checkPages(file io.ReaderAt, pageSize int) error {
	w := pageWalk{file: file, pageSize: uint64(pageSize), seen: make(map[uint64]bool)}
	root, freeList, err := w.meta()
	if err != nil {
		return err
	}
	if err := w.tree(root, nil, nil); err != nil {
		return err
	}
	return w.freeList(freeList)
}

// meta reads where the newest whole transaction begins. A torn meta page is
// what a power cut leaves; the other one is used then.
func (w *pageWalk) meta() (root, freeList uint64, err error) {
	var newest uint64
	found := false
	for page := range int64(2) {
		b := make([]byte, metaSize)
		if _, err := w.file.ReadAt(b, page*int64(w.pageSize)+pageHeaderSize); err != nil {
			return 0, 0, pageError(uint64(page), err)
		}
		sum := fnv.New64a()
		sum.Write(b[:56])
		if native.Uint32(b) != boltMagic || native.Uint32(b[4:]) != boltVersion || native.Uint64(b[56:]) != sum.Sum64() {
			continue
		}
		if txid := native.Uint64(b[48:]); !found || txid > newest {
			found, newest = true, txid
			root, freeList, w.high = native.Uint64(b[16:]), native.Uint64(b[32:]), native.Uint64(b[40:])
		}
	}
	if !found {
		return 0, 0, errors.New("both meta pages are bad")
	}
	return root, freeList, nil
}

// read returns a whole page with its overflow, and marks it as seen.
func (w *pageWalk) read(id uint64) ([]byte, error) {
	if id < 2 || id >= w.high {
		return nil, fmt.Errorf("page %d is referred to, want 2 to %d", id, w.high-1)
	}
	header := make([]byte, pageHeaderSize)
	if err := w.readAt(header, id); err != nil {
		return nil, err
	}
	overflow := uint64(native.Uint32(header[12:]))
	if have := native.Uint64(header); have != id {
		return nil, fmt.Errorf("page %d says it is page %d", id, have)
	}
	if overflow >= w.high-id {
		return nil, fmt.Errorf("page %d goes on for %d pages, want them below page %d", id, overflow, w.high)
	}
	// The last byte first: a page that promises more than the file has must not
	// make us allocate.
	if _, err := w.file.ReadAt(header[:1], int64((id+overflow+1)*w.pageSize)-1); err != nil {
		return nil, pageError(id+overflow, err)
	}
	for i := id; i <= id+overflow; i++ {
		if err := w.mark(i); err != nil {
			return nil, err
		}
	}
	page := make([]byte, (overflow+1)*w.pageSize)
	return page, w.readAt(page, id)
}

func (w *pageWalk) readAt(b []byte, page uint64) error {
	if _, err := w.file.ReadAt(b, int64(page*w.pageSize)); err != nil {
		return pageError(page, err)
	}
	return nil
}

func pageError(page uint64, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("page %d is beyond the end of the file", page)
	}
	return fmt.Errorf("read page %d: %w", page, err)
}

func (w *pageWalk) mark(page uint64) error {
	if w.seen[page] {
		return fmt.Errorf("page %d is used twice", page)
	}
	w.seen[page] = true
	return nil
}

// tree checks a page and what hangs below it. Its first key must be first, which
// is how bbolt finds a page in the one above; nil at the top. All keys must be
// below high; nil leaves the end open.
func (w *pageWalk) tree(id uint64, first, high []byte) error {
	page, err := w.read(id)
	if err != nil {
		return err
	}
	elements, err := readElements(page, high)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if first != nil && (len(elements) == 0 || !bytes.Equal(elements[0].key, first)) {
		return fmt.Errorf("page %d does not begin with key %x", id, first)
	}
	for i, e := range elements {
		switch {
		case e.branch:
			end := high
			if i+1 < len(elements) {
				end = elements[i+1].key
			}
			err = w.tree(e.child, e.key, end)
		case e.bucket:
			err = w.bucket(e.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bucket checks a bucket from its entry in a leaf.
func (w *pageWalk) bucket(value []byte) error {
	if len(value) < bucketHeaderSize {
		return fmt.Errorf("bucket entry of %d bytes, want at least %d", len(value), bucketHeaderSize)
	}
	if root := native.Uint64(value); root != 0 {
		return w.tree(root, nil, nil)
	}
	inline := value[bucketHeaderSize:]
	if len(inline) < pageHeaderSize || native.Uint16(inline[8:]) != pageLeaf {
		return errors.New("inline bucket without a leaf page")
	}
	elements, err := readElements(inline, nil)
	if err != nil {
		return fmt.Errorf("inline bucket: %w", err)
	}
	for _, e := range elements {
		if e.bucket {
			return errors.New("inline bucket with a bucket inside")
		}
	}
	return nil
}

// element is one entry of a branch or leaf page.
type element struct {
	key    []byte
	branch bool
	child  uint64 // branch
	bucket bool   // leaf: value is a bucket's
	value  []byte // leaf
}

// readElements reads the entries of a branch or leaf page and checks that they
// lie inside the page, with keys in order and below high.
func readElements(page, high []byte) ([]element, error) {
	flags, count := native.Uint16(page[8:]), int(native.Uint16(page[10:]))
	if flags != pageBranch && flags != pageLeaf {
		return nil, fmt.Errorf("flags %04X, want a branch or a leaf", flags)
	}
	if flags == pageBranch && count == 0 {
		return nil, errors.New("branch without entries")
	}
	if pageHeaderSize+count*elementSize > len(page) {
		return nil, fmt.Errorf("%d entries, more than fit", count)
	}
	elements := make([]element, count)
	for i := range elements {
		e, err := readElement(page[pageHeaderSize+i*elementSize:], flags == pageBranch)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if i > 0 && bytes.Compare(elements[i-1].key, e.key) >= 0 || high != nil && bytes.Compare(e.key, high) >= 0 {
			return nil, fmt.Errorf("entry %d: key %x is out of order", i, e.key)
		}
		elements[i] = e
	}
	return elements, nil
}

// readElement reads the entry at the start of b, which ends where the page does.
func readElement(b []byte, branch bool) (element, error) {
	e := element{branch: branch}
	var position, keySize, valueSize uint64
	if branch {
		position, keySize = uint64(native.Uint32(b)), uint64(native.Uint32(b[4:]))
		e.child = native.Uint64(b[8:])
	} else {
		flags := native.Uint32(b)
		if flags&^leafBucket != 0 {
			return element{}, fmt.Errorf("flags %08X, want 0 or 1", flags)
		}
		e.bucket = flags == leafBucket
		position, keySize = uint64(native.Uint32(b[4:])), uint64(native.Uint32(b[8:]))
		valueSize = uint64(native.Uint32(b[12:]))
	}
	if keySize == 0 {
		return element{}, errors.New("empty key")
	}
	if end := position + keySize + valueSize; position < elementSize || end > uint64(len(b)) {
		return element{}, fmt.Errorf("bytes %d to %d, want them inside the page", position, end)
	}
	e.key = b[position : position+keySize]
	e.value = b[position+keySize : position+keySize+valueSize]
	return e, nil
}

// freeList checks that no page in use is listed as free: the next transaction
// would overwrite it.
func (w *pageWalk) freeList(id uint64) error {
	if id == noFreeList {
		return nil
	}
	page, err := w.read(id)
	if err != nil {
		return err
	}
	if flags := native.Uint16(page[8:]); flags != pageFreeList {
		return fmt.Errorf("page %d: flags %04X, want a free list", id, flags)
	}
	ids, count := page[pageHeaderSize:], uint64(native.Uint16(page[10:]))
	if count == 0xFFFF { // then the first entry is the count
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return fmt.Errorf("page %d: %d free pages, more than fit", id, count)
	}
	for i := range count {
		free := native.Uint64(ids[i*8:])
		if free < 2 || free >= w.high {
			return fmt.Errorf("page %d: page %d is listed as free, want 2 to %d", id, free, w.high-1)
		}
		if err := w.mark(free); err != nil {
			return err
		}
	}
	return nil
}
