package main

import (
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/pki"
)

// pkiFlag adds --pki, the folder of certificates.
func pkiFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "pki", "", "folder of certificates (default: pki in the state folder)")
}

func newPKI(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pki",
		Short: "Make and show test certificates",
		Long: `Test certificates for a home: a root, the supplier and the manufacturer who sign firmware, the
broker, and one certificate for each device and for the hub. They are for laboratories: the root's
key lies beside them. Commands that need a certificate make it if the root's key is there.`,
		Example: `  commshub pki init
  commshub pki issue 00DB1234567890A1`,
	}
	cmd.AddCommand(newPKIInit(g), newPKIIssue(g), newPKIShow(g))
	return cmd
}

func newPKIInit(g *global) *cobra.Command {
	var dir string
	var hosts []string
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Make the root, the signers and the broker's certificate",
		Long:    "Make the root, the signers and the broker's certificate. What is there already is kept.",
		Example: "  commshub pki init --host broker.lab.example --host 192.0.2.10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir := g.path(dir, "pki")
			a, err := openAuthority(dir)
			if err != nil {
				return err
			}
			for _, role := range []pki.Role{pki.RoleSupplier, pki.RoleManufacturer} {
				if _, err := a.Issue(0, role); err != nil {
					return err
				}
			}
			if _, err := a.Issue(0, pki.RoleBroker, append(brokerHosts(), hosts...)...); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "certificates are in %s\n", dir)
			return nil
		},
	}
	pkiFlag(cmd, &dir)
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "further name or address of the broker")
	return cmd
}

// brokerHosts are the names that a broker's certificate always has.
func brokerHosts() []string { return []string{"localhost", "127.0.0.1", "::1", "broker"} }

// openAuthority opens the authority in a folder, or makes it.
func openAuthority(dir string) (*pki.Authority, error) {
	a, err := pki.Init(dir, time.Now())
	if err != nil {
		return nil, inputError{err}
	}
	return a, nil
}

// credential returns a device's certificate: the one in the folder, or a new one
// if the root's key is there.
func credential(dir string, id han.EUI64) (*pki.Credential, error) {
	if c, err := pki.LoadCredential(dir, id.String()); err == nil {
		return c, nil
	}
	a, err := openAuthority(dir)
	if err != nil {
		return nil, err
	}
	c, err := a.Issue(id, pki.RoleDevice)
	if err != nil {
		return nil, inputError{err}
	}
	return c, nil
}

// signer returns the supplier's or the manufacturer's credential.
func signer(dir string, role pki.Role) (*pki.Credential, error) {
	if c, err := pki.LoadCredential(dir, role.String()); err == nil {
		return c, nil
	}
	a, err := openAuthority(dir)
	if err != nil {
		return nil, err
	}
	c, err := a.Issue(0, role)
	if err != nil {
		return nil, inputError{err}
	}
	return c, nil
}

// signers returns who sign firmware.
func signers(dir string) (manufacturer, supplier *pki.Credential, err error) {
	if manufacturer, err = signer(dir, pki.RoleManufacturer); err != nil {
		return nil, nil, err
	}
	supplier, err = signer(dir, pki.RoleSupplier)
	return manufacturer, supplier, err
}

// signerKey returns the key that checks what a signer signed. Its certificate is
// enough; without it, the signer is made as signer does.
func signerKey(dir string, role pki.Role) (*ecdsa.PublicKey, error) {
	cert, err := pki.LoadCertificate(dir, role.String())
	if errors.Is(err, fs.ErrNotExist) {
		c, err := signer(dir, role)
		if err != nil {
			return nil, err
		}
		return &c.Key.PublicKey, nil
	}
	if err != nil {
		return nil, inputError{err}
	}
	key, ok := cert.PublicKey.(*ecdsa.PublicKey)
	if !ok {
		return nil, badInput("%s in %s: certificate of a %T, expected an ECDSA key", role, dir, cert.PublicKey)
	}
	return key, nil
}

func newPKIIssue(g *global) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "issue EUI64…",
		Short:   "Make the certificates of devices",
		Args:    cobra.MinimumNArgs(1),
		Example: "  commshub pki issue 00DB1234567890A0 00DB1234567890A1",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := g.path(dir, "pki")
			devices, err := parseDevices(args)
			if err != nil {
				return err
			}
			for _, eui := range devices {
				c, err := credential(dir, eui)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s valid until %s\n", c.Name, c.Certificate.NotAfter.Format(time.DateOnly))
			}
			return nil
		},
	}
	pkiFlag(cmd, &dir)
	return cmd
}

func newPKIShow(g *global) *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "List the certificates",
		Example: "  commshub pki show",
		RunE: func(cmd *cobra.Command, _ []string) error {
			entries, err := pki.List(g.path(dir, "pki"))
			if err != nil {
				return inputError{err}
			}
			return showCertificates(cmd, entries, asJSON)
		},
	}
	pkiFlag(cmd, &dir)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func jsonFlag(cmd *cobra.Command, v *bool) { cmd.Flags().BoolVar(v, "json", false, "print JSON") }

func showCertificates(cmd *cobra.Command, entries []pki.Entry, asJSON bool) error {
	type view struct {
		Name     string    `json:"name"`
		Role     string    `json:"role"`
		EUI64    string    `json:"eui64,omitempty"`
		Hosts    []string  `json:"hosts,omitempty"`
		NotAfter time.Time `json:"not_after"`
		HasKey   bool      `json:"has_key"`
		Problem  string    `json:"problem,omitempty"`
	}
	views := []view{}
	for _, e := range entries {
		v := view{Name: e.Name, Role: e.Role.String(), Hosts: e.Hosts, NotAfter: e.NotAfter, HasKey: e.HasKey}
		if e.ID != 0 {
			v.EUI64 = e.ID.String()
		}
		if e.Err != nil {
			v.Problem = oneLine(e.Err)
		}
		views = append(views, v)
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), views)
	}
	t := newTable(cmd.OutOrStdout(), "NAME\tROLE\tEUI64\tVALID UNTIL\tKEY\tNOTE")
	for _, v := range views {
		key := "no"
		if v.HasKey {
			key = "yes"
		}
		t.row("%s\t%s\t%s\t%s\t%s\t%s", v.Name, v.Role, v.EUI64, v.NotAfter.Format(time.DateOnly), key,
			strings.TrimSpace(strings.Join(v.Hosts, " ")+" "+v.Problem))
	}
	return t.flush()
}

func parseDevices(args []string) ([]han.EUI64, error) {
	var devices []han.EUI64
	for _, a := range args {
		eui, err := han.ParseEUI64(a)
		if err != nil {
			return nil, inputError{err}
		}
		devices = append(devices, eui)
	}
	return devices, nil
}
