// Package certid is the EUI64 of a certificate: the place where a smart-metering
// device certificate names its device.
//
// GB's SMKI device certificates carry the identifier in the subjectAltName as
// an otherName of type hardwareModuleName (RFC 4108 §5, RFC 5280 §4.2.1.6):
//
//	SEQUENCE                                subjectAltName, GeneralNames
//	  [0]                                   otherName
//	    OBJECT IDENTIFIER 1.3.6.1.5.5.7.8.4 id-on-hardwareModuleName
//	    [0]
//	      SEQUENCE                          HardwareModuleName
//	        OBJECT IDENTIFIER               hwType
//	        OCTET STRING, 8 bytes           hwSerialNum: the EUI64, big-endian
//
// DTLS compares this identity with the topic a datagram came on, and the broker
// derives a client's permissions from it. So a certificate must name exactly
// one device: none or two is refused.
package certid

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/commshub/commshub/han"
)

var (
	oidSubjectAltName     = asn1.ObjectIdentifier{2, 5, 29, 17}
	oidHardwareModuleName = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 4}
	// hwTypeExample stands under the arc that ITU-T X.660 reserves for examples;
	// a real device has its manufacturer's type here. Nothing reads it.
	hwTypeExample = asn1.ObjectIdentifier{2, 999, 1}
)

// hardwareModuleName is the SEQUENCE of RFC 4108 §5.
type hardwareModuleName struct {
	Type      asn1.ObjectIdentifier
	SerialNum []byte
}

// otherName is the GeneralName alternative of RFC 5280 §4.2.1.6.
type otherName struct {
	TypeID asn1.ObjectIdentifier
	Value  asn1.RawValue // with its explicit [0] around it
}

// Extension returns the subjectAltName that names id. It is not critical,
// because our subjects are never empty (RFC 5280 §4.2.1.6) and because verifiers
// that do not know hardwareModuleName refuse it when critical.
func Extension(id han.EUI64) (pkix.Extension, error) {
	module, err := asn1.Marshal(hardwareModuleName{Type: hwTypeExample, SerialNum: id.AppendPrint(nil)})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("build certificate identity: %w", err)
	}
	name, err := asn1.MarshalWithParams(otherName{
		TypeID: oidHardwareModuleName,
		Value:  asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: module},
	}, "tag:0")
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("build certificate identity: %w", err)
	}
	names, err := asn1.Marshal([]asn1.RawValue{{FullBytes: name}})
	if err != nil {
		return pkix.Extension{}, fmt.Errorf("build certificate identity: %w", err)
	}
	return pkix.Extension{Id: oidSubjectAltName, Value: names}, nil
}

// FromCertificate returns the EUI64 that cert names. A certificate that names
// none, or more than one, is refused.
func FromCertificate(cert *x509.Certificate) (han.EUI64, error) {
	for _, extension := range cert.Extensions {
		if extension.Id.Equal(oidSubjectAltName) {
			return parse(extension.Value)
		}
	}
	return 0, errors.New("read certificate identity: no subjectAltName")
}

// parse reads the value of a subjectAltName extension.
func parse(der []byte) (han.EUI64, error) {
	var names asn1.RawValue
	rest, err := asn1.Unmarshal(der, &names)
	if err != nil {
		return 0, fmt.Errorf("read certificate identity: %w", err)
	}
	if len(rest) > 0 || names.Class != asn1.ClassUniversal || names.Tag != asn1.TagSequence || !names.IsCompound {
		return 0, errors.New("read certificate identity: subjectAltName is not one sequence")
	}
	var id han.EUI64
	found := 0
	for rest := names.Bytes; len(rest) > 0; {
		var name asn1.RawValue
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return 0, fmt.Errorf("read certificate identity: %w", err)
		}
		serial, ok, err := hardwareSerial(name)
		if err != nil {
			return 0, err
		}
		if ok {
			id = serial
			found++
		}
	}
	if found != 1 {
		return 0, fmt.Errorf("read certificate identity: want one hardwareModuleName, found %d", found)
	}
	return id, nil
}

// hardwareSerial returns the identifier in name, if name is a hardwareModuleName.
func hardwareSerial(name asn1.RawValue) (id han.EUI64, ok bool, err error) {
	if name.Class != asn1.ClassContextSpecific || name.Tag != 0 || !name.IsCompound {
		return 0, false, nil
	}
	var other otherName
	rest, err := asn1.UnmarshalWithParams(name.FullBytes, &other, "tag:0")
	if err != nil || len(rest) > 0 || other.Value.Class != asn1.ClassContextSpecific || other.Value.Tag != 0 {
		return 0, false, errors.New("read certificate identity: malformed otherName")
	}
	if !other.TypeID.Equal(oidHardwareModuleName) {
		return 0, false, nil
	}
	var module hardwareModuleName
	rest, err = asn1.Unmarshal(other.Value.Bytes, &module)
	if err != nil || len(rest) > 0 {
		return 0, false, errors.New("read certificate identity: malformed hardwareModuleName")
	}
	// asn1 skips what follows the known members of a sequence; here nothing may.
	again, err := asn1.Marshal(module)
	if err != nil || !bytes.Equal(again, other.Value.Bytes) {
		return 0, false, errors.New("read certificate identity: hardwareModuleName is not in DER")
	}
	if len(module.SerialNum) != han.EUI64Size {
		return 0, false, fmt.Errorf("read certificate identity: hwSerialNum has %d bytes, want %d", len(module.SerialNum), han.EUI64Size)
	}
	return han.EUI64(binary.BigEndian.Uint64(module.SerialNum)), true, nil
}
