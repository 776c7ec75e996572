package live

import (
	"path/filepath"

	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/internal/pki"
)

// Authority returns which images a hub takes: its own supplier's, whose certificate is
// in the folder pkiDir; those of the suppliers whose certificates are known, each a file
// or a folder of files; or any.
func Authority(pkiDir string, known []string, allowForeign bool) (headend.Config, error) {
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
			key, err := pki.CertificateKey(file)
			if err != nil {
				return c, err
			}
			c.Known = append(c.Known, headend.KnownSupplier{Name: filepath.Base(file), Key: key})
		}
	}
	return c, nil
}
