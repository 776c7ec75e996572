package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/gsme"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/scenario"
)

func newMeter(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "meter",
		Short: "Run a device: gas meter, electricity meter or in-home display",
		Example: `  commshub meter gsme --eui64 00DB1234567890A1
  commshub meter esme --eui64 00DB1234567890A0
  commshub meter ihd`,
	}
	cmd.AddCommand(
		newMeterKind(g, hub.KindGSME, "gsme", "Run a gas meter", scenario.DefaultGSME),
		newMeterKind(g, hub.KindESME, "esme", "Run an electricity meter", scenario.DefaultESME),
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
	health string
}

func (d *deviceFlags) register(cmd *cobra.Command, def han.EUI64) {
	d.eui64, d.hub = def, hub.DefaultConfig()
	cmd.Flags().Var((*eui64Flag)(&d.eui64), "eui64", "the device's own address")
	hubIdentity(cmd.Flags(), &d.hub)
	d.broker.register(cmd, defaultBrokerURL)
	pkiFlag(cmd, &d.pkiDir)
	cmd.Flags().StringVar(&d.health, "health", "", "address that answers commshub health, such as 127.0.0.1:8081 (default: none)")
}

// options opens the device's certificate and returns how it reaches its hub.
func (d *deviceFlags) options(g *global) (scenario.LiveDeviceOptions, error) {
	if d.health != "" {
		if err := listenAddress("health", d.health); err != nil {
			return scenario.LiveDeviceOptions{}, err
		}
	}
	log, err := g.logger()
	if err != nil {
		return scenario.LiveDeviceOptions{}, err
	}
	own, err := credential(g.path(d.pkiDir, "pki"), d.eui64)
	if err != nil {
		return scenario.LiveDeviceOptions{}, err
	}
	broker, err := d.broker.broker(own)
	return scenario.LiveDeviceOptions{
		Hub: d.hub, Broker: broker, Credential: own, Records: recordLogger(log), Log: log,
	}, err
}

// meterFlags are what a meter needs besides.
type meterFlags struct {
	deviceFlags
	trust              trustFlag
	vendor, class      hex16
	hardware           hex16
	factoryVersion     hex32
	factoryFile        string
	slotSize           byteSize
	driftPPM           int64
	period, firstDelay time.Duration
	budget             time.Duration
	lowBattery         int64
	battery            batteryFlag
	blocks             blockFlags
}

func newMeterKind(g *global, kind hub.Kind, use, short string, def han.EUI64) *cobra.Command {
	m := meterFlags{
		vendor: hex16(imagebuild.DefaultVendor), class: hex16(imagebuild.DefaultClass), hardware: hex16(imagebuild.DefaultHardware),
		factoryVersion: 0x01000000, slotSize: scenario.DefaultSlotCapacity, battery: newBatteryFlag(),
	}
	cmd := &cobra.Command{
		Use:   use,
		Short: short,
		Long: short + `. Its flash is a file in the state folder: killed at any instant, it goes on where it was.
A new meter leaves the factory with firmware signed by the manufacturer in the certificates folder.`,
		Example: fmt.Sprintf("  commshub meter %s --eui64 %s --broker mqtts://127.0.0.1:8883", use, def),
		RunE: func(cmd *cobra.Command, _ []string) error {
			description, err := m.describe(g, kind)
			if err != nil {
				return err
			}
			o, err := m.options(g)
			if err != nil {
				return err
			}
			if m.trust == trustFlag(bootloader.TrustAny) {
				o.Log.Warn("this meter takes any image that fits its hardware: for laboratories only")
			}
			return m.run(cmd.Context(), kind, o, func(ctx context.Context) (*scenario.LiveDevice, error) {
				return scenario.StartMeter(ctx, description, g.path("", "meters"), o)
			})
		},
	}
	m.register(cmd, def)
	f := cmd.Flags()
	f.Var(&m.trust, "trust", "what the meter demands of an image: signed, or any (laboratories only)")
	f.Var(&m.vendor, "manufacturer-code", "Zigbee manufacturer code")
	f.Var(&m.class, "image-type", "Zigbee image type")
	f.Var(&m.hardware, "hardware", "hardware version")
	f.Var(&m.factoryVersion, "factory-version", "version of the firmware a new meter is made with")
	f.StringVar(&m.factoryFile, "factory-image", "", "OTA file that a new meter is made with (default: a made-up one)")
	f.Var(&m.slotSize, "slot-size", "largest image that the meter takes")
	f.Int64Var(&m.driftPPM, "drift", 0, "drift of the meter's clock in parts per million")
	m.battery.register(f, "what the meter's charge is reckoned from")
	m.blocks.register(f, "most bytes of an image that the meter asks for in one block, 1 to 255")
	if kind == hub.KindGSME {
		f.DurationVar(&m.period, "heartbeat", gsme.DefaultPeriod, "heartbeat period, emulated time")
		f.DurationVar(&m.firstDelay, "first-heartbeat", 0, "emulated time from the start to the first heartbeat")
		f.Int64Var(&m.lowBattery, "low-battery", scenario.DefaultLowBattery, "charge in percent of a new cell under which the supplier is told (8F1F)")
		f.DurationVar(&m.budget, "budget", 0, "radio-on time that the meter allows itself per window (default: no limit of its own)")
	}
	return cmd
}

