package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/smki"
	"github.com/commshub/commshub/internal/secretfile"
)

// The two uses of a key for GBCS messages, as file names end.
const (
	forSigning   = "-ds"
	forAgreement = "-ka"
)

// Owner says whose keys for GBCS messages they are: an organisation's certificates name it
// otherwise than a device's do.
type Owner string

// The owners, by what the certificates of organisations are called.
const (
	OwnerDevice   Owner = ""
	OwnerSupplier Owner = "SUPPLIER"
	OwnerBroker   Owner = "ACCESS CONTROL BROKER"
)

// MessageKeys returns the keys with which a party protects GBCS messages: those in a folder,
// or new ones if the root's key is there. A folder without a root becomes an authority's.
// Divergence: the supplier signs messages with another key than images, so that the hub's
// machine, where its head end is, cannot sign firmware.
func MessageKeys(dir string, id han.EUI64, owner Owner) (k seal.Keys, err error) {
	if k, err = loadKeys(dir, id); !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if _, missing := os.Stat(keyFile(dir, rootName)); missing != nil && HasRoot(dir) {
		return k, fmt.Errorf("keys for GBCS messages of %s: %w; have this machine provisioned again (commshub provision)", id, err)
	}
	a, err := Init(dir, time.Now())
	if err == nil {
		err = a.IssueMessageKeys(id, owner)
	}
	if err != nil {
		return k, err
	}
	return loadKeys(dir, id)
}

// loadKeys reads both keys of a party and demands that the certificates beside them are
// theirs.
func loadKeys(dir string, id han.EUI64) (k seal.Keys, err error) {
	p, err := MessageParty(dir, id)
	if err != nil {
		return k, err
	}
	if k.DS, err = readKey(keyFile(dir, id.String()+forSigning)); err != nil {
		return k, err
	}
	agreement, err := readKey(keyFile(dir, id.String()+forAgreement))
	if err != nil {
		return k, err
	}
	if k.KA, err = agreement.ECDH(); err != nil {
		return k, err
	}
	if !k.DS.PublicKey.Equal(p.DS) || !k.KA.PublicKey().Equal(p.KA) {
		return k, fmt.Errorf("keys for GBCS messages of %s in %s do not belong to the certificates beside them", id, dir)
	}
	return k, nil
}

// MessageParty returns what others know of a party by its two certificates in a folder,
// which its root must have signed. The error is fs.ErrNotExist if one is not there.
func MessageParty(dir string, id han.EUI64) (seal.Party, error) {
	p := seal.Party{EUI64: id}
	signing, err := readMessageCertificate(dir, id, forSigning)
	if err != nil {
		return p, err
	}
	agreement, err := readMessageCertificate(dir, id, forAgreement)
	if err != nil {
		return p, err
	}
	p.DS = signing.PublicKey
	p.KA, err = agreement.PublicKey.ECDH()
	return p, err
}

