// Package smki reads the certificates of GB's Smart Metering Key Infrastructure, those of
// devices and those of organisations: whose key it is, what for, and who signed it.
//
// An organisation's certificate has its EUI64 in the subject, as an x500UniqueIdentifier
// that is a BIT STRING (X.520 §6.2.7), which crypto/x509 refuses; a device's has it in the
// subjectAltName as hwSerialNum of a hardwareModuleName (RFC 4108 §5). Keys are on P-256,
// signatures ECDSA over SHA-256 (RFC 5480), and nothing else is taken.
//
// Validity is read, not judged: the time comes from whoever asks. No input panics.
package smki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/der"
)

// Certificate is what a certificate says.
type Certificate struct {
	// EUI64 is whose key it is; 0 in a certificate of an authority.
	EUI64 han.EUI64
	// Organisation tells an organisation's certificate from a device's.
	Organisation bool
	CommonName   string // of the subject, if it has one
	// Unit is the subject's organizational unit: the role of an organisation in two hex
	// digits, such as 02 of a supplier and 04 of the access control broker (published
	// certificates).
	Unit string
	// DigitalSignature, KeyAgreement and KeyCertSign are the key's usages (RFC 5280
	// §4.2.1.3).
	DigitalSignature, KeyAgreement, KeyCertSign bool
	NotBefore, NotAfter                         time.Time
	SubjectKeyID, AuthorityKeyID                []byte
	PublicKey                                   *ecdsa.PublicKey

	signed    []byte // what the issuer signed
	signature []byte // in DER
}

const (
	oidUniqueIdentifier = "2.5.4.45"
	oidCommonName       = "2.5.4.3"
	oidUnit             = "2.5.4.11"
	oidSubjectKeyID     = "2.5.29.14"
	oidKeyUsage         = "2.5.29.15"
	oidSubjectAltName   = "2.5.29.17"
	oidAuthorityKeyID   = "2.5.29.35"
	oidHardwareModule   = "1.3.6.1.5.5.7.8.4"
	oidECPublicKey      = "1.2.840.10045.2.1"
	oidP256             = "1.2.840.10045.3.1.7"
	oidECDSAWithSHA256  = "1.2.840.10045.4.3.2"

	tagVersion    = 0xA0 // of a TBSCertificate
	tagExtensions = 0xA3
	tagOtherName  = 0xA0 // of a GeneralName
	tagKeyID      = 0x80 // of an AuthorityKeyIdentifier
)

// Parse reads a certificate in DER.
func Parse(data []byte) (Certificate, error) {
	e, err := der.Parse(data, 0)
	if err != nil {
		return Certificate{}, fmt.Errorf("parse certificate: %w", err)
	}
	var c Certificate
	if err := c.read(e, data); err != nil {
		return Certificate{}, fmt.Errorf("parse certificate: %w", err)
	}
	return c, nil
}

// SignedBy reports whether the issuer's key signed the certificate; nil if it did.
func (c Certificate) SignedBy(issuer Certificate) error {
	switch {
	case !issuer.KeyCertSign:
		return errors.New("issuer's key may not sign certificates")
	case !bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID):
		return fmt.Errorf("is signed with the key %X, the issuer's is %X", c.AuthorityKeyID, issuer.SubjectKeyID)
	}
	digest := sha256.Sum256(c.signed)
	if !ecdsa.VerifyASN1(issuer.PublicKey, digest[:], c.signature) {
		return errors.New("issuer's signature does not match")
	}
	return nil
}