func (m *meterFlags) describe(g *global, kind hub.Kind) (scenario.Meter, error) {
	if m.slotSize < 4096 || int(m.slotSize) > ota.MaxFileSize {
		return scenario.Meter{}, badInput("--slot-size %d: want 4096 to %d bytes", m.slotSize, ota.MaxFileSize)
	}
	if kind == hub.KindGSME && (m.period < time.Minute || m.period > 24*time.Hour) {
		return scenario.Meter{}, badInput("--heartbeat %v: want 1m to 24h", m.period)
	}
	if err := m.blocks.check(); err != nil {
		return scenario.Meter{}, err
	}
	if m.lowBattery < 0 || m.lowBattery > 100 {
		return scenario.Meter{}, badInput("--low-battery %d: want 0 to 100", m.lowBattery)
	}
	pkiDir := g.path(m.pkiDir, "pki")
	manufacturer, err := signerKey(pkiDir, pki.RoleManufacturer)
	if err != nil {
		return scenario.Meter{}, err
	}
	supplier, err := signerKey(pkiDir, pki.RoleSupplier)
	if err != nil {
		return scenario.Meter{}, err
	}
	policy := bootloader.Policy{
		Trust: bootloader.Trust(m.trust), Manufacturer: manufacturer,
		Vendor: uint16(m.vendor), Class: uint16(m.class), Hardware: uint16(m.hardware),
	}
	factory, err := m.factory(policy, pkiDir)
	if err != nil {
		return scenario.Meter{}, err
	}
	out := scenario.NewMeter(m.eui64, kind, policy, factory)
	out.SupplierKey = supplier
	out.Battery = m.battery.model.Set
	out.OTA.MaxDataSize, out.OTA.PageSize = uint8(m.blocks.block), uint16(m.blocks.page)
	out.SlotCapacity, out.DriftPPM = int(m.slotSize), m.driftPPM
	out.Period, out.FirstHeartbeat, out.Budget.RadioOn = m.period, m.firstDelay, m.budget
	out.LowBattery = m.lowBattery
	return out, nil
}

// factory returns the image that a new meter is made with.
func (m *meterFlags) factory(policy bootloader.Policy, pkiDir string) ([]byte, error) {
	if m.factoryFile != "" {
		im, _, err := readImageFile(m.factoryFile)
		if err != nil {
			return nil, err
		}
		if _, err := bootloader.Verify(policy, im.File, 0); err != nil {
			return nil, badInput("%s: the meter would not run it: %w", m.factoryFile, err)
		}
		return im.File, nil
	}
	manufacturer, supplier, err := signers(pkiDir)
	if err != nil {
		return nil, err
	}
	return factoryImage(policy, uint32(m.factoryVersion), manufacturer, supplier)
}

// factoryImage builds the small image that meters are made with.
func factoryImage(policy bootloader.Policy, version uint32, manufacturer, supplier *pki.Credential) ([]byte, error) {
	spec := imagebuild.DefaultSpec(version)
	spec.ID.Manufacturer, spec.ID.ImageType = policy.Vendor, policy.Class
	spec.HardwareMin, spec.HardwareMax = policy.Hardware, policy.Hardware
	spec.Text = "commshub factory image"
	spec.Payload = imagebuild.SamplePayload(bootloader.ProgramWorks, version, 0, 2048)
	return imagebuild.Build(spec, manufacturer.Key, supplier.Key)
}

// run starts a device and runs it until ctx is done or it cannot go on.
func (d *deviceFlags) run(ctx context.Context, kind hub.Kind, o scenario.LiveDeviceOptions, start func(ctx context.Context) (*scenario.LiveDevice, error)) error {
	var started atomic.Pointer[scenario.LiveDevice]
	stopHealth, err := serveHealth(d.health, func() bool {
		device := started.Load()
		return device != nil && device.Joined()
	})
	if err != nil {
		return err
	}
	o.Log.Info("starting", "device", kind.String(), "eui64", d.eui64, "broker", d.broker.url)
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
	cmd := &cobra.Command{
		Use:   "ihd",
		Short: "Run an in-home display",
		Long: `Run an in-home display. It reads the gas meter's readings from the hub's mirror at any time, without
waking the meter, and prints them with their age.`,
		Example: "  commshub meter ihd --eui64 00DB1234567890A4",
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := d.options(g)
			if err != nil {
				return err
			}
			o.Records = displayRecords(cmd.OutOrStdout(), every, o.Records)
			return d.run(cmd.Context(), hub.KindIHD, o, func(ctx context.Context) (*scenario.LiveDevice, error) {
				return scenario.StartDisplay(ctx, d.eui64, o)
			})
		},
	}
	d.register(cmd, scenario.DefaultIHD)
	cmd.Flags().DurationVar(&every, "print-every", 0, "wall time from one reading printed to the next (default: print all)")
	return cmd
}