func readMessageCertificate(dir string, id han.EUI64, use string) (smki.Certificate, error) {
	root, err := readSMKI(certFile(dir, rootName))
	if err != nil {
		return smki.Certificate{}, err
	}
	file := certFile(dir, id.String()+use)
	c, err := readSMKI(file)
	switch {
	case err != nil:
		return c, err
	case c.EUI64 != id:
		return c, fmt.Errorf("%s names %s, want %s", file, c.EUI64, id)
	case use == forSigning && !c.DigitalSignature, use == forAgreement && !c.KeyAgreement:
		return c, fmt.Errorf("%s is for another use", file)
	}
	if err := c.SignedBy(root); err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

func readSMKI(file string) (smki.Certificate, error) {
	der, _, err := readPEM(file, "CERTIFICATE")
	if err != nil {
		return smki.Certificate{}, err
	}
	c, err := smki.Parse(der)
	if err != nil {
		return c, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// IssueMessageKeys makes what is missing of a party's keys for GBCS messages.
func (a *Authority) IssueMessageKeys(id han.EUI64, owner Owner) error {
	err := withLock(a.dir, func() error {
		for use, usage := range map[string]x509.KeyUsage{forSigning: x509.KeyUsageDigitalSignature, forAgreement: x509.KeyUsageKeyAgreement} {
			if _, err := readMessageCertificate(a.dir, id, use); !errors.Is(err, fs.ErrNotExist) {
				if err != nil {
					return err
				}
				continue
			}
			if err := a.writeMessageCertificate(id, owner, use, usage); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("issue keys for GBCS messages of %s: %w", id, err)
	}
	return nil
}

// writeMessageCertificate makes a certificate as GB's SMKI has them: an organisation is
// named by a BIT STRING in the subject, a device as in package certid.
func (a *Authority) writeMessageCertificate(id han.EUI64, owner Owner, use string, usage x509.KeyUsage) error {
	name := id.String() + use
	key, err := loadOrMakeKey(a.dir, name)
	if err != nil {
		return err
	}
	template, err := a.template(pkix.Name{})
	if err != nil {
		return err
	}
	template.KeyUsage = usage
	template.SubjectKeyId = keyID(&key.PublicKey)
	if owner != OwnerDevice {
		template.Subject.CommonName = string(owner)
		template.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{
			Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: asn1.BitString{Bytes: id.AppendPrint(nil), BitLength: 8 * han.EUI64Size},
		}}
	} else {
		extension, err := certid.Extension(id)
		if err != nil {
			return err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, extension)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root.Certificate, key.Public(), a.root.Key)
	if err != nil {
		return fmt.Errorf("sign %s: %w", certFile(a.dir, name), err)
	}
	return writeCertificate(a.dir, name, der)
}

// keyID is how GB's SMKI names a key, in 8 bytes.
func keyID(key *ecdsa.PublicKey) []byte {
	point, err := key.ECDH()
	if err != nil {
		return nil // CreateCertificate says what is wrong with it
	}
	digest := sha256.Sum256(point.Bytes())
	return digest[:han.EUI64Size]
}

// ExportMessageKeys copies a party's certificates for GBCS messages into another machine's
// folder, and its keys if withKeys.
func (a *Authority) ExportMessageKeys(dir string, id han.EUI64, owner Owner, withKeys bool) error {
	if err := errors.Join(makeFolder(dir), a.IssueMessageKeys(id, owner)); err != nil {
		return err
	}
	for _, use := range []string{forSigning, forAgreement} {
		name := id.String() + use
		files := []string{certFile(dir, name)}
		if withKeys {
			files = append(files, keyFile(dir, name))
		}
		for i, to := range files {
			text, err := os.ReadFile(certFile(a.dir, name))
			mode := fs.FileMode(0o644)
			if i == 1 {
				text, err = secretfile.ReadKey(keyFile(a.dir, name), maxKey)
				mode = 0o600
			}
			if err == nil {
				err = writeFile(dir, to, text, mode)
			}
			if err != nil {
				return fmt.Errorf("export keys for GBCS messages of %s: %w", id, err)
			}
		}
	}
	return nil
}

// describeMessageKey describes a certificate for GBCS messages, if its file's name is one's.
func describeMessageKey(dir, name string) (e Entry, known bool) {
	for use, role := range map[string]Role{forSigning: roleSigning, forAgreement: roleAgreement} {
		owner, found := strings.CutSuffix(name, use)
		id, err := han.ParseEUI64(owner)
		if !found || err != nil || id.String() != owner {
			continue
		}
		c, err := readMessageCertificate(dir, id, use)
		e = Entry{Name: name, Role: role, ID: c.EUI64, NotAfter: c.NotAfter, Err: err}
		_, err = readKey(keyFile(dir, name))
		e.HasKey = err == nil
		if e.Err == nil && err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.Err = err
		}
		return e, true
	}
	return e, false
}
