package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
)

// Issue returns the credential for id and role, and makes it if it is missing.
// The identifier of a broker is not used. names are the DNS names and IP
// addresses of a broker; a certificate that lacks one of them, or that has
// expired, is replaced under the same key.
func (a *Authority) Issue(id han.EUI64, role Role, names ...string) (*Credential, error) {
	if role == RoleBroker {
		id = 0
		if len(names) == 0 {
			return nil, errors.New("issue broker certificate: no host name or address given")
		}
	} else if len(names) > 0 {
		return nil, fmt.Errorf("issue %s certificate: only a broker has host names", role)
	}
	if role == RoleDevice && id == 0 {
		return nil, errors.New("issue device certificate: the identifier is zero")
	}
	var credential *Credential
	err := withLock(a.dir, func() (err error) {
		credential, err = a.issue(id, role, names)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("issue %s certificate: %w", role, err)
	}
	return credential, nil
}

// issue is Issue under the lock.
func (a *Authority) issue(id han.EUI64, role Role, names []string) (*Credential, error) {
	name := role.fileName(id)
	have, err := load(a.dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := a.checkOwn(have, id, role); err != nil {
			return nil, err
		}
		if a.fits(have.Certificate, names) {
			return have, nil
		}
		names = union(names, hostNames(have.Certificate))
	}
	return a.write(name, id, role, names)
}

// checkOwn demands that a certificate found in the folder is this authority's
// and names who its file name says.
func (a *Authority) checkOwn(have *Credential, id han.EUI64, role Role) error {
	file := certFile(a.dir, have.Name)
	if err := have.Certificate.CheckSignatureFrom(a.root.Certificate); err != nil {
		return fmt.Errorf("%s is not signed by %s: remove it to issue a new one", file, certFile(a.dir, rootName))
	}
	if role == RoleBroker || id == 0 {
		return nil
	}
	got, err := certid.FromCertificate(have.Certificate)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if got != id {
		return fmt.Errorf("%s names %s, want %s: remove it to issue a new one", file, got, id)
	}
	return nil
}

// fits reports whether cert is valid now and has all of names.
func (a *Authority) fits(cert *x509.Certificate, names []string) bool {
	if a.now.Before(cert.NotBefore) || a.now.After(cert.NotAfter) {
		return false
	}
	for _, name := range names {
		if cert.VerifyHostname(name) != nil {
			return false
		}
	}
	return true
}

// write makes a certificate for the key in the name's key file, or for a new key.
func (a *Authority) write(name string, id han.EUI64, role Role, names []string) (*Credential, error) {
	key, err := loadOrMakeKey(a.dir, name)
	if err != nil {
		return nil, err
	}
	subject := pkix.Name{CommonName: name}
	if role != RoleDevice {
		subject.Organization = []string{"commshub test"}
	}
	template, err := a.template(subject)
	if err != nil {
		return nil, err
	}
	if err := role.fill(template, id, names); err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root.Certificate, key.Public(), a.root.Key)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", certFile(a.dir, name), err)
	}
	if err := writeCertificate(a.dir, name, der); err != nil {
		return nil, err
	}
	return load(a.dir, name)
}

func hostNames(cert *x509.Certificate) []string {
	names := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, name := range b {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}
