package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/seal"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/console/story"
	"github.com/commshub/commshub/internal/flagvalue"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/storagekey"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
)

func newMeter(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "meter",
		Short: "Run a device: gas meter, electricity meter or in-home display",
		Long: `Run a device: gas meter, electricity meter or in-home display. Each home has one of each with an identity
of its own; further ones need --eui64.`,
		Example: `  commshub meter gsme
  commshub meter esme
  commshub meter ihd
  commshub meter gsme --broker mqtt://127.0.0.1:1883 --install-code "83FE D340 7A93 9723 A5C6 39B2 6916 D505 C3B5"`,
	}
	cmd.AddCommand(
		newMeterKind(g, store.KindGSME, "gsme", "Run a gas meter"),
		newMeterKind(g, store.KindESME, "esme", "Run an electricity meter"),
		newDisplay(g),
	)
	return cmd
}

// deviceFlags are what every device process needs.
type deviceFlags struct {
	eui64  han.EUI64
	hub    hub.Config
	broker brokerFlags
	pkiDir string
	code   string
	health string
	link   linkFlags
}

func (d *deviceFlags) register(cmd *cobra.Command) {
	d.hub = hub.DefaultConfig()
	d.hub.Policy = nil // the hub's own business; a device in a process of its own does not know it
	cmd.Flags().Var((*flagvalue.EUI64)(&d.eui64), "eui64", "the device's own address (default: the home's)")
	hubIdentity(cmd.Flags(), &d.hub)
	d.broker.register(cmd, defaultBrokerURL)
	pkiFlag(cmd, &d.pkiDir)
	cmd.Flags().StringVar(&d.code, "install-code", "", "as printed on the device, to join by instead of a certificate; the hub's device log must have it")
	d.link.register(cmd.Flags())
	cmd.Flags().StringVar(&d.health, "health", "", "address that answers commshub health, such as 127.0.0.1:8081 (default: none)")
}

// identify gives the device the home's identities where none was given.
func (d *deviceFlags) identify(g *global, kind store.Kind) error {
	if d.eui64 != 0 && d.hub.EUI64 != 0 {
		return nil
	}
	certificates := g.path(d.pkiDir, "pki")
	if d.code != "" && !pki.HasRoot(certificates) {
		return badInput("--install-code: %s has no certificates of a home, so say --eui64 and --hub-eui64", certificates)
	}
	number, err := g.home(certificates, home.Asked{})
	if err != nil {
		return err
	}
	d.hub = number.HubOr(d.hub)
	if d.eui64 == 0 {
		d.eui64, err = number.Device(kind)
	}
	return err
}

// options returns how the device reaches its hub.
func (d *deviceFlags) options(g *global, kind store.Kind) (live.DeviceOptions, error) {
	if d.health != "" {
		if err := listenAddress("health", d.health); err != nil {
			return live.DeviceOptions{}, err
		}
	}
	log, err := g.logger()
	if err != nil {
		return live.DeviceOptions{}, err
	}
	if err := d.identify(g, kind); err != nil {
		return live.DeviceOptions{}, err
	}
	o := live.DeviceOptions{Hub: d.hub, Keys: live.Keys(g.path(d.pkiDir, "pki"), d.hub.Supplier), Seed: d.link.seed, Link: d.link.loss.Link(), Observer: live.RecordLog(log), Log: log}
	if o.Credential, o.InstallCode, err = d.proof(g); err != nil {
		return live.DeviceOptions{}, err
	}
	o.Broker, err = input(d.broker.With(o.Credential, g.path(d.pkiDir, "pki")))
	return o, err
}

// proof returns by what the device joins: its certificate, or its install code, which no
// error repeats.
func (d *deviceFlags) proof(g *global) (*pki.Credential, *installcode.Code, error) {
	if d.code == "" {
		own, err := input(pki.Device(g.path(d.pkiDir, "pki"), d.eui64))
		return own, nil, err
	}
	code, err := installcode.Parse(d.code)
	if err != nil {
		return nil, nil, badInput("--install-code: %w", err)
	}
	return nil, &code, nil
}

// meterFlags are what a meter needs besides.
type meterFlags struct {
	deviceFlags
	trust              flagvalue.Trust
	messages           seal.Policy
	storageKey         string
	make               makeFlags
	factoryFile        string
	slotSize           flagvalue.Bytes
	driftPPM           int64
	checkPeriod        time.Duration
	period, firstDelay time.Duration
	budget, awake      time.Duration
	lowBattery         int64
	battery            batteryFlag
	blocks             blockFlags
}

