package smki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
	"github.com/commshub/commshub/internal/codectest"
)

var (
	from  = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	until = time.Date(2051, 1, 1, 0, 0, 0, 0, time.UTC) // a GeneralizedTime
)

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// issue returns a certificate for a key, signed by the issuer's.
func issue(tb testing.TB, template, parent *x509.Certificate, key *ecdsa.PublicKey, issuer *ecdsa.PrivateKey) []byte {
	tb.Helper()
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(7), from, until
	data, err := x509.CreateCertificate(rand.Reader, template, parent, key, issuer)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func authority(name string, id []byte) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, SubjectKeyId: id, KeyUsage: x509.KeyUsageCertSign,
		IsCA: true, BasicConstraintsValid: true}
}

// organisation has the EUI64 in its subject as SMKI has it.
func organisation(id han.EUI64) *x509.Certificate {
	return &x509.Certificate{SubjectKeyId: []byte{3, 4}, KeyUsage: x509.KeyUsageDigitalSignature, Subject: pkix.Name{
		CommonName: "SUPPLIER", OrganizationalUnit: []string{"02"},
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 45},
			Value: asn1.BitString{Bytes: id.AppendPrint(nil), BitLength: 64}}},
	}}
}

func TestAnOrganisationsCertificate(t *testing.T) {
	ca, key := newKey(t), newKey(t)
	root := authority("Z1", []byte{1, 2})
	data := issue(t, organisation(0x90B3D51F30010000), root, &key.PublicKey, ca)
	if _, err := x509.ParseCertificate(data); err == nil {
		t.Log("crypto/x509 reads it now")
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	want := Certificate{EUI64: 0x90B3D51F30010000, Organisation: true, CommonName: "SUPPLIER", Unit: "02", DigitalSignature: true,
		NotBefore: from, NotAfter: until, SubjectKeyID: []byte{3, 4}, AuthorityKeyID: []byte{1, 2}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Certificate{}), cmpopts.IgnoreFields(Certificate{}, "PublicKey")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.PublicKey.Equal(&key.PublicKey) {
		t.Error("another key")
	}
}

func TestADevicesCertificate(t *testing.T) {
	ca, key := newKey(t), newKey(t)
	name, err := certid.Extension(0x00DB1234567890A1)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{KeyUsage: x509.KeyUsageKeyAgreement, ExtraExtensions: []pkix.Extension{name}}
	got, err := Parse(issue(t, template, authority("E357", nil), &key.PublicKey, ca))
	if err != nil {
		t.Fatal(err)
	}
	if got.EUI64 != 0x00DB1234567890A1 || got.Organisation || !got.KeyAgreement || got.DigitalSignature {
		t.Errorf("%+v", got)
	}
}

func TestACertificateIsSignedByItsIssuerAlone(t *testing.T) {
	ca, other, key := newKey(t), newKey(t), newKey(t)
	root := authority("Z1", []byte{1, 2})
	data := issue(t, organisation(1), root, &key.PublicKey, ca)
	cert, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	parse := func(template *x509.Certificate, key *ecdsa.PrivateKey) Certificate {
		c, err := Parse(issue(t, template, template, &key.PublicKey, key))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := cert.SignedBy(parse(root, ca)); err != nil {
		t.Errorf("its issuer: %v", err)
	}
	for want, issuer := range map[string]Certificate{
		"signature does not match":               parse(authority("Z1", []byte{1, 2}), other),
		"the issuer's is 0909":                   parse(authority("Z1", []byte{9, 9}), ca),
		"issuer's key may not sign certificates": cert,
	} {
		if err := cert.SignedBy(issuer); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// Whatever byte is changed: the certificate is refused, or says something else, or its
	// signature does not hold.
	issuer := parse(root, ca)
	for i := range data {
		changed := append([]byte(nil), data...)
		changed[i] ^= 0x01
		if c, err := Parse(changed); err == nil && c.SignedBy(issuer) == nil {
			t.Errorf("holds with byte %d changed", i)
		}
	}
}

func TestWhatIsNoCertificateIsRefused(t *testing.T) {
	ca, key := newKey(t), newKey(t)
	data := issue(t, organisation(1), authority("Z1", []byte{1, 2}), &key.PublicKey, ca)
	for n := range data {
		if _, err := Parse(data[:n]); err == nil {
			t.Fatalf("took the first %d of %d bytes", n, len(data))
		}
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	large := issue(t, organisation(1), authority("Z1", nil), &p384.PublicKey, ca)
	if _, err := Parse(large); err == nil || !strings.Contains(err.Error(), "not on P-256") {
		t.Errorf("key on P-384: %v", err)
	}
}

// TestPublishedCertificates: those of RTDS are read, organisations' among them.
func TestPublishedCertificates(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(codectest.Vectors(t), "rtds", "*.pem"))
	if err != nil || len(files) < 14 {
		t.Fatalf("%d certificates, %v; want 14 or more", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(text)
		c, err := Parse(block.Bytes)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		name := strings.ToLower(c.EUI64.String())
		usage := "ka"
		if c.DigitalSignature {
			usage = "ds"
		}
		if got := name + "-" + usage + ".pem"; got != filepath.Base(file) {
			t.Errorf("%s: says that it is %s", filepath.Base(file), got)
		}
		if c.Organisation != strings.HasPrefix(name, "90b3") {
			t.Errorf("%s: organisation %v", filepath.Base(file), c.Organisation)
		}
	}
}

func FuzzParse(f *testing.F) {
	ca, key := newKey(f), newKey(f)
	f.Add(issue(f, organisation(1), authority("Z1", []byte{1, 2}), &key.PublicKey, ca))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("error of several lines: %q", err)
		}
		if err == nil && c.PublicKey == nil {
			t.Error("no key and no error")
		}
	})
}
