package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
)

// Files that provisioning writes besides certificates.
const (
	factoryFileName = "factory.ota"
	aclFileName     = "acl"
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

func newProvision(g *global) *cobra.Command {
	var dir string
	var devices devicesFlag
	var hosts []string
	config := hub.DefaultConfig()
	version := hex32(0x01000000)
	cmd := &cobra.Command{
		Use:   "provision DIR --device KIND=EUI64…",
		Short: "Fill one folder for each machine of a home",
		Long: `Fill one folder for each machine of a home with what that machine needs, and nothing that another keeps
to itself:

  hub        its certificate and key; the supplier's certificate
  broker     its certificate and key; the access list for Mosquitto
  supplier   the keys of supplier and manufacturer, to build and sign images
  esme, …    a device's certificate and key, the certificates of supplier and
             manufacturer and, for a meter, the firmware it leaves the factory with

The root's key stays in --pki. What is there already is kept; a second device of a kind gets gsme-2 and so on.`,
		Args:    cobra.ExactArgs(1),
		Example: "  commshub provision /machines --host broker --device ESME=00DB1234567890A0 --device GSME=00DB1234567890A1",
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := openAuthority(g.path(dir, "pki"))
			if err != nil {
				return err
			}
			p := provisioning{authority: a, pkiDir: g.path(dir, "pki"), dir: args[0], factoryVersion: uint32(version)}
			if err := p.all(config.EUI64, append(brokerHosts(), hosts...), devices); err != nil {
				return inputError{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d machines are provisioned in %s\n", p.machines, args[0])
			return nil
		},
	}
	f := cmd.Flags()
	pkiFlag(cmd, &dir)
	f.Var((*eui64Flag)(&config.EUI64), "hub-eui64", "HAN address of the hub, the GPF's identifier")
	f.Var(&devices, "device", "a device of the home; may be given several times")
	f.StringSliceVar(&hosts, "host", nil, "further name or address of the broker")
	f.Var(&version, "factory-version", "version of the firmware that meters leave the factory with")
	return cmd
}

// provisioning fills the folders of a home's machines.
type provisioning struct {
	authority      *pki.Authority
	pkiDir, dir    string
	factoryVersion uint32
	machines       int
}

func (p *provisioning) all(hubEUI han.EUI64, hosts []string, devices devicesFlag) error {
	supplier, err := p.authority.Issue(0, pki.RoleSupplier)
	if err != nil {
		return err
	}
	manufacturer, err := p.authority.Issue(0, pki.RoleManufacturer)
	if err != nil {
		return err
	}
	server, err := p.authority.Issue(0, pki.RoleBroker, hosts...)
	if err != nil {
		return err
	}
	if err := p.machine("broker", server); err != nil {
		return err
	}
	if err := writeOnce(filepath.Join(p.dir, "broker", aclFileName), func() ([]byte, error) { return []byte(mosquittoACL), nil }); err != nil {
		return err
	}
	if err := p.machine("supplier", supplier); err != nil {
		return err
	}
	if err := manufacturer.Export(filepath.Join(p.dir, "supplier"), true); err != nil {
		return err
	}
	own, err := p.authority.Issue(hubEUI, pki.RoleDevice)
	if err != nil {
		return err
	}
	if err := p.machine("hub", own, supplier); err != nil {
		return err
	}
	return p.devices(devices, supplier, manufacturer)
}

func (p *provisioning) devices(devices devicesFlag, supplier, manufacturer *pki.Credential) error {
	seen := map[hub.Kind]int{}
	for _, d := range devices {
		own, err := p.authority.Issue(d.eui64, pki.RoleDevice)
		if err != nil {
			return err
		}
		name := strings.ToLower(d.kind.String())
		if seen[d.kind]++; seen[d.kind] > 1 {
			name = fmt.Sprintf("%s-%d", name, seen[d.kind])
		}
		if err := p.machine(name, own, supplier, manufacturer); err != nil {
			return err
		}
		if !d.kind.IsMeter() {
			continue
		}
		err = writeOnce(filepath.Join(p.dir, name, factoryFileName), func() ([]byte, error) {
			return factoryImage(bootloader.Policy{
				Vendor: imagebuild.DefaultVendor, Class: imagebuild.DefaultClass, Hardware: imagebuild.DefaultHardware,
			}, p.factoryVersion, manufacturer, supplier)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// machine writes a machine's own credential, and the certificates of those it trusts.
func (p *provisioning) machine(name string, own *pki.Credential, trusted ...*pki.Credential) error {
	p.machines++
	dir := filepath.Join(p.dir, name)
	if err := own.Export(dir, true); err != nil {
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
