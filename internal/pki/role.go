package pki

import (
	"crypto/x509"
	"fmt"
	"net"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/certid"
)

// Role says what a certificate is for.
type Role uint8

// The roles.
const (
	// RoleDevice is a device on the HAN, the hub included.
	RoleDevice Role = iota
	// RoleBroker is the MQTT broker.
	RoleBroker
	// RoleSupplier is the energy supplier, who signs commands and OTA files.
	RoleSupplier
	// RoleManufacturer is the meter's manufacturer, who signs images.
	RoleManufacturer

	// Only List says these: the root itself, and the two uses of keys for GBCS messages.
	roleRoot
	roleSigning
	roleAgreement
)

var roleNames = [...]string{"device", "broker", "supplier", "manufacturer", "root", "message signing", "key agreement"}

// String returns the role's name, which is also its file name unless it is a device's.
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// fileName returns the name of the role's files without their ending.
func (r Role) fileName(id han.EUI64) string {
	if r == RoleDevice {
		return id.String()
	}
	return r.String()
}

// roleOfFile is the reverse of fileName.
func roleOfFile(name string) (Role, bool) {
	for role, roleName := range roleNames {
		if name == roleName && Role(role) != RoleDevice {
			return Role(role), true
		}
	}
	if id, err := han.ParseEUI64(name); err == nil && id.String() == name {
		return RoleDevice, true
	}
	return 0, false
}

// fill completes a certificate template for the role. Divergence: beside the
// hardwareModuleName of GB's SMKI certificates a device's has a common name, which any
// broker can take for the user's name.
func (r Role) fill(template *x509.Certificate, id han.EUI64, names []string) error {
	template.KeyUsage = x509.KeyUsageDigitalSignature
	switch r {
	case RoleDevice:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	case RoleBroker:
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		for _, name := range names {
			if ip := net.ParseIP(name); ip != nil {
				template.IPAddresses = append(template.IPAddresses, ip)
			} else {
				template.DNSNames = append(template.DNSNames, name)
			}
		}
		return nil
	case RoleSupplier, RoleManufacturer:
		// Code signing only: without an extended key usage the certificate would
		// pass as a TLS client's.
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning}
	default:
		return fmt.Errorf("no certificate is issued for role %s", r)
	}
	if id == 0 {
		return nil // a manufacturer without an identifier
	}
	extension, err := certid.Extension(id)
	if err != nil {
		return err
	}
	template.ExtraExtensions = append(template.ExtraExtensions, extension)
	return nil
}