func newMeterKind(g *global, kind store.Kind, use, short string) *cobra.Command {
	m := meterFlags{
		slotSize: home.DefaultSlotCapacity, battery: newBatteryFlag(),
	}
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `. Its flash is a file in the state folder: killed at any instant, it goes on where it was.
A new meter leaves the factory with firmware signed by the manufacturer in the certificates folder.`,
		Example: fmt.Sprintf("  commshub meter %s --broker mqtts://127.0.0.1:8883", use),
		RunE: func(cmd *cobra.Command, _ []string) error {
			description, err := m.describe(cmd.Context(), g, kind)
			if err != nil {
				return err
			}
			o, err := m.options(g, kind)
			if err != nil {
				return err
			}
			if o.StorageKey, err = input(storagekey.Read(m.storageKey)); err != nil {
				return err
			}
			if m.trust == flagvalue.Trust(bootloader.TrustAny) {
				o.Log.Warn("this meter takes any image that fits its hardware: for laboratories only")
			}
			return m.run(cmd.Context(), kind, o, func(ctx context.Context) (*live.Device, error) {
				return live.StartMeter(ctx, description, g.path("", "meters"), o)
			})
		},
	}
	m.register(cmd)
	f := cmd.Flags()
	f.Var(&m.trust, "trust", "what the meter demands of an image: signed, or any (laboratories only)")
	f.Var(&m.messages, "messages", "which GBCS commands the meter takes: signed, or any (laboratories only)")
	m.make.register(f)
	storageKeyFlag(f, &m.storageKey)
	f.StringVar(&m.factoryFile, "factory-image", "", "OTA file that a new meter is made with, and for which auto is what it says (default: a made-up one)")
	f.Var(&m.slotSize, "slot-size", "largest image that the meter takes")
	f.Int64Var(&m.driftPPM, "drift", 0, "drift of the meter's clock in parts per million")
	f.DurationVar(&m.checkPeriod, "check-period", home.DefaultCheckPeriod, "how often the running meter checks its memory, emulated time")
	m.battery.register(f, "what the meter's charge is reckoned from")
	m.blocks.register(f, "most bytes of an image that the meter asks for in one block, 1 to 255")
	if kind == store.KindGSME {
		f.DurationVar(&m.period, "heartbeat", gasproxy.DefaultPeriod, "heartbeat period, emulated time")
		f.DurationVar(&m.firstDelay, "first-heartbeat", 0, "emulated time from the start to the first heartbeat")
		f.Int64Var(&m.lowBattery, "low-battery", home.DefaultLowBattery, "charge in percent of a new cell under which the supplier is told (8F1F)")
		f.DurationVar(&m.awake, "awake", gasproxy.DefaultAwake, "how long a window lasts at most, emulated time; never more than half of the heartbeat period")
		f.DurationVar(&m.budget, "budget", 0, "radio-on time that the meter allows itself per window (default: no limit of its own)")
	}
	return cmd
}

func (m *meterFlags) describe(ctx context.Context, g *global, kind store.Kind) (home.Meter, error) {
	if m.slotSize < 4096 || int(m.slotSize) > ota.MaxFileSize {
		return home.Meter{}, badInput("--slot-size %d: want 4096 to %d bytes", m.slotSize, ota.MaxFileSize)
	}
	if kind == store.KindGSME {
		if err := checkHeartbeat(m.period); err != nil {
			return home.Meter{}, err
		}
	}
	if kind == store.KindGSME && (m.awake < time.Second || m.awake > 24*time.Hour) {
		return home.Meter{}, badInput("--awake %v: want 1s to 24h", m.awake)
	}
	if m.checkPeriod < time.Minute {
		return home.Meter{}, badInput("--check-period %v: want at least 1m", m.checkPeriod)
	}
	if err := m.blocks.check(); err != nil {
		return home.Meter{}, err
	}
	if m.lowBattery < 0 || m.lowBattery > 100 {
		return home.Meter{}, badInput("--low-battery %d: want 0 to 100", m.lowBattery)
	}
	if err := m.identify(g, kind); err != nil {
		return home.Meter{}, err
	}
	pkiDir := g.path(m.pkiDir, "pki")
	manufacturer, err := input(pki.SignerKey(pkiDir, pki.RoleManufacturer))
	if err != nil {
		return home.Meter{}, err
	}
	supplier, err := input(pki.SignerKey(pkiDir, pki.RoleSupplier))
	if err != nil {
		return home.Meter{}, err
	}
	policy := bootloader.Policy{Trust: bootloader.Trust(m.trust), Manufacturer: manufacturer}
	factory, err := m.factory(ctx, &policy, pkiDir)
	if err != nil {
		return home.Meter{}, err
	}
	out := home.NewMeter(m.eui64, kind, policy, factory)
	out.SupplierKey, out.Messages = supplier, m.messages
	out.Battery = m.battery.model.Set
	out.OTA.MaxDataSize, out.OTA.PageSize = uint8(m.blocks.block), uint16(m.blocks.page)
	out.SlotCapacity, out.DriftPPM, out.CheckPeriod = int(m.slotSize), m.driftPPM, m.checkPeriod
	out.Period, out.FirstHeartbeat, out.Awake, out.Budget.RadioOn = m.period, m.firstDelay, m.awake, m.budget
	out.LowBattery = m.lowBattery
	return out, nil
}

