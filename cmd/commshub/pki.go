package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/table"
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
  commshub pki issue 00DB1234567890B1`,
	}
	cmd.AddCommand(newPKIInit(g), newPKIIssue(g), newPKIShow(g))
	return cmd
}

func newPKIInit(g *global) *cobra.Command {
	var dir string
	var hosts []string
	var asked home.Asked
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make the root, the signers and the broker's certificate",
		Long: `Make the root, the signers and the broker's certificate. What is there already is kept. A new home has
identities of its own, drawn here and kept with the certificates.`,
		Example: "  commshub pki init --host broker.lab.example --host 192.0.2.10",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir := g.path(dir, "pki")
			if _, err := g.home(dir, asked); err != nil {
				return err
			}
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
			for id, owner := range map[han.EUI64]pki.Owner{pki.SupplierID: pki.OwnerSupplier, home.Broker: pki.OwnerBroker} {
				if err := a.IssueMessageKeys(id, owner); err != nil {
					return err
				}
			}
			foreign.Fprintf(cmd.OutOrStdout(), "certificates are in %s\n", dir)
			return nil
		},
	}
	pkiFlag(cmd, &dir)
	cmd.Flags().StringSliceVar(&hosts, "host", nil, "further name or address of the broker")
	homeFlags(cmd.Flags(), &asked)
	return cmd
}

// brokerHosts are the names that a broker's certificate always has.
func brokerHosts() []string { return []string{"localhost", "127.0.0.1", "::1", "broker"} }

// openAuthority opens the authority in a folder, or makes it.
func openAuthority(dir string) (*pki.Authority, error) { return input(pki.Init(dir, time.Now())) }

// input marks an error as bad input, unless somebody interrupted what was read.
func input[T any](v T, err error) (T, error) {
	return v, unreadable(err)
}

func newPKIIssue(g *global) *cobra.Command {
	var dir string
	var messages bool
	cmd := &cobra.Command{
		Use:     "issue EUI64…",
		Short:   "Make the certificates of devices",
		Args:    cobra.MinimumNArgs(1),
		Example: "  commshub pki issue 00DB1234567890B1\n  commshub pki issue --messages 00DB1234567890A1",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := g.path(dir, "pki")
			devices, err := input(flagvalue.EUI64s(args))
			if err != nil {
				return err
			}
			for _, eui := range devices {
				c, err := input(pki.Device(dir, eui))
				if err == nil && messages {
					_, err = input(pki.MessageKeys(dir, eui, pki.OwnerDevice))
				}
				if err != nil {
					return err
				}
				foreign.Fprintf(cmd.OutOrStdout(), "%s valid until %s\n", c.Name, c.Certificate.NotAfter.Format(time.DateOnly))
			}
			return nil
		},
	}
	pkiFlag(cmd, &dir)
	cmd.Flags().BoolVar(&messages, "messages", false, "make a meter's keys for GBCS messages too, with which it counts as one that signs")
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
	views := pki.Views(entries)
	if asJSON {
		return printJSON(cmd.OutOrStdout(), views)
	}
	t := table.New(cmd.OutOrStdout(), "NAME\tROLE\tEUI64\tVALID UNTIL\tKEY\tNOTE")
	for _, v := range views {
		key := "no"
		if v.HasKey {
			key = "yes"
		}
		t.Row("%s\t%s\t%s\t%s\t%s\t%s", v.Name, v.Role, v.EUI64, v.NotAfter.Format(time.DateOnly), key,
			strings.TrimSpace(strings.Join(v.Hosts, " ")+" "+v.Problem))
	}
	return t.Flush()
}
