package pki_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/pki"
)

const device han.EUI64 = 0x00DB1234567890A1

func TestAnExportedCredentialIsAllThatAMachineGets(t *testing.T) {
	a, err := pki.Init(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	meter, err := a.Issue(device, pki.RoleDevice)
	if err != nil {
		t.Fatal(err)
	}
	supplier, err := a.Issue(0, pki.RoleSupplier)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "meter")
	for range 2 { // a second time changes nothing
		if err := meter.Export(dir, true); err != nil {
			t.Fatal(err)
		}
		if err := supplier.Export(dir, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pki.LoadCredential(dir, device.String()); err != nil {
		t.Error(err)
	}
	cert, err := pki.LoadCertificate(dir, "supplier")
	if err != nil || !cert.Equal(supplier.Certificate) {
		t.Errorf("supplier's certificate: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 4 { // root.pem, the meter's two, supplier.pem
		t.Errorf("the machine got %v", files)
	}
	info, err := os.Stat(filepath.Join(dir, device.String()+".key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v %v", info.Mode(), err)
	}
}

func TestKeysThatOthersMayReadAreNotExported(t *testing.T) {
	from := t.TempDir()
	a, err := pki.Init(from, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.IssueMessageKeys(device, pki.OwnerDevice); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(from, device.String()+"-ka.key")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "meter")
	if err := a.ExportMessageKeys(to, device, pki.OwnerDevice, true); err == nil || !strings.Contains(err.Error(), "run chmod 600 "+key) {
		t.Errorf("%v, want …run chmod 600 %s", err, key)
	}
	if err := a.ExportMessageKeys(to, device, pki.OwnerDevice, false); err != nil {
		t.Errorf("without keys: %v", err)
	}
}

func TestACertificateOfAnotherRootIsNotLoaded(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		a, err := pki.Init(d, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Issue(0, pki.RoleSupplier); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(other, "supplier.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "supplier.pem"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.LoadCertificate(dir, "supplier"); err == nil {
		t.Error("a certificate that another root signed was taken")
	}
}
