package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CertificateKey returns the key in the text of a certificate's file, whoever signed the
// certificate.
func CertificateKey(file string, text []byte) (*ecdsa.PublicKey, error) {
	cert, err := parseCertificate(file, text)
	if err != nil {
		return nil, err
	}
	return keyOf(cert, file)
}

// keyOf demands that a certificate's key is one that signers have.
func keyOf(cert *x509.Certificate, file string) (*ecdsa.PublicKey, error) {
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s: want a certificate with an ECDSA key on P-256", file)
	}
	return key, nil
}

// CertificateFiles returns the certificates of a folder, whose names end in .pem and not
// begin with a dot, or the one file that path names.
func CertificateFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".pem") && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}

// ParsePrivateKey returns the first ECDSA key on P-256 in a PEM text, in PKCS #8 or SEC 1.
func ParsePrivateKey(text []byte) (*ecdsa.PrivateKey, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var parsed any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue // OpenSSL writes the curve in front
		}
		if key, ok := parsed.(*ecdsa.PrivateKey); err == nil && ok && key.Curve == elliptic.P256() {
			return key, nil
		}
	}
	return nil, errors.New("no ECDSA P-256 private key in it")
}
