package imagecache

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/codectest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sample returns an OTA file of one sub-element with some bytes of firmware.
func sample(version uint32, firmware int) []byte {
	h := ota.ImageHeader{
		ImageID:      ota.ImageID{Manufacturer: 0x1234, ImageType: 1, FileVersion: version},
		StackVersion: ota.StackVersionPRO, Text: "GSME application",
	}
	data := make([]byte, firmware)
	for i := range data {
		data[i] = byte(i*7 + i>>8)
	}
	body := ota.SubElement{Tag: ota.TagUpgradeImage, Data: data}.Append(nil)
	h.TotalSize = uint32(h.Size() + len(body))
	return append(h.Append(nil), body...)
}

func openCache(t testing.TB, dir string) *Cache {
	t.Helper()
	return openWith(t, dir, nil)
}

func openWith(t testing.TB, dir string, key *atrest.Key) *Cache {
	t.Helper()
	c, err := Open(dir, key)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, c *Cache, published []byte) Entry {
	t.Helper()
	e, err := c.Put(bytes.NewReader(published), MaxUpload)
	must(t, err)
	return e
}

// eachKind runs a test in memory and in a folder.
func eachKind(t *testing.T, test func(*testing.T, *Cache)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemory()) })
	for name, key := range forms() {
		t.Run(name, func(t *testing.T) { test(t, openWith(t, filepath.Join(t.TempDir(), "images"), key)) })
	}
}

func demandError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case err == nil:
		t.Fatalf("no error, want one with %q", want)
	case strings.Contains(err.Error(), "\n"):
		t.Errorf("error of several lines: %q", err)
	case !strings.Contains(err.Error(), want):
		t.Errorf("error %q, want it to contain %q", err, want)
	}
}

// demandImages demands that a cache holds exactly these OTA files.
func demandImages(t *testing.T, c *Cache, files ...[]byte) {
	t.Helper()
	want := make([]Hash, 0, len(files))
	for _, file := range files {
		hash := Hash(sha256.Sum256(file))
		want = append(want, hash)
		im, err := c.Load(hash)
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(im.File, file) {
			t.Errorf("image %s: %d bytes, want the %d that were put", hash, len(im.File), len(file))
		}
	}
	slices.SortFunc(want, compareHashes)
	got, err := c.List()
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("list %v, want %v", got, want)
	}
}

func TestPutOpenRemove(t *testing.T) {
	eachKind(t, func(t *testing.T, c *Cache) {
		demandImages(t, c)
		var files [][]byte
		for version := range uint32(9) {
			files = append(files, sample(version, 1000))
			put(t, c, files[version])
		}
		demandImages(t, c, files...)
		put(t, c, files[3])
		demandImages(t, c, files...)
		must(t, c.Remove(sha256.Sum256(files[0])))
		must(t, c.Remove(sha256.Sum256(files[0])))
		demandImages(t, c, files[1:]...)
		_, err := c.Open(sha256.Sum256(files[0]))
		demandError(t, err, fmt.Sprintf("image %x is not cached", sha256.Sum256(files[0])))
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v is not fs.ErrNotExist", err)
		}
	})
}

func TestEntryTellsWhatWasPut(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	h := ota.ImageHeader{ImageID: ota.ImageID{Manufacturer: 0x10AB, ImageType: 2, FileVersion: 3}, HasHardware: true, HardwareMin: 1, HardwareMax: 4}
	file, err := ota.BuildGB(h, []byte("firmware"), true, key)
	must(t, err)
	h.TotalSize = uint32(len(file))
	eachKind(t, func(t *testing.T, c *Cache) {
		got := put(t, c, append(append([]byte("vendor header"), file...), "vendor trailer"...))
		want := Entry{
			FileHash: sha256.Sum256(file), Header: h, ImageHash: sha256.Sum256([]byte("firmware")),
			Layout: ota.LayoutGB, ForceReplace: 1, Wrapper: ota.Wrapper{Name: "prefix", Prefix: 13, Suffix: 14},
			Warnings: []ota.Warning{{Code: ota.WarningBytesBehind, Text: fmt.Sprintf("14 bytes behind the OTA file, whose header says %d bytes, left out", len(file))}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
		demandImages(t, c, file)
		im, err := c.Load(got.FileHash)
		must(t, err)
		must(t, im.VerifyAuthority(&key.PublicKey))
	})
}

func TestVendorImages(t *testing.T) {
	folder := filepath.Join(codectest.Vectors(t), "ota")
	entries, err := os.ReadDir(folder)
	must(t, err)
	eachKind(t, func(t *testing.T, c *Cache) {
		for _, e := range entries {
			published, err := os.ReadFile(filepath.Join(folder, e.Name()))
			must(t, err)
			entry := put(t, c, published)
			if entry.Integrity == ota.IntegrityBad {
				t.Errorf("%s: integrity %s", e.Name(), entry.Integrity)
			}
			f, err := c.Open(entry.FileHash)
			must(t, err)
			at := entry.Wrapper.Prefix
			want := published[at : at+int(entry.Header.TotalSize)]
			if got, err := io.ReadAll(io.NewSectionReader(f, 0, f.Size())); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: read %d bytes, %v, want %d", e.Name(), len(got), err, len(want))
			}
			must(t, f.Close())
		}
	})
}

func TestPutRefuses(t *testing.T) {
	file := sample(1, 5000)
	huge := ota.ImageHeader{Text: "huge", TotalSize: ota.MaxFileSize + 1}.Append(nil)
	huge = append(huge, make([]byte, ota.MaxFileSize+1-len(huge))...)
	tests := []struct {
		name  string
		give  io.Reader
		limit int64
		want  string
	}{
		{"nothing", strings.NewReader(""), MaxUpload, "no OTA file but an empty file"},
		{"text", strings.NewReader("<html>not found</html>"), MaxUpload, "no OTA file but a web page"},
		{"a truncated file", bytes.NewReader(file[:len(file)-1]), MaxUpload, "only 5061 bytes are there (truncated?)"},
		{"a header alone", bytes.NewReader(ota.ImageHeader{TotalSize: 56}.Append(nil)), MaxUpload, "parse OTA file: no image behind the header"},
		{"more than the limit", bytes.NewReader(file), int64(len(file)) - 1, "receive image: the file is too large: more than 5061 bytes"},
		{"more than any image", bytes.NewReader(huge), 1 << 40, "parse OTA file: 10240001 bytes, want at most 10240000"},
		{"more than any upload", bytes.NewReader(make([]byte, MaxUpload+1)), 1 << 40, "receive image: the file is too large: more than 10305536 bytes"},
		{"a sender that hangs up", io.MultiReader(bytes.NewReader(file[:3000]), iotest.ErrReader(io.ErrUnexpectedEOF)), MaxUpload, "receive image: unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachKind(t, func(t *testing.T, c *Cache) {
				if seeker, ok := tt.give.(io.Seeker); ok {
					_, err := seeker.Seek(0, io.SeekStart)
					must(t, err)
				}
				_, err := c.Put(tt.give, tt.limit)
				demandError(t, err, tt.want)
				demandImages(t, c)
				if d, ok := c.shelf.(*disk); ok {
					demandNothingIncoming(t, d)
				}
			})
		})
	}
}

