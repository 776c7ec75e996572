package imagecache

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
)

// blockSize is what a meter usually asks for.
const blockSize = 48

func openSample(t testing.TB, c *Cache, firmware int) (*File, []byte) {
	t.Helper()
	file := sample(1, firmware)
	f, err := c.Open(put(t, c, file).FileHash)
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f, file
}

func TestReadAtReadsAsFromMemory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	eachKind(t, func(t *testing.T, c *Cache) {
		f, file := openSample(t, c, 3*readAhead+1234)
		if f.Size() != int64(len(file)) {
			t.Fatalf("size %d, want %d", f.Size(), len(file))
		}
		want := bytes.NewReader(file)
		off := int64(0)
		for range 3000 {
			p := make([]byte, dice.IntN(300))
			switch dice.IntN(20) {
			case 0:
				p = make([]byte, dice.IntN(len(file)+10))
			case 1:
				off = dice.Int64N(int64(len(file)) + 10)
			}
			q := make([]byte, len(p))
			n, err := f.ReadAt(p, off)
			m, wantErr := want.ReadAt(q, off)
			if len(p) == 0 {
				wantErr = nil // either is right for a reader of nothing
			}
			if n != m || !errors.Is(err, wantErr) || !bytes.Equal(p, q) {
				t.Fatalf("read %d bytes at %d: %d, %v, want %d, %v", len(p), off, n, err, m, wantErr)
			}
			off += int64(n)
		}
	})
}

func TestReadAtRefuses(t *testing.T) {
	eachKind(t, func(t *testing.T, c *Cache) {
		f, _ := openSample(t, c, 100)
		_, err := f.ReadAt(make([]byte, 1), -1)
		demandError(t, err, "read image: offset -1, want 0 or more")
		must(t, f.Close())
		must(t, f.Close())
		_, err = f.ReadAt(make([]byte, 1), 0)
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read of a closed file: %v, want %v", err, fs.ErrClosed)
		}
	})
}

func TestOpenFileOutlivesItsCache(t *testing.T) {
	c, err := Open(filepath.Join(t.TempDir(), "images"), nil)
	must(t, err)
	f, file := openSample(t, c, 3*readAhead)
	hashes, err := c.List()
	must(t, err)
	must(t, c.Remove(hashes[0]))
	must(t, c.Close())
	got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size()))
	if err != nil || !bytes.Equal(got, file) {
		t.Errorf("read %d bytes, %v, want %d", len(got), err, len(file))
	}
}

func TestFileIsReadByManyAtOnce(t *testing.T) {
	f, file := openSample(t, openCache(t, filepath.Join(t.TempDir(), "images")), 3*readAhead)
	var readers sync.WaitGroup
	for reader := range 4 {
		readers.Go(func() {
			p := make([]byte, 1000)
			for off := reader * 500; off+len(p) < len(file); off += 7000 {
				if _, err := f.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, file[off:off+len(p)]) {
					t.Errorf("read at %d: wrong bytes, %v", off, err)
				}
			}
		})
	}
	readers.Wait()
}

func TestBlocksAreReadWithoutAllocating(t *testing.T) {
	eachKind(t, func(t *testing.T, c *Cache) {
		f, file := openSample(t, c, 5*readAhead)
		p, off := make([]byte, blockSize), int64(0)
		allocs := testing.AllocsPerRun(len(file)/blockSize-1, func() {
			if _, err := f.ReadAt(p, off); err != nil {
				t.Error(err)
			}
			off += blockSize
		})
		if allocs != 0 {
			t.Errorf("%v allocations a block, want none", allocs)
		}
	})
}

func benchmarkBlocks(b *testing.B, c *Cache) {
	f, file := openSample(b, c, 500_000)
	p, off := make([]byte, blockSize), int64(0)
	b.SetBytes(blockSize)
	b.ReportAllocs()
	for b.Loop() {
		if off+blockSize > int64(len(file)) {
			off = 0
		}
		if _, err := f.ReadAt(p, off); err != nil {
			b.Fatal(err)
		}
		off += blockSize
	}
}

// inForms runs a benchmark on a folder as it is kept, plain or encrypted.
func inForms(b *testing.B, run func(b *testing.B, c *Cache)) {
	for name, key := range forms() {
		b.Run(name, func(b *testing.B) { run(b, openWith(b, filepath.Join(b.TempDir(), "images"), key)) })
	}
}

func BenchmarkReadBlock(b *testing.B) {
	b.Run("memory", func(b *testing.B) { benchmarkBlocks(b, NewMemory()) })
	inForms(b, benchmarkBlocks)
}

func BenchmarkOpen500k(b *testing.B) {
	inForms(b, func(b *testing.B, c *Cache) {
		hash := put(b, c, sample(1, 500_000)).FileHash
		b.SetBytes(500_000)
		for b.Loop() {
			f, err := c.Open(hash)
			must(b, err)
			must(b, f.Close())
		}
	})
}

func BenchmarkPut500k(b *testing.B) {
	inForms(b, func(b *testing.B, c *Cache) {
		version := uint32(0)
		b.SetBytes(500_000)
		for b.Loop() {
			version++
			put(b, c, sample(version, 500_000))
		}
	})
}

func BenchmarkNewMemory(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		NewMemory()
	}
}
