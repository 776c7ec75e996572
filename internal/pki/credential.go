package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/commshub/commshub/internal/secretfile"
)

// Credential is a certificate, its key, and the root that signed it.
type Credential struct {
	Name        string // of its files, without their ending
	Certificate *x509.Certificate
	Key         *ecdsa.PrivateKey
	Root        *x509.Certificate
}

// LoadCredential reads name.pem, name.key and root.pem from dir and demands that
// they belong together.
func LoadCredential(dir, name string) (*Credential, error) {
	if name == "" || filepath.Base(name) != name {
		return nil, fmt.Errorf("load credential: %q is not a file name", name)
	}
	c, err := load(dir, name)
	if err != nil {
		return nil, fmt.Errorf("load credential: %w", err)
	}
	if err := c.Certificate.CheckSignatureFrom(c.Root); err != nil {
		return nil, fmt.Errorf("load credential: %s is not signed by %s", certFile(dir, name), certFile(dir, rootName))
	}
	return c, nil
}

// TLS returns the credential as TLS and DTLS libraries take it: the leaf alone,
// because the peer has the root.
func (c *Credential) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.Certificate.Raw}, PrivateKey: c.Key, Leaf: c.Certificate}
}

// Roots returns the pool with the credential's root.
func (c *Credential) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Root)
	return pool
}

func certFile(dir, name string) string { return filepath.Join(dir, name+".pem") }
func keyFile(dir, name string) string  { return filepath.Join(dir, name+".key") }

// load reads a certificate and its key. The error is fs.ErrNotExist only if the
// certificate file is not there.
func load(dir, name string) (*Credential, error) {
	cert, err := readCertificate(certFile(dir, name))
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyFile(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is there, but not its key %s", certFile(dir, name), keyFile(dir, name))
	}
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to %s", keyFile(dir, name), certFile(dir, name))
	}
	root := cert
	if name != rootName {
		if root, err = readCertificate(certFile(dir, rootName)); err != nil {
			return nil, err
		}
	}
	return &Credential{Name: name, Certificate: cert, Key: key, Root: root}, nil
}

func readCertificate(file string) (*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseCertificate(file, text)
}

// parseCertificate reads the text of a certificate's file.
func parseCertificate(file string, text []byte) (*x509.Certificate, error) {
	der, _, err := findPEM(file, text, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return cert, nil
}

// maxKey is more than the file of any key takes, in bytes.
const maxKey = 64 << 10

// readKey reads a P-256 key in PKCS #8, or in SEC 1 as older tools write it. Nobody else may
// read it.
func readKey(file string) (*ecdsa.PrivateKey, error) {
	text, err := secretfile.ReadKey(file, maxKey)
	if err != nil {
		return nil, err
	}
	der, kind, err := findPEM(file, text, "PRIVATE KEY", "EC PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	var parsed any
	if kind == "EC PRIVATE KEY" {
		parsed, err = x509.ParseECPrivateKey(der)
	} else {
		parsed, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s: not an ECDSA key on P-256", file)
	}
	return key, nil
}

// readPEM returns the first block of one of the given kinds in a file.
func readPEM(file string, kinds ...string) (der []byte, kind string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	return findPEM(file, text, kinds...)
}

// findPEM returns the first block of one of the given kinds in the text of a file.
func findPEM(file string, text []byte, kinds ...string) (der []byte, kind string, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		for _, kind := range kinds {
			if block.Type == kind {
				return block.Bytes, kind, nil
			}
		}
	}
	return nil, "", fmt.Errorf("%s: no PEM block %s", file, strings.Join(kinds, " or "))
}

// loadOrMakeKey returns the key in the name's key file, or writes a new one. The
// key is written before its certificate, so that a crash in between leaves a key
// that the next run uses.
func loadOrMakeKey(dir, name string) (*ecdsa.PrivateKey, error) {
	key, err := readKey(keyFile(dir, name))
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = newKey(); err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", keyFile(dir, name), err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return key, writeFile(dir, keyFile(dir, name), text, 0o600)
}

func writeCertificate(dir, name string, der []byte) error {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return writeFile(dir, certFile(dir, name), text, 0o644)
}

// writeFile replaces a file in one step. The temporary file lies beside it, so
// that the rename stays within one file system.
func writeFile(dir, file string, text []byte, perm os.FileMode) error {
	if err := renameio.WriteFile(file, text, perm, renameio.WithTempDir(dir)); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
