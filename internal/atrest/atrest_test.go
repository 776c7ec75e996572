package atrest

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
)

func newKey(t *testing.T) *Key {
	t.Helper()
	key, err := ParseKey(NewKeyText(rand.Reader), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestNoTwoFilesAreEncryptedTheSame, with one key: neither a stream, nor units, nor the
// names of values.
func TestNoTwoFilesAreEncryptedTheSame(t *testing.T) {
	key := newKey(t)
	var streams, units, names [][]byte
	for range 2 {
		f := key.New()
		stream, unit := make([]byte, 64), make([]byte, UnitSize)
		f.Stream().XOR(stream, 0)
		f.Sectors().Encrypt(unit, unit, 0)
		streams, units = append(streams, stream), append(units, unit)
		names = append(names, f.Values().Name("table", []byte("key")))
	}
	for what, pair := range map[string][][]byte{"streams": streams, "units": units, "names": names} {
		if bytes.Equal(pair[0], pair[1]) {
			t.Errorf("the %s of two files are the same", what)
		}
	}
}

// TestAProofInClearIsNoKey: nor is the key for one purpose that for another.
func TestAProofInClearIsNoKey(t *testing.T) {
	f := newKey(t).New()
	seen := map[string]string{string(f.proof()): "proof"}
	for _, purpose := range []string{"stream", "sectors", "values", "names"} {
		begins := string(f.derive(purpose, keySize)[:ProofSize])
		if other, ok := seen[begins]; ok {
			t.Errorf("the keys for %s and %s begin the same", purpose, other)
		}
		seen[begins] = purpose
	}
}

// TestNoTwoUnitsAreEncryptedTheSame, nor the same unit with another number.
func TestNoTwoUnitsAreEncryptedTheSame(t *testing.T) {
	s := newKey(t).New().Sectors()
	plain := make([]byte, 4*UnitSize)
	sealed := make([]byte, len(plain))
	s.Encrypt(sealed, plain, 0)
	seen := map[string]int{}
	for at := 0; at < len(sealed); at += 16 {
		if before, ok := seen[string(sealed[at:at+16])]; ok {
			t.Fatalf("bytes %d and %d are encrypted the same", before, at)
		}
		seen[string(sealed[at:at+16])] = at
	}
	alone, third := make([]byte, UnitSize), sealed[2*UnitSize:3*UnitSize]
	s.Encrypt(alone, plain[:UnitSize], 2)
	if !bytes.Equal(alone, third) {
		t.Error("a unit alone is encrypted otherwise than among others")
	}
	if s.Decrypt(alone, third, 2); !bytes.Equal(alone, plain[:UnitSize]) {
		t.Error("it does not decrypt to what was encrypted")
	}
}

// TestAStreamIsReadFromAnywhere.
func TestAStreamIsReadFromAnywhere(t *testing.T) {
	s := newKey(t).New().Stream()
	whole := make([]byte, 20_000)
	s.XOR(whole, 0)
	for _, span := range [][2]int{{0, 1}, {1, 17}, {15, 16}, {16, 40}, {4095, 4100}, {255 * 16, 257*16 + 3}, {19_999, 20_000}} {
		part := make([]byte, span[1]-span[0])
		if s.XOR(part, int64(span[0])); !bytes.Equal(part, whole[span[0]:span[1]]) {
			t.Errorf("from byte %d to %d it is another stream", span[0], span[1])
		}
	}
	if bytes.Equal(whole[:16], whole[16:32]) {
		t.Error("the stream repeats")
	}
}

// TestAValueIsWhatWasEncryptedForItsName, and nothing else: no other bytes, not another
// name's. The same value is never encrypted twice the same.
func TestAValueIsWhatWasEncryptedForItsName(t *testing.T) {
	v := newKey(t).New().Values()
	name, plain := v.Name("table", []byte("key")), []byte("a reading of 0123456789 Wh")
	sealed := v.Seal(name, plain)
	if got, err := v.Open(name, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%q, %v", got, err)
	}
	again := v.Seal(name, plain)
	if nonce := v.aead.NonceSize(); bytes.Equal(again[:nonce], sealed[:nonce]) || bytes.Equal(again[nonce:], sealed[nonce:]) {
		t.Error("the same value is encrypted twice the same")
	}
	for at := range sealed {
		spoilt := bytes.Clone(sealed)
		spoilt[at] ^= 1
		for _, other := range [][]byte{spoilt, sealed[:at]} {
			if got, err := v.Open(name, other); err == nil {
				t.Fatalf("with byte %d spoilt, or cut there, it is %q", at, got)
			}
		}
	}
	for what, other := range map[string][]byte{
		"another key": v.Name("table", []byte("kez")), "another table": v.Name("tablf", []byte("key")),
		"the same letters in another table": v.Name("tablek", []byte("ey")),
	} {
		if got, err := v.Open(other, sealed); err == nil {
			t.Errorf("under %s it is %q", what, got)
		}
	}
}

// TestAFileIsOpenedWithItsKeyAlone.
func TestAFileIsOpenedWithItsKeyAlone(t *testing.T) {
	key, other := newKey(t), newKey(t)
	f := key.New()
	header := f.Header(nil)
	if len(header) != HeaderSize {
		t.Fatalf("a header of %d bytes", len(header))
	}
	same, err := key.OfHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	sealed := f.Values().Seal(nil, []byte("value"))
	if got, err := same.Values().Open(nil, sealed); err != nil || string(got) != "value" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := other.OfHeader(header); !errors.Is(err, ErrWrongKey) {
		t.Errorf("with another key: %v", err)
	}
	for at := range header {
		spoilt := bytes.Clone(header)
		spoilt[at] ^= 1
		if _, err := key.OfHeader(spoilt); !errors.Is(err, ErrWrongKey) {
			t.Errorf("byte %d of the header spoilt: %v", at, err)
		}
		if _, err := key.OfHeader(header[:at]); err == nil {
			t.Errorf("a header of %d bytes is taken", at)
		}
	}
}

func TestATextThatIsNoKeyIsRefused(t *testing.T) {
	for _, text := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 65), strings.Repeat("g", 64), strings.Repeat("0", 66)} {
		if key, err := ParseKey(text, rand.Reader); key != nil || err == nil {
			t.Errorf("%q: %v, %v", text, key, err)
		}
	}
}
