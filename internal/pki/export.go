package pki

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"path/filepath"
)

// Export copies the credential into another machine's folder, made if missing:
// root.pem, its certificate and, if withKey, its key. What is there is replaced.
func (c *Credential) Export(dir string, withKey bool) error {
	if err := makeFolder(dir); err != nil {
		return fmt.Errorf("export %s: %w", c.Name, err)
	}
	if withKey {
		der, err := x509.MarshalPKCS8PrivateKey(c.Key)
		if err != nil {
			return fmt.Errorf("export %s: %w", c.Name, err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := writeFile(dir, keyFile(dir, c.Name), text, 0o600); err != nil {
			return fmt.Errorf("export %s: %w", c.Name, err)
		}
	}
	if err := writeCertificate(dir, c.Name, c.Certificate.Raw); err != nil {
		return fmt.Errorf("export %s: %w", c.Name, err)
	}
	if err := writeCertificate(dir, rootName, c.Root.Raw); err != nil {
		return fmt.Errorf("export %s: %w", c.Name, err)
	}
	return nil
}

// LoadCertificate reads name.pem and root.pem from dir, for one who needs to check
// what another signed, and demands that they belong together.
func LoadCertificate(dir, name string) (*x509.Certificate, error) {
	if name == "" || filepath.Base(name) != name {
		return nil, fmt.Errorf("load certificate: %q is not a file name", name)
	}
	cert, err := readCertificate(certFile(dir, name))
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	root, err := readCertificate(certFile(dir, rootName))
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	if err := cert.CheckSignatureFrom(root); err != nil {
		return nil, fmt.Errorf("load certificate: %s is not signed by %s", certFile(dir, name), certFile(dir, rootName))
	}
	return cert, nil
}

// LoadRoots returns the pool with root.pem of dir, for one who has no certificate and
// checks those of others.
func LoadRoots(dir string) (*x509.CertPool, error) {
	root, err := readCertificate(certFile(dir, rootName))
	if err != nil {
		return nil, fmt.Errorf("load root: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool, nil
}
