package tree

import "github.com/commshub/commshub/han/gbcs/der"

// The parts of certificates and of requests for them (RFC 5280 §4.1, RFC 2986 §4).
var (
	algorithm = sequence("algorithm", objectIdentifier("algorithm"), optional(anything("parameters")))
	// A name's x500UniqueIdentifier is a BIT STRING with the organisation's EUI-64.
	distinguishedName = sequenceOf("name", setOf("relativeDistinguishedName",
		sequence("attribute", objectIdentifier("type"), anything("value"))))
	validityTime = func(name string) typ {
		return choice(name, tagged(der.UTCTime, generalizedTime(name)), generalizedTime(name))
	}
	publicKey = sequence("subjectPublicKeyInfo", algorithm, typ{name: "subjectPublicKey", tag: der.BitString, text: bits})
	extension = sequence("extension", objectIdentifier("extnID"), optional(boolean("critical")), octetString("extnValue"))
)

// bits shows a BIT STRING without the count of its unused bits.
func bits(e der.Element) string { return octets(e.Content[min(1, len(e.Content)):]) }

func certificate(name string) typ {
	return sequence(name,
		sequence("tbsCertificate",
			optional(tagged(0xA0, sequence("version", integer("version", nil)))),
			anything("serialNumber"),
			as("signature", algorithm),
			as("issuer", distinguishedName),
			sequence("validity", validityTime("notBefore"), validityTime("notAfter")),
			as("subject", distinguishedName),
			publicKey,
			optional(tagged(0x81, typ{name: "issuerUniqueID", text: bits})),
			optional(tagged(0x82, typ{name: "subjectUniqueID", text: bits})),
			optional(tagged(0xA3, sequence("extensions", sequenceOf("extensions", extension))))),
		as("signatureAlgorithm", algorithm),
		typ{name: "signatureValue", tag: der.BitString, text: bits})
}

func certificationRequest(name string) typ {
	return sequence(name,
		sequence("certificationRequestInfo",
			integer("version", nil), as("subject", distinguishedName), publicKey, optional(tagged(0xA0, anything("attributes")))),
		as("signatureAlgorithm", algorithm),
		typ{name: "signatureValue", tag: der.BitString, text: bits})
}

// oidNames are the object identifiers that SMKI certificates have.
var oidNames = map[string]string{
	"1.2.840.10045.2.1":   "ecPublicKey",
	"1.2.840.10045.3.1.7": "prime256v1",
	"1.2.840.10045.4.3.2": "ecdsa-with-SHA256",
	"1.3.6.1.5.5.7.8.4":   "hardwareModuleName",
	"2.5.4.3":             "commonName",
	"2.5.4.5":             "serialNumber",
	"2.5.4.6":             "countryName",
	"2.5.4.10":            "organizationName",
	"2.5.4.11":            "organizationalUnitName",
	"2.5.4.45":            "x500UniqueIdentifier",
	"2.5.29.14":           "subjectKeyIdentifier",
	"2.5.29.15":           "keyUsage",
	"2.5.29.17":           "subjectAltName",
	"2.5.29.19":           "basicConstraints",
	"2.5.29.32":           "certificatePolicies",
	"2.5.29.35":           "authorityKeyIdentifier",
}

func oidText(e der.Element) string {
	oid := e.OID()
	if name, ok := oidNames[oid]; ok {
		return oid + " " + name
	}
	if oid == "" {
		return octets(e.Content)
	}
	return oid
}
