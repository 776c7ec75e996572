package pki

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
)

const gasMeter han.EUI64 = 0x00DB1234567890A1

var now = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

// childDir tells a test process that it is one of several that work in a folder.
const childDir = "COMMSHUB_TEST_PKI_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(runChild(dir))
	}
	os.Exit(m.Run())
}

// runChild prints the fingerprint of the gas meter's certificate and key.
func runChild(dir string) int {
	a, err := Init(dir, now)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	c, err := a.Issue(gasMeter, RoleDevice)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(fingerprint(c))
	return 0
}

func fingerprint(c *Credential) string {
	return fmt.Sprintf("%x", sha256.Sum256(append(bytes.Clone(c.Root.Raw), c.Certificate.Raw...)))
}

func mustInit(t *testing.T, dir string) *Authority {
	t.Helper()
	a, err := Init(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustIssue(t *testing.T, a *Authority, id han.EUI64, role Role, names ...string) *Credential {
	t.Helper()
	c, err := a.Issue(id, role, names...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDeviceCertificateNamesItsDeviceAndVerifiesBothWays(t *testing.T) {
	a := mustInit(t, filepath.Join(t.TempDir(), "pki"))
	c := mustIssue(t, a, gasMeter, RoleDevice)
	if got, err := certid.FromCertificate(c.Certificate); err != nil || got != gasMeter {
		t.Errorf("certificate names %v, %v; want %v", got, err, gasMeter)
	}
	if got := c.Certificate.Subject.CommonName; got != "00DB1234567890A1" {
		t.Errorf("common name %q", got)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		_, err := c.Certificate.Verify(x509.VerifyOptions{
			Roots: a.Roots(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage},
		})
		if err != nil {
			t.Errorf("usage %d: %v", usage, err)
		}
	}
}

func TestSignerCertificateIsNoTLSCertificate(t *testing.T) {
	a := mustInit(t, t.TempDir())
	for _, c := range []*Credential{
		mustIssue(t, a, SupplierID, RoleSupplier),
		mustIssue(t, a, 0, RoleManufacturer),
	} {
		_, err := c.Certificate.Verify(x509.VerifyOptions{
			Roots: a.Roots(), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if err == nil {
			t.Errorf("%s's certificate passes as a TLS client's", c.Name)
		}
	}
}

func TestIssueIsIdempotent(t *testing.T) {
	dir := t.TempDir()
	first := mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice)
	again := mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice)
	if fingerprint(first) != fingerprint(again) {
		t.Error("a second Init and Issue made other certificates")
	}
	loaded, err := LoadCredential(dir, gasMeter.String())
	if err != nil {
		t.Fatal(err)
	}
	if fingerprint(loaded) != fingerprint(first) || !loaded.Key.Equal(first.Key) {
		t.Error("LoadCredential read another credential")
	}
}

func TestBrokerCertificateCoversItsNames(t *testing.T) {
	a := mustInit(t, t.TempDir())
	first := mustIssue(t, a, 0, RoleBroker, "localhost", "127.0.0.1")
	if again := mustIssue(t, a, 0, RoleBroker, "localhost"); fingerprint(again) != fingerprint(first) {
		t.Error("a name already covered made a new certificate")
	}
	wider := mustIssue(t, a, 0, RoleBroker, "broker.example", "::1")
	for _, name := range []string{"localhost", "127.0.0.1", "broker.example", "::1"} {
		if err := wider.Certificate.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if !wider.Key.Equal(first.Key) {
		t.Error("a new name changed the key")
	}
}

func TestExpiredCertificateIsReplacedUnderTheSameKey(t *testing.T) {
	dir := t.TempDir()
	first := mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice)
	later, err := Init(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	later.now = now.Add(validity)
	again := mustIssue(t, later, gasMeter, RoleDevice)
	if again.Certificate.Equal(first.Certificate) || !again.Key.Equal(first.Key) {
		t.Error("want a new certificate for the old key")
	}
}

func TestFilePermissions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice)
	want := map[string]os.FileMode{
		".":                        0o700,
		"root.key":                 0o600,
		gasMeter.String() + ".key": 0o600,
	}
	for name, mode := range want {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != mode {
			t.Errorf("%s has mode %o, want %o", name, got, mode)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".[^l]*"))
	if err != nil || len(left) > 0 {
		t.Errorf("temporary files left: %v, %v", left, err)
	}
}

func TestMissingPartsAreMadeAgain(t *testing.T) {
	dir := t.TempDir()
	first := mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice)
	remove(t, dir, "root.pem")
	if again := mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice); !again.Certificate.Equal(first.Certificate) {
		t.Error("a lost root.pem invalidated what its key had signed")
	}
	remove(t, dir, gasMeter.String()+".pem")
	if again := mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice); !again.Key.Equal(first.Key) {
		t.Error("a lost certificate changed the key")
	}
}

