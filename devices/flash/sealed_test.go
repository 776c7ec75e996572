package flash

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/atrest/atresttest"
)

// forms are how a part can be kept.
func forms() map[string]*atrest.Key {
	return map[string]*atrest.Key{"plain": nil, "encrypted": atresttest.NewKey()}
}

// two is a part of two units.
var two = Geometry{SectorSize: 64, PageSize: 16, Sectors: 8}

const secret = "a reading of 0123456789 Wh"

// secretFile returns a path with an encrypted part that holds the secret.
func secretFile(t *testing.T, key *atrest.Key) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "part.flash")
	c, err := Open(path, two, key)
	if err != nil {
		t.Fatal(err)
	}
	c.Region(0, 8).Program(60, []byte(secret[:4]))
	c.Region(0, 8).Program(64, []byte(secret[4:]))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAnEncryptedFileTellsNothing(t *testing.T) {
	var files [2][]byte
	key := atresttest.NewKey()
	for i := range files {
		files[i] = read(t, secretFile(t, key))
		if bytes.Contains(files[i], []byte(secret[4:12])) {
			t.Error("the secret is in the file")
		}
		if n := bytes.Count(files[i][sealedHeader:], bytes.Repeat([]byte{Erased}, 8)); n > 0 {
			t.Errorf("%d places are seen to be erased", n)
		}
	}
	for at := sealedHeader; at < len(files[0]); at += 16 {
		if bytes.Equal(files[0][at:at+16], files[1][at:at+16]) {
			t.Fatalf("two parts with one key have the same bytes at %d", at)
		}
	}
	if !bytes.Contains(read(t, secretFile(t, nil)), []byte(secret)) {
		t.Error("a plain file does not hold the secret: this test sees nothing")
	}
}

// A process that is killed while an operation goes into the file leaves the part as it was
// before or after it: nothing else is spoilt, wherever the writing stopped.
func TestAKilledProcessSpoilsNothingElse(t *testing.T) {
	key := atresttest.NewKey()
	path := secretFile(t, key)
	before := read(t, path)
	c, err := Open(path, two, key)
	if err != nil {
		t.Fatal(err)
	}
	old := slices.Clone(c.mem)
	c.Region(0, 8).Program(300, []byte{1})
	done := slices.Clone(c.mem)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	after := read(t, path)
	// In the order of keep: number and unit in the header, its checksum, the unit's place.
	var writes [][2]int
	for _, area := range [][2]int{{sealedLastAt + 4, sealedLastAt + 8 + atrest.UnitSize}, {sealedLastAt, sealedLastAt + 4}, {sealedHeader + atrest.UnitSize, sealedHeader + 2*atrest.UnitSize}} {
		for at := area[0]; at < area[1]; at++ {
			writes = append(writes, [2]int{at, at + 1})
		}
	}
	file := slices.Clone(before)
	for i, w := range writes {
		copy(file[w[0]:w[1]], after[w[0]:w[1]])
		torn := filepath.Join(t.TempDir(), "torn")
		if err := os.WriteFile(torn, file, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(torn, two, key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(c.mem, old) && !bytes.Equal(c.mem, done) {
			t.Errorf("killed after byte %d of %d: the part is neither as before nor as after", i+1, len(writes))
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(file, after) {
		t.Error("the writes do not make the file: this test tries something else")
	}
}

func TestAPowerCutIsInTheFile(t *testing.T) {
	for name, key := range forms() {
		for _, cut := range []Cut{CutBefore, CutTorn, CutAfter} {
			t.Run(fmt.Sprintf("%s %v", name, cut), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "part.flash")
				c, err := Open(path, two, key)
				if err != nil {
					t.Fatal(err)
				}
				r := c.Region(0, 8)
				for _, operate := range []func(){func() { r.Program(64, []byte("some bytes")) }, func() { r.Erase(0) }} {
					c.CutAt(c.Stats().Operations+1, cut)
					if panics(operate) == nil {
						t.Fatal("no power cut")
					}
					kept, err := opened(read(t, path), key)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(kept, c.mem) {
						t.Error("file and memory differ")
					}
				}
				if err := c.Close(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func TestAFileOfTheOtherFormIsRefusedAndStaysAsItIs(t *testing.T) {
	key, other := atresttest.NewKey(), atresttest.NewKey()
	plain, encrypted := secretFile(t, nil), secretFile(t, key)
	same := func([]byte) ([]byte, error) { return make([]byte, two.Size()), nil }
	for _, tt := range []struct {
		name, path string
		key        *atrest.Key
		want       error
	}{
		{"an encrypted one without a key", encrypted, nil, ErrEncrypted},
		{"an encrypted one with another key", encrypted, other, atrest.ErrWrongKey},
		{"a plain one with a key", plain, key, ErrPlain},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := read(t, tt.path)
			_, err := Open(tt.path, two, tt.key)
			_, converting := Convert(tt.path, tt.key, same)
			for _, err := range []error{err, converting} {
				if !errors.Is(err, tt.want) || strings.Count(err.Error(), tt.path) != 1 || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want one line with the path and: %v", err, tt.want)
				}
			}
			if !bytes.Equal(read(t, tt.path), before) {
				t.Error("the file has changed")
			}
		})
	}
}

func TestAFileIsEncryptedAndDecrypted(t *testing.T) {
	key, other := atresttest.NewKey(), atresttest.NewKey()
	path := secretFile(t, nil)
	before := read(t, path)
	for _, step := range []struct {
		name    string
		do      func(string, *atrest.Key) (bool, error)
		key     *atrest.Key
		changed bool
		want    error
	}{
		{"decrypt a plain one", Decrypt, key, false, nil},
		{"encrypt it", Encrypt, key, true, nil},
		{"encrypt it again", Encrypt, key, false, nil},
		{"encrypt it with another key", Encrypt, other, false, atrest.ErrWrongKey},
		{"decrypt it with another key", Decrypt, other, false, atrest.ErrWrongKey},
		{"decrypt it", Decrypt, key, true, nil},
	} {
		if changed, err := step.do(path, step.key); changed != step.changed || !errors.Is(err, step.want) {
			t.Errorf("%s: changed %v, error %v, want %v, %v", step.name, changed, err, step.changed, step.want)
		}
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("there and back it is another part")
	}
}
