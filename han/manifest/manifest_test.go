package manifest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

var sample = Manifest{Sequence: 7, Vendor: 0x109A, Class: 1, Model: "sample", HardwareMin: 1, HardwareMax: 3, Version: 0x02000000}

func TestBuiltImagesVerify(t *testing.T) {
	key, payload := newKey(t), []byte("the payload")
	image, err := Build(sample, payload, key)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Verify(image, &key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample, got, cmpopts.IgnoreFields(Manifest{}, "Structure", "PayloadSize", "PayloadDigest")); diff != "" {
		t.Errorf("manifest (-want +got):\n%s", diff)
	}
	_, rest, err := Split(image)
	if err != nil || !bytes.Equal(rest, payload) {
		t.Errorf("payload %q, %v", rest, err)
	}
}

func TestNoByteCanBeChanged(t *testing.T) {
	key := newKey(t)
	image, err := Build(sample, []byte("the payload"), key)
	if err != nil {
		t.Fatal(err)
	}
	for i := range image {
		for _, bit := range []byte{1, 0x80} {
			bad := bytes.Clone(image)
			bad[i] ^= bit
			if m, err := Verify(bad, &key.PublicKey); err == nil {
				t.Errorf("byte %d of %d changed and still accepted: %+v", i, len(image), m)
			} else if strings.ContainsRune(err.Error(), '\n') {
				t.Errorf("error of several lines: %q", err)
			}
		}
	}
	for n := range image {
		if _, err := Verify(image[:n], &key.PublicKey); err == nil {
			t.Errorf("the first %d of %d bytes were accepted", n, len(image))
		}
	}
	if _, err := Verify(append(bytes.Clone(image), 0), &key.PublicKey); err == nil {
		t.Error("a byte appended was accepted")
	}
}

func TestOtherManufacturersAreRefused(t *testing.T) {
	image, err := Build(sample, []byte("x"), newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Verify(image, &newKey(t).PublicKey)
	if err == nil || !strings.Contains(err.Error(), "signature does not match") {
		t.Errorf("got %v", err)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, m := range map[string]Manifest{
		"a long model":           {Model: strings.Repeat("x", maxModel+1)},
		"hardware the wrong way": {HardwareMin: 2, HardwareMax: 1},
	} {
		if _, err := Build(m, nil, newKey(t)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func FuzzSplit(f *testing.F) {
	image, err := Build(sample, []byte("payload"), newKey(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(image)
	f.Add(image[:40])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, image []byte) {
		m, payload, err := Split(image)
		if err == nil && (len(m.Model) > maxModel || len(payload) > len(image)) {
			t.Errorf("took %+v with a payload of %d bytes", m, len(payload))
		}
	})
}