func TestBrokenFilesAreNamedAndKept(t *testing.T) {
	garbage := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte("not PEM"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	tests := []struct {
		name, want string
		damage     func(t *testing.T, dir string)
	}{
		{"garbage in a certificate", "00DB1234567890A1.pem: no PEM block", garbage("00DB1234567890A1.pem")},
		{"garbage in a key", "00DB1234567890A1.key: no PEM block", garbage("00DB1234567890A1.key")},
		{"a key without its certificate's", "but not its key", func(t *testing.T, dir string) { remove(t, dir, "00DB1234567890A1.key") }},
		{"garbage in the root", "root.pem: no PEM block", garbage("root.pem")},
		{"another root", "is not signed by", func(t *testing.T, dir string) {
			remove(t, dir, "root.pem")
			remove(t, dir, "root.key")
		}},
		{"another device's files", "names 00DB1234567890A4, want 00DB1234567890A1", func(t *testing.T, dir string) {
			mustIssue(t, mustInit(t, dir), 0x00DB1234567890A4, RoleDevice)
			for _, ending := range []string{".pem", ".key"} {
				if err := os.Rename(filepath.Join(dir, "00DB1234567890A4"+ending), filepath.Join(dir, "00DB1234567890A1"+ending)); err != nil {
					t.Fatal(err)
				}
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			mustIssue(t, mustInit(t, dir), gasMeter, RoleDevice)
			tt.damage(t, dir)
			err := initAndIssue(dir)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want one line with %q", err, tt.want)
			}
			if again := initAndIssue(dir); fmt.Sprint(again) != fmt.Sprint(err) {
				t.Errorf("a second try says %v", again)
			}
		})
	}
}

func initAndIssue(dir string) error {
	a, err := Init(dir, now)
	if err != nil {
		return err
	}
	_, err = a.Issue(gasMeter, RoleDevice)
	return err
}

func TestIssueRefuses(t *testing.T) {
	a := mustInit(t, t.TempDir())
	tests := []struct {
		name  string
		id    han.EUI64
		role  Role
		hosts []string
	}{
		{"a device without an identifier", 0, RoleDevice, nil},
		{"a broker without a name", 0, RoleBroker, nil},
		{"a device with a host name", gasMeter, RoleDevice, []string{"localhost"}},
		{"a second root", gasMeter, roleRoot, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := a.Issue(tt.id, tt.role, tt.hosts...); err == nil {
				t.Error("issued")
			}
		})
	}
}

func TestLoadWithoutFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadCredential(dir, "broker"); err == nil || !strings.Contains(err.Error(), "broker.pem") {
		t.Errorf("LoadCredential: %v", err)
	}
	if _, err := LoadCredential(dir, "../broker"); err == nil {
		t.Error("LoadCredential left its folder")
	}
}

func TestList(t *testing.T) {
	dir := t.TempDir()
	a := mustInit(t, dir)
	mustIssue(t, a, gasMeter, RoleDevice)
	mustIssue(t, a, SupplierID, RoleSupplier)
	mustIssue(t, a, 0, RoleBroker, "localhost")
	remove(t, dir, "supplier.key")
	if err := os.WriteFile(filepath.Join(dir, "manufacturer.pem"), []byte("?"), 0o644); err != nil {
		t.Fatal(err)
	}
	entries, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, fmt.Sprintf("%s %s id=%s hosts=%v key=%v broken=%v", e.Name, e.Role, e.ID, e.Hosts, e.HasKey, e.Err != nil))
	}
	want := []string{
		"00DB1234567890A1 device id=00DB1234567890A1 hosts=[] key=true broken=false",
		"broker broker id=0000000000000000 hosts=[localhost] key=true broken=false",
		"manufacturer manufacturer id=0000000000000000 hosts=[] key=false broken=true",
		"root root id=0000000000000000 hosts=[] key=true broken=false",
		"supplier supplier id=90B3D51F30010000 hosts=[] key=false broken=false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGoroutinesThatInitAtOnceAgree(t *testing.T) {
	dir := t.TempDir()
	prints := make([]string, 8)
	var wg sync.WaitGroup
	for i := range prints {
		wg.Go(func() {
			a, err := Init(dir, now)
			if err != nil {
				t.Error(err)
				return
			}
			c, err := a.Issue(gasMeter, RoleDevice)
			if err != nil {
				t.Error(err)
				return
			}
			prints[i] = fingerprint(c)
		})
	}
	wg.Wait()
	for _, p := range prints {
		if p != prints[0] {
			t.Fatalf("different certificates: %v", prints)
		}
	}
}

func TestProcessesThatInitAtOnceAgree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	outputs := make([]string, 4)
	var wg sync.WaitGroup
	for i := range outputs {
		wg.Go(func() {
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childDir+"="+dir)
			out, err := child.CombinedOutput()
			if err != nil {
				t.Errorf("child %d: %v: %s", i, err, out)
			}
			outputs[i] = string(out)
		})
	}
	wg.Wait()
	for _, out := range outputs {
		if out != outputs[0] || len(out) != 2*sha256.Size+1 {
			t.Fatalf("different certificates: %q", outputs)
		}
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// Keys that others could read, or whose folder they may use, are refused by whoever needs
// them; a folder for new ones becomes the owner's alone.
func TestKeysAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(dir, time.Now()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "root.key"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %04o", path, info.Mode(), err, want)
		}
	}
	for path, mode := range map[string]os.FileMode{dir: 0o750, filepath.Join(dir, "root.key"): 0o640} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Init(dir, time.Now()); err == nil || !strings.Contains(err.Error(), "run chmod") {
			t.Errorf("%s with mode %04o: %v, want it refused with the command that mends it", path, mode, err)
		}
		if err := os.Chmod(path, mode&0o700); err != nil {
			t.Fatal(err)
		}
	}
}
