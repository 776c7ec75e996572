package main

import (
	"github.com/spf13/cobra"

	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/foreign"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/provision"
)

func newProvision(g *global) *cobra.Command {
	var dir string
	var devices home.Devices
	var asked home.Asked
	var hosts []string
	config := hub.DefaultConfig()
	var made makeFlags
	cmd := &cobra.Command{
		Use:   "provision DIR --device KIND…",
		Short: "Fill one folder for each machine of a home",
		Long: `Fill one folder for each machine of a home with what that machine needs, and nothing that another keeps
to itself:

  hub        its certificate and key; the supplier's certificate; the keys for GBCS messages of hub,
             supplier and access control broker, and the meters' certificates for them
  broker     its certificate and key; the access list for Mosquitto
  supplier   the keys of supplier and manufacturer, to build and sign images
  esme, …    a device's certificate and key, the certificates of supplier and
             manufacturer and, for a meter, the firmware it leaves the factory with and its
             keys for GBCS messages

The root's key stays in --pki. What is there already is kept; a second device of a kind gets gsme-2 and so on.
Devices have the home's identities, or what is said as KIND=EUI64.`,
		Args:    cobra.ExactArgs(1),
		Example: "  commshub provision /machines --host broker --device esme --device gsme --device ihd",
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := made.read(cmd.Context())
			if err != nil {
				return err
			}
			number, err := g.home(g.path(dir, "pki"), asked)
			if err != nil {
				return err
			}
			a, err := openAuthority(g.path(dir, "pki"))
			if err != nil {
				return err
			}
			machines, err := provision.Fill(args[0], a, provision.Home{
				Number: number, Hub: number.HubOr(config), BrokerHosts: append(brokerHosts(), hosts...), Devices: devices.Of(number), Make: m,
			})
			if err != nil {
				return inputError{err}
			}
			foreign.Fprintf(cmd.OutOrStdout(), "%d machines are provisioned in %s\n", machines, args[0])
			return nil
		},
	}
	f := cmd.Flags()
	pkiFlag(cmd, &dir)
	hubAddress(f, &config)
	f.Var((*flagvalue.EUI64)(&config.Supplier), "supplier-id", "identifier of the supplier")
	homeFlags(f, &asked)
	f.Var(&devices, "device", "a device of the home, KIND alone for the home's own; may be given several times")
	f.StringSliceVar(&hosts, "host", nil, "further name or address of the broker")
	made.register(f)
	return cmd
}
