package pki

import (
	"crypto/ecdsa"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/commshub/commshub/han"
)

// Device returns a device's credential: the one in a folder, or a new one if the
// root's key is there. A folder without a root becomes an authority's.
func Device(dir string, id han.EUI64) (*Credential, error) {
	if c, err := LoadCredential(dir, id.String()); err == nil {
		return c, nil
	}
	return issue(dir, id, RoleDevice)
}

// Server returns the broker's credential for the names of its machine. A folder without
// the root's key is a machine's, and has it or not; any other is an authority's.
func Server(dir string, hosts ...string) (*Credential, error) {
	if _, err := os.Stat(keyFile(dir, rootName)); errors.Is(err, fs.ErrNotExist) {
		if c, err := LoadCredential(dir, RoleBroker.String()); err == nil {
			return c, nil
		}
	}
	a, err := Init(dir, time.Now())
	if err != nil {
		return nil, err
	}
	return a.Issue(0, RoleBroker, hosts...)
}

// Signer returns the supplier's or the manufacturer's credential, as Device does.
func Signer(dir string, role Role) (*Credential, error) {
	if c, err := LoadCredential(dir, role.String()); err == nil {
		return c, nil
	}
	return issue(dir, 0, role)
}

// Signers returns the credentials of those who sign firmware.
func Signers(dir string) (manufacturer, supplier *Credential, err error) {
	if manufacturer, err = Signer(dir, RoleManufacturer); err != nil {
		return nil, nil, err
	}
	supplier, err = Signer(dir, RoleSupplier)
	return manufacturer, supplier, err
}

// SignerKey returns the key that checks what a signer signed. Its certificate is
// enough; without it, the signer is made as Signer does.
func SignerKey(dir string, role Role) (*ecdsa.PublicKey, error) {
	cert, err := LoadCertificate(dir, role.String())
	if errors.Is(err, fs.ErrNotExist) {
		c, err := Signer(dir, role)
		if err != nil {
			return nil, err
		}
		return &c.Key.PublicKey, nil
	}
	if err != nil {
		return nil, err
	}
	return keyOf(cert, certFile(dir, role.String()))
}

func issue(dir string, id han.EUI64, role Role) (*Credential, error) {
	a, err := Init(dir, time.Now())
	if err != nil {
		return nil, err
	}
	return a.Issue(id, role)
}
