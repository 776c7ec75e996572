// Package pki keeps test certificates in a folder: one root, and under it a
// device's, the broker's and the two signers' keys.
//
//	root.pem      root.key           the root everything else is signed by
//	<EUI64>.pem   <EUI64>.key        a device; the hub is one too
//	broker.pem    broker.key         the MQTT broker's server certificate
//	supplier.pem  supplier.key       signs GBCS commands and OTA files
//	manufacturer.pem  manufacturer.key   signs manufacturer images
//	home                             the number of the home, from which its identities follow
//
// All keys are ECDSA on P-256, the curve of GB's SMKI. A device certificate
// names its device twice: as hardwareModuleName (package certid), which DTLS and
// the embedded broker read, and as common name, so that any other broker can use
// the identity as user name.
//
// Init and Issue are idempotent: what is there and fits is returned, what is
// missing is made, and what is there but broken is an error that names the file,
// never overwritten. A lock file makes this hold between processes too, and a
// file appears under its name only when it is complete.
//
// These certificates are for laboratories: the root's key lies beside them.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// SupplierID is the energy supplier's identifier in the published GBCS test set.
const SupplierID = 0x90B3D51F30010000

const (
	rootName = "root"
	// validity is counted from an hour before now, so that a machine whose clock
	// is a little behind does not refuse a fresh certificate.
	validity  = 10 * 365 * 24 * time.Hour
	clockSkew = time.Hour
)

// Authority issues certificates into its folder.
type Authority struct {
	dir  string
	now  time.Time
	root *Credential
}

// Init opens the authority in dir and makes the folder and the root if they are
// missing. Certificates are issued as of now.
func Init(dir string, now time.Time) (*Authority, error) {
	if err := makeFolder(dir); err != nil {
		return nil, fmt.Errorf("init pki: %w", err)
	}
	a := &Authority{dir: dir, now: now}
	err := withLock(dir, func() error {
		root, err := load(dir, rootName)
		if errors.Is(err, fs.ErrNotExist) {
			if err := drawHome(dir); err != nil {
				return err
			}
			root, err = a.makeRoot()
		}
		a.root = root
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("init pki: %w", err)
	}
	return a, a.checkRoot()
}

// makeFolder makes a folder for keys. One that is there and has none yet becomes the
// owner's alone; one that has keys is left to whoever reads them, who refuses it.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil || slices.ContainsFunc(files, func(f fs.DirEntry) bool { return filepath.Ext(f.Name()) == ".key" }) {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// Roots returns the pool that certificates of this authority verify against.
func (a *Authority) Roots() *x509.CertPool { return a.root.Roots() }

func (a *Authority) checkRoot() error {
	if !a.root.Certificate.IsCA {
		return fmt.Errorf("init pki: %s is not a certificate authority", certFile(a.dir, rootName))
	}
	if a.now.After(a.root.Certificate.NotAfter) {
		return fmt.Errorf("init pki: %s expired on %s", certFile(a.dir, rootName), a.root.Certificate.NotAfter.Format(time.DateOnly))
	}
	return nil
}

// makeRoot writes a root for the key in root.key, or for a new key.
func (a *Authority) makeRoot() (*Credential, error) {
	key, err := loadOrMakeKey(a.dir, rootName)
	if err != nil {
		return nil, err
	}
	template, err := a.template(pkix.Name{CommonName: "commshub test root"})
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", certFile(a.dir, rootName), err)
	}
	if err := writeCertificate(a.dir, rootName, der); err != nil {
		return nil, err
	}
	return load(a.dir, rootName)
}

// template returns what all certificates have in common.
func (a *Authority) template(subject pkix.Name) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make serial number: %w", err)
	}
	from := a.now.Add(-clockSkew)
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      subject,
		NotBefore:    from,
		NotAfter:     from.Add(validity),
	}, nil
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}