func TestFileOfExactlyTheLimitIsTaken(t *testing.T) {
	file := sample(1, 5000)
	eachKind(t, func(t *testing.T, c *Cache) {
		_, err := c.Put(iotest.OneByteReader(bytes.NewReader(file)), int64(len(file)))
		must(t, err)
		demandImages(t, c, file)
	})
}

func TestAddSharesBytesInMemory(t *testing.T) {
	im, err := NewImage(sample(1, 100_000))
	must(t, err)
	caches := make([]*Cache, 1000)
	for i := range caches {
		caches[i] = NewMemory()
		must(t, caches[i].Add(im))
	}
	for _, c := range caches {
		f, err := c.Open(im.FileHash)
		must(t, err)
		if &f.window[0] != &im.file[0] {
			t.Fatal("the image was copied")
		}
	}
	must(t, caches[0].Remove(im.FileHash))
	demandImages(t, caches[0])
	demandImages(t, caches[1], im.file)
}

func TestAddToAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	c := openCache(t, dir)
	published := append([]byte("wrapped"), sample(1, 70_000)...)
	im, err := NewImage(published)
	must(t, err)
	must(t, c.Add(im))
	must(t, c.Add(im))
	demandImages(t, c, published[7:])
	demandNothingIncoming(t, c.shelf.(*disk))
	demandImages(t, openCache(t, dir), published[7:])
}

func TestUploadsAtTheSameTime(t *testing.T) {
	eachKind(t, func(t *testing.T, c *Cache) {
		files := [][]byte{sample(1, 200_000), sample(2, 3), sample(3, 90_000)}
		var uploads sync.WaitGroup
		for range 4 {
			for _, file := range files {
				uploads.Go(func() {
					if _, err := c.Put(bytes.NewReader(file), MaxUpload); err != nil {
						t.Error(err)
					}
				})
			}
		}
		uploads.Wait()
		demandImages(t, c, files...)
	})
}

func TestHashText(t *testing.T) {
	hash := Hash(sha256.Sum256([]byte("firmware")))
	text, err := hash.MarshalText()
	must(t, err)
	var back Hash
	must(t, back.UnmarshalText(bytes.ToUpper(text)))
	if back != hash {
		t.Errorf("hash %s came back as %s", hash, back)
	}
	for _, s := range []string{"", "ab", hash.String() + "00", "../" + hash.String()[3:], hash.String()[:62] + "zz"} {
		demandError(t, back.UnmarshalText([]byte(s)), "want 64 hex digits")
	}
}

func ExampleCache() {
	c := NewMemory() // Open("images") keeps files
	published := append([]byte("a vendor's wrapper"), sample(7, 500)...)
	entry, err := c.Put(bytes.NewReader(published), MaxUpload)
	if err != nil {
		fmt.Println("firmware.ota:", err)
		return
	}
	fmt.Println(entry.Header.ImageID, entry.Layout, entry.Header.TotalSize, "bytes")
	f, err := c.Open(entry.FileHash)
	if err != nil {
		fmt.Println(err)
		return
	}
	block := make([]byte, 4)
	n, err := f.ReadAt(block, 0)
	fmt.Printf("%X %d %v\n", block, n, err)
	// Output:
	// 1234/0001/00000007 sub-elements 562 bytes
	// 1EF1EE0B 4 <nil>
}
