package live

import (
	"context"
	"crypto/ecdsa"
	"path/filepath"

	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/internal/inputfile"
	"github.com/commshub/commshub/internal/pki"
)

// maxCertificate is how many bytes the file of a certificate may have.
const maxCertificate = 1 << 20

// Authority returns which images a hub takes: its own supplier's, whose certificate is
// in the folder pkiDir; those of the suppliers whose certificates are known, each a file
// or a folder of files that are read until the context ends; or any.
func Authority(ctx context.Context, pkiDir string, known []string, allowForeign bool) (headend.Config, error) {
	c := headend.Config{AllowForeign: allowForeign}
	var err error
	if c.Key, err = pki.SignerKey(pkiDir, pki.RoleSupplier); err != nil {
		return c, err
	}
	for _, path := range known {
		files, err := pki.CertificateFiles(path)
		if err != nil {
			return c, err
		}
		for _, file := range files {
			key, err := CertificateKey(ctx, file)
			if err != nil {
				return c, err
			}
			c.Known = append(c.Known, headend.KnownSupplier{Name: filepath.Base(file), Key: key})
		}
	}
	return c, nil
}

// CertificateKey returns the key in a certificate's file, whoever signed the certificate.
// Reading ends with the context.
func CertificateKey(ctx context.Context, file string) (*ecdsa.PublicKey, error) {
	text, err := inputfile.Read(ctx, file, maxCertificate)
	if err != nil {
		return nil, err
	}
	return pki.CertificateKey(file, text)
}
