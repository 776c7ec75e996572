package pki

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCertificatesOfAFolderAreItsPEMFiles, and a file is itself.
func TestCertificatesOfAFolderAreItsPEMFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"north.pem", "south.pem", "north.key", ".gitignore", ".hidden.pem"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	north, south := filepath.Join(dir, "north.pem"), filepath.Join(dir, "south.pem")
	for path, want := range map[string][]string{dir: {north, south}, south: {south}} {
		got, err := CertificateFiles(path)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v %s", path, err, d)
		}
	}
	if _, err := CertificateFiles(filepath.Join(dir, "east.pem")); err == nil {
		t.Error("a file that is not there")
	}
}

// TestTheKeyOfACertificateIsRead whoever signed it; what is none is named.
func TestTheKeyOfACertificateIsRead(t *testing.T) {
	dir := t.TempDir()
	a, err := Init(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	supplier, err := a.Issue(0, RoleSupplier)
	if err != nil {
		t.Fatal(err)
	}
	key, err := CertificateKey("supplier.pem", must[[]byte](t)(os.ReadFile(filepath.Join(dir, "supplier.pem"))))
	if err != nil || !key.Equal(&supplier.Key.PublicKey) {
		t.Errorf("%v %v", key, err)
	}
	if _, err := CertificateKey("supplier.key", must[[]byte](t)(os.ReadFile(filepath.Join(dir, "supplier.key")))); err == nil || !strings.Contains(err.Error(), "supplier.key: no PEM block CERTIFICATE") {
		t.Errorf("a key for a certificate: %v", err)
	}
}
