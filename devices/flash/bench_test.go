package flash

import (
	"path/filepath"
	"testing"
)

// benchGeometry is a part of 2 MiB, as a meter's board has.
var benchGeometry = Geometry{SectorSize: 4096, PageSize: 256, Sectors: 512}

// inForms runs a benchmark on a part in memory, and in a file of each form.
func inForms(b *testing.B, run func(b *testing.B, c *Chip)) {
	b.Run("memory", func(b *testing.B) { run(b, New(benchGeometry)) })
	for name, key := range forms() {
		b.Run(name, func(b *testing.B) {
			c, err := Open(filepath.Join(b.TempDir(), "part.flash"), benchGeometry, key)
			if err != nil {
				b.Fatal(err)
			}
			run(b, c)
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// benchmarkProgram programs a part from end to end, n bytes at a time, erasing each sector
// before.
func benchmarkProgram(b *testing.B, n int) {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	inForms(b, func(b *testing.B, c *Chip) {
		r, at := c.Region(0, benchGeometry.Sectors), 0
		b.SetBytes(int64(n))
		b.ReportAllocs()
		for b.Loop() {
			if at+n > benchGeometry.Size() {
				at = 0
			}
			if at%benchGeometry.SectorSize == 0 {
				r.Erase(at)
			}
			r.Program(at, data)
			at += n
		}
	})
}

// BenchmarkProgramPage is a download that fills pages, BenchmarkProgramBytes what a journal
// and a block of 64 bytes do.
func BenchmarkProgramPage(b *testing.B)  { benchmarkProgram(b, 256) }
func BenchmarkProgramBytes(b *testing.B) { benchmarkProgram(b, 64) }

func BenchmarkErase(b *testing.B) {
	inForms(b, func(b *testing.B, c *Chip) {
		r, at := c.Region(0, benchGeometry.Sectors), 0
		b.SetBytes(int64(benchGeometry.SectorSize))
		for b.Loop() {
			r.Erase(at)
			at = (at + benchGeometry.SectorSize) % benchGeometry.Size()
		}
	})
}

// BenchmarkView reads a page of a part: what is decrypted was so when the part was opened.
func BenchmarkView(b *testing.B) {
	inForms(b, func(b *testing.B, c *Chip) {
		r, at, sum := c.Region(0, benchGeometry.Sectors), 0, byte(0)
		b.SetBytes(256)
		for b.Loop() {
			for _, v := range r.View(at, 256) {
				sum ^= v
			}
			at = (at + 256) % benchGeometry.Size()
		}
		_ = sum
	})
}

// BenchmarkOpen opens and closes a part, with what its file keeps for the next start.
func BenchmarkOpen(b *testing.B) {
	for name, key := range forms() {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "part.flash")
			b.SetBytes(int64(benchGeometry.Size()))
			for b.Loop() {
				c, err := Open(path, benchGeometry, key)
				if err != nil {
					b.Fatal(err)
				}
				if err := c.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