func (c *Certificate) read(e der.Element, data []byte) error {
	if e.Tag != der.Sequence || len(e.Children) != 3 {
		return errors.New("want a SEQUENCE of three")
	}
	tbs, algorithm, signature := e.Children[0], e.Children[1], e.Children[2]
	if err := wantAlgorithm(algorithm, oidECDSAWithSHA256); err != nil {
		return err
	}
	bits, ok := bitString(signature)
	if !ok {
		return errors.New("signature is no BIT STRING")
	}
	c.signed, c.signature = data[tbs.Start:tbs.End], bits
	fields := tbs.Children
	if len(fields) > 0 && fields[0].Tag == tagVersion {
		fields = fields[1:]
	}
	const required = 6 // serial number, signature, issuer, validity, subject, key
	if tbs.Tag != der.Sequence || len(fields) < required {
		return fmt.Errorf("TBSCertificate of %d fields, want %d or more", len(fields), required)
	}
	if err := c.readValidity(fields[3]); err != nil {
		return err
	}
	c.readSubject(fields[4])
	if err := c.readKey(fields[5]); err != nil {
		return err
	}
	for _, f := range fields[required:] {
		if f.Tag == tagExtensions && len(f.Children) == 1 {
			if err := c.readExtensions(f.Children[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

func wantAlgorithm(e der.Element, oid string) error {
	if e.Tag != der.Sequence || len(e.Children) == 0 || e.Children[0].Tag != der.ObjectID || e.Children[0].OID() != oid {
		return fmt.Errorf("algorithm is not %s", oid)
	}
	return nil
}

// bitString returns the bytes of a BIT STRING of whole bytes.
func bitString(e der.Element) ([]byte, bool) {
	if e.Tag != der.BitString || len(e.Content) == 0 || e.Content[0] != 0 {
		return nil, false
	}
	return e.Content[1:], true
}

func (c *Certificate) readValidity(e der.Element) error {
	if len(e.Children) != 2 {
		return errors.New("validity has no two times")
	}
	var err error
	if c.NotBefore, err = parseTime(e.Children[0]); err != nil {
		return err
	}
	c.NotAfter, err = parseTime(e.Children[1])
	return err
}

func parseTime(e der.Element) (time.Time, error) {
	layout := "060102150405Z"
	if e.Tag == der.GeneralizedTime {
		layout = "20060102150405Z"
	}
	t, err := time.Parse(layout, string(e.Content))
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q, want %s", e.Content, layout)
	}
	return t, nil
}

// readSubject reads the name: a sequence of sets of attributes.
func (c *Certificate) readSubject(name der.Element) {
	for _, set := range name.Children {
		for _, attribute := range set.Children {
			if len(attribute.Children) != 2 {
				continue
			}
			value := attribute.Children[1]
			switch attribute.Children[0].OID() {
			case oidCommonName:
				c.CommonName = string(value.Content)
			case oidUnit:
				c.Unit = string(value.Content)
			case oidUniqueIdentifier:
				if bits, ok := bitString(value); ok && len(bits) == han.EUI64Size {
					c.EUI64, c.Organisation = han.EUI64(binary.BigEndian.Uint64(bits)), true
				}
			}
		}
	}
}

func (c *Certificate) readKey(e der.Element) error {
	if len(e.Children) != 2 {
		return errors.New("subjectPublicKeyInfo is no SEQUENCE of two")
	}
	algorithm := e.Children[0]
	if err := wantAlgorithm(algorithm, oidECPublicKey); err != nil {
		return err
	}
	if len(algorithm.Children) != 2 || algorithm.Children[1].OID() != oidP256 {
		return errors.New("key is not on P-256")
	}
	point, ok := bitString(e.Children[1])
	if !ok {
		return errors.New("key is no BIT STRING")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return fmt.Errorf("key is no point of P-256: %w", err)
	}
	c.PublicKey = key
	return nil
}

func (c *Certificate) readExtensions(e der.Element) error {
	for _, extension := range e.Children {
		n := len(extension.Children)
		if n < 2 || extension.Children[n-1].Tag != der.OctetString {
			return errors.New("extension is no SEQUENCE of an identifier and a value")
		}
		oid, content := extension.Children[0].OID(), extension.Children[n-1].Content
		value, err := der.Parse(content, 0)
		if err != nil {
			return fmt.Errorf("extension %s: %w", oid, err)
		}
		switch oid {
		case oidSubjectKeyID:
			c.SubjectKeyID = value.Content
		case oidAuthorityKeyID:
			for _, f := range value.Children {
				if f.Tag == tagKeyID {
					c.AuthorityKeyID = f.Content
				}
			}
		case oidKeyUsage:
			if value.Tag == der.BitString && len(value.Content) > 1 {
				bits := value.Content[1]
				c.DigitalSignature, c.KeyAgreement, c.KeyCertSign = bits&0x80 != 0, bits&0x08 != 0, bits&0x04 != 0
			}
		case oidSubjectAltName:
			if err := c.readHardwareModule(value); err != nil {
				return err
			}
		}
	}
	return nil
}

// readHardwareModule reads the device that general names name. Two would be none.
func (c *Certificate) readHardwareModule(names der.Element) error {
	for _, name := range names.Children {
		if name.Tag != tagOtherName || len(name.Children) != 2 || name.Children[0].OID() != oidHardwareModule ||
			len(name.Children[1].Children) != 1 {
			continue
		}
		module := name.Children[1].Children[0] // hwType, hwSerialNum
		if len(module.Children) != 2 || len(module.Children[1].Content) != han.EUI64Size {
			return fmt.Errorf("hwSerialNum is not of %d bytes", han.EUI64Size)
		}
		if c.EUI64 != 0 {
			return errors.New("names more than one party")
		}
		c.EUI64 = han.EUI64(binary.BigEndian.Uint64(module.Children[1].Content))
	}
	return nil
}
