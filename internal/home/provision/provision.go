// Package provision fills one folder for each machine of a home with what that machine
// needs, and nothing that another keeps to itself.
package provision

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
)

// Files that provisioning writes besides certificates.
const (
	factoryFile = "factory.ota"
	aclFile     = "acl"
)

// mosquittoACL lets a device reach the topics that have its address in the place of
// a device, and a hub those that have it in the place of a hub; %u is the user name,
// which Mosquitto takes from the certificate. Who has no user name, such as a health
// check, may see how long the broker is up.
const mosquittoACL = `topic read $SYS/broker/uptime

pattern write han/+/%u/up
pattern read han/+/%u/down
pattern read han/+/clock
pattern write han/%u/+/down
pattern read han/%u/+/up
pattern readwrite han/%u/clock
`

// Home is what the machines of a home are provisioned for.
type Home struct {
	Number      home.Number
	Hub         hub.Config // its identities
	BrokerHosts []string   // names of the broker's machine
	Devices     []home.Device
	// Make is what the meters leave the factory as.
	Make imagebuild.Make
}

// Fill fills a folder for each machine of a home under dir, and returns how many there
// are. What is there already is kept.
func Fill(dir string, a *pki.Authority, h Home) (machines int, err error) {
	if dir == "-" {
		return 0, errors.New("standard output is no folder: name one")
	}
	p := provisioning{Home: h, authority: a, dir: dir}
	err = p.all()
	return p.machines, err
}

// provisioning fills the folders of a home's machines.
type provisioning struct {
	Home
	authority *pki.Authority
	dir       string
	machines  int
}

func (p *provisioning) all() error {
	supplier, err := p.authority.Issue(0, pki.RoleSupplier)
	if err != nil {
		return err
	}
	manufacturer, err := p.authority.Issue(0, pki.RoleManufacturer)
	if err != nil {
		return err
	}
	server, err := p.authority.Issue(0, pki.RoleBroker, p.BrokerHosts...)
	if err != nil {
		return err
	}
	if err := p.machine("broker", server); err != nil {
		return err
	}
	if err := writeOnce(filepath.Join(p.dir, "broker", aclFile), func() ([]byte, error) { return []byte(mosquittoACL), nil }); err != nil {
		return err
	}
	if err := p.machine("supplier", supplier); err != nil {
		return err
	}
	if err := manufacturer.Export(filepath.Join(p.dir, "supplier"), true); err != nil {
		return err
	}
	own, err := p.authority.Issue(p.Hub.EUI64, pki.RoleDevice)
	if err != nil {
		return err
	}
	if err := p.machine("hub", own, supplier); err != nil {
		return err
	}
	if err := p.messageKeys(); err != nil {
		return err
	}
	return p.devices(supplier, manufacturer)
}

// messageKeys gives the hub's machine the keys for GBCS messages of its own functions, and,
// since their head end is there, of the supplier and the broker.
func (p *provisioning) messageKeys() error {
	dir := filepath.Join(p.dir, "hub")
	return errors.Join(
		p.authority.ExportMessageKeys(dir, p.Hub.EUI64, pki.OwnerDevice, true),
		p.authority.ExportMessageKeys(dir, p.Hub.CHF, pki.OwnerDevice, true),
		p.authority.ExportMessageKeys(dir, p.Hub.Supplier, pki.OwnerSupplier, true),
		p.authority.ExportMessageKeys(dir, home.Broker, pki.OwnerBroker, true))
}

// deviceMessageKeys gives a meter's machine its keys for GBCS messages, and each side the
// other's certificates.
func (p *provisioning) deviceMessageKeys(name string, eui han.EUI64) error {
	dir := filepath.Join(p.dir, name)
	return errors.Join(
		p.authority.ExportMessageKeys(dir, eui, pki.OwnerDevice, true),
		p.authority.ExportMessageKeys(dir, p.Hub.Supplier, pki.OwnerSupplier, false),
		p.authority.ExportMessageKeys(dir, home.Broker, pki.OwnerBroker, false),
		p.authority.ExportMessageKeys(filepath.Join(p.dir, "hub"), eui, pki.OwnerDevice, false))
}

func (p *provisioning) devices(supplier, manufacturer *pki.Credential) error {
	seen := map[store.Kind]int{}
	for _, d := range p.Devices {
		own, err := p.authority.Issue(d.EUI64, pki.RoleDevice)
		if err != nil {
			return err
		}
		name := strings.ToLower(d.Kind.String())
		if seen[d.Kind]++; seen[d.Kind] > 1 {
			name = fmt.Sprintf("%s-%d", name, seen[d.Kind])
		}
		if err := p.machine(name, own, supplier, manufacturer); err != nil {
			return err
		}
		if !d.Kind.IsMeter() {
			continue
		}
		if err := p.deviceMessageKeys(name, d.EUI64); err != nil {
			return err
		}
		if err := p.factory(filepath.Join(p.dir, name, factoryFile), supplier, manufacturer); err != nil {
			return err
		}
	}
	return nil
}

// factory writes the firmware that a meter leaves the factory with. That of another make
// is replaced: a meter that has left with it does not look at it again.
func (p *provisioning) factory(file string, supplier, manufacturer *pki.Credential) error {
	made, err := madeBefore(file)
	if err != nil {
		return err
	}
	if made.Version = p.Make.Version; made != p.Make {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replace %s: %w", file, err)
		}
	}
	return writeOnce(file, func() ([]byte, error) { return imagebuild.Factory(p.Make, manufacturer.Key, supplier.Key) })
}

// madeBefore returns the make that factory firmware is for, zero if there is none yet.
func madeBefore(file string) (imagebuild.Make, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return imagebuild.Make{}, nil
	}
	if err != nil {
		return imagebuild.Make{}, err
	}
	h, err := ota.ParseImageHeader(data)
	if err != nil {
		return imagebuild.Make{}, fmt.Errorf("%s: %w; remove the file to have it made anew", file, err)
	}
	return imagebuild.Make{Vendor: h.Manufacturer, Class: h.ImageType, Hardware: h.HardwareMin, Version: h.FileVersion}, nil
}

// machine writes a machine's own credential, and the certificates of those it trusts.
func (p *provisioning) machine(name string, own *pki.Credential, trusted ...*pki.Credential) error {
	p.machines++
	dir := filepath.Join(p.dir, name)
	if err := own.Export(dir, true); err != nil {
		return err
	}
	if err := pki.KeepHome(dir, uint32(p.Number)); err != nil {
		return err
	}
	for _, c := range trusted {
		if err := c.Export(dir, false); err != nil {
			return err
		}
	}
	return nil
}

// writeOnce writes a file for its owner alone, unless it is there.
func writeOnce(file string, content func() ([]byte, error)) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := content()
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(file, data, 0o600, renameio.WithTempDir(filepath.Dir(file))); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