// checkHeartbeat refuses a heartbeat period that no meter can keep.
func checkHeartbeat(period time.Duration) error {
	if period < 10*time.Second || period > 24*time.Hour {
		return badInput("--heartbeat %v: want 10s to 24h", period)
	}
	return nil
}

// factory returns the image that a new meter is made with, and completes the policy by
// what the meter is made as.
func (m *meterFlags) factory(ctx context.Context, policy *bootloader.Policy, pkiDir string) ([]byte, error) {
	if m.factoryFile == "" {
		made, err := m.make.read(ctx)
		if err != nil {
			return nil, err
		}
		policy.Vendor, policy.Class, policy.Hardware = made.Vendor, made.Class, made.Hardware
		manufacturer, supplier, err := pki.Signers(pkiDir)
		if err != nil {
			return nil, inputError{err}
		}
		return imagebuild.Factory(made, manufacturer.Key, supplier.Key)
	}
	im, err := readImageFile(ctx, m.factoryFile)
	if err != nil {
		return nil, err
	}
	made, err := m.make.madeWith(im.Header)
	if err != nil {
		return nil, err
	}
	policy.Vendor, policy.Class, policy.Hardware = made.Vendor, made.Class, made.Hardware
	if _, err := bootloader.Verify(*policy, im.File, 0); err != nil {
		return nil, badInput("%s: the meter would not run it: %w", m.factoryFile, err)
	}
	return im.File, nil
}

// run starts a device and runs it until ctx is done or it cannot go on.
func (d *deviceFlags) run(ctx context.Context, kind store.Kind, o live.DeviceOptions, start func(ctx context.Context) (*live.Device, error)) error {
	var started atomic.Pointer[live.Device]
	stopHealth, err := live.ServeHealth(d.health, version, o.StorageKey != nil, func() string {
		if device := started.Load(); device == nil || !device.Joined() {
			return "no DTLS session with the hub"
		}
		return ""
	})
	if err != nil {
		return badInput("--health %w", err)
	}
	o.Log.Info("starting", "device", kind.String(), "eui64", d.eui64, "broker", d.broker.URL, "encrypted_at_rest", o.StorageKey != nil)
	device, err := start(ctx)
	if err != nil {
		err = errors.Join(err, stopHealth())
		if ctx.Err() != nil {
			return nil // stopped before it was up
		}
		return inputError{err}
	}
	started.Store(device)
	o.Log.Info("ready")
	select {
	case <-ctx.Done():
	case err = <-device.Done():
	}
	err = errors.Join(err, stopHealth(), device.Close())
	if err != nil {
		return outcomeError{oneLine(err)}
	}
	o.Log.Info("stopped; its state is kept")
	return nil
}

func newDisplay(g *global) *cobra.Command {
	var d deviceFlags
	var every time.Duration
	var prepayment bool
	cmd := &cobra.Command{
		Use:   "ihd",
		Short: "Run an in-home display",
		Long: `Run an in-home display. It reads the gas meter's readings from the hub's mirror at any time, without
waking the meter, and prints them with their age.`,
		Example: "  commshub meter ihd",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := d.options(g, store.KindIHD)
			if err != nil {
				return err
			}
			o.Observer, o.Prepayment = han.Observers(story.Readings(cmd.OutOrStdout(), every), o.Observer), prepayment
			return d.run(cmd.Context(), store.KindIHD, o, func(ctx context.Context) (*live.Device, error) {
				return live.StartDisplay(ctx, d.eui64, o)
			})
		},
	}
	d.register(cmd)
	cmd.Flags().DurationVar(&every, "print-every", 0, "wall time from one reading printed to the next (default: print all)")
	cmd.Flags().BoolVar(&prepayment, "prepayment", false, "show the gas meter's balance too")
	return cmd
}
