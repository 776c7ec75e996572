package rawsig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"
)

func TestSignAndVerify(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("a manufacturer image")
	raw, err := Sign(key, data)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := Sign(key, data); !bytes.Equal(raw, again) {
		t.Error("signing the same twice gave two signatures")
	}
	if err := Verify(&key.PublicKey, data, raw); err != nil {
		t.Errorf("own signature: %v", err)
	}
	if err := Verify(&key.PublicKey, append(data, 0), raw); err == nil {
		t.Error("other data was accepted")
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if Verify(&key.PublicKey, data, bad) == nil {
			t.Fatalf("signature with byte %d changed was accepted", i)
		}
	}
	for _, n := range []int{0, 63, 65} {
		if Verify(&key.PublicKey, data, make([]byte, n)) == nil {
			t.Errorf("signature of %d bytes was accepted", n)
		}
	}
	if Verify(&key.PublicKey, data, make([]byte, Size)) == nil {
		t.Error("the all-zero signature was accepted")
	}
}

func TestSignRefusesOtherCurves(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(key, nil); err == nil {
		t.Error("a P-384 key was accepted")
	}
}
