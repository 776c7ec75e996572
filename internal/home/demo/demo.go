// Package demo runs a whole home in one process, over real MQTT and DTLS with an
// accelerated clock: broker, hub with its interface, electricity meter, gas meter and
// in-home display. An image is uploaded and offered to both meters; who watches plays
// the supplier.
package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/client"
	"github.com/commshub/commshub/hub/headend"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/atrest"
	"github.com/commshub/commshub/internal/home"
	"github.com/commshub/commshub/internal/home/bridge"
	"github.com/commshub/commshub/internal/home/live"
	"github.com/commshub/commshub/internal/home/served"
	"github.com/commshub/commshub/internal/imagebuild"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/broker"
	"github.com/commshub/commshub/transport/fault"
)

// Options describe a demo.
type Options struct {
	Config hub.Config
	Number home.Number // whose EUI64s the members have, in place of those in Config
	// Dir is the folder of everything; one that a demo was stopped in goes on.
	Dir        string
	StorageKey *atrest.Key // that what is kept there is encrypted with; nil for none
	Image      *ota.Image
	Trust      bootloader.Trust // what the meters demand of an image
	// HeadEnd says which images the hub takes.
	HeadEnd headend.Config
	Speed   float64 // emulated seconds per second
	Seed    uint64  // of the gas meter's phase, and of the radio links' dice
	// Link is what goes wrong with what anybody sends, Heartbeat the gas meter's period.
	Link      fault.Link
	Heartbeat time.Duration
	// MaxDataSize and PageSize are what the meters ask for at once, in bytes.
	MaxDataSize uint8
	PageSize    uint16
	// Lab lets faults be ordered.
	Lab bool
	// Broker, if set, says how the holder of a certificate reaches somebody else's
	// broker; without it the home has its own.
	Broker func(c *pki.Credential) (live.Broker, error)
	// Listener is where the hub's interface answers. Start closes it if it fails.
	Listener net.Listener
	Version  string // of the program, as the interface tells it
	Token    string // that changes over the interface need; "" for none
	Fresh    bool   // the token was made just now, and is shown
	Hosts    []string
	// Bridge runs beside the hub, if it is set, and logs to BridgeLog.
	Bridge    *bridge.Config
	BridgeLog *slog.Logger
	// Log takes the hub's warnings.
	Log *slog.Logger
	// Observer sees the records of all nodes, and the frames of the hub.
	Observer han.Observer
	// Say tells a person what no record stands for.
	Say func(format string, args ...any)
}

// InputError says that something in the options cannot be used.
type InputError struct{ Err error }

// Error implements error.
func (e *InputError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *InputError) Unwrap() error { return e.Err }

func input(err error) error {
	if err == nil {
		return nil
	}
	return &InputError{err}
}

// PKI returns the folder of certificates in the folder of a demo.
func PKI(dir string) string { return filepath.Join(dir, "pki") }

// Home is a whole home in this process.
type Home struct {
	opt       Options
	observer  han.Observer
	authority *pki.Authority
	broker    *broker.Broker // nil if somebody else's is used
	passwords map[string]string
	hub       *served.Hub
	devices   deviceSet
	members   home.Devices // besides the hub
	meters    []*meter
	changed   chan struct{} // something happened
	closers   []func() error
}

// meter is a meter of a demo.
type meter struct {
	kind   store.Kind
	eui    han.EUI64
	device *live.Device
	before uint32 // version when the demo began
}

// Members returns who is in a home besides its hub. An image that is for one device alone
// finds it there: the gas meter is it, unless another meter is.
func Members(number home.Number, h ota.ImageHeader) home.Devices {
	members := number.Devices()
	if !h.HasDestination || slices.ContainsFunc(members, func(d home.Device) bool { return d.EUI64 == h.Destination }) {
		return members
	}
	for i := range members {
		if members[i].Kind == store.KindGSME {
			members[i].EUI64 = h.Destination
		}
	}
	return members
}

// isFor reports whether the image is for a device.
func (h *Home) isFor(eui han.EUI64) bool {
	header := h.opt.Image.Header
	return !header.HasDestination || header.Destination == eui
}

// Start starts everything and has the image offered to the meters that it is for.
func Start(ctx context.Context, o Options) (*Home, error) {
	o.Config = o.Number.Hub(o.Config)
	h := &Home{opt: o, members: Members(o.Number, o.Image.Header), passwords: map[string]string{}, changed: make(chan struct{}, 1)}
	h.observer = han.Observers(o.Observer, han.Observer{Record: h.rouse})
	for _, step := range []func(context.Context) error{
		h.startBroker, h.startHub, h.fillDeviceLog, h.upload, h.startMeters, h.startDisplay, h.distribute, h.startBridge, h.letRun,
	} {
		if err := step(ctx); err != nil {
			_ = o.Listener.Close() // the hub has it, unless it was not reached
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// member returns the EUI64 of the member of a kind.
func (h *Home) member(kind store.Kind) han.EUI64 {
	i := slices.IndexFunc(h.members, func(d home.Device) bool { return d.Kind == kind })
	return h.members[i].EUI64
}

// startHub starts the hub and waits for its broker.
func (h *Home) startHub(ctx context.Context) error {
	c, b, err := h.credentials(h.opt.Config.EUI64)
	if err != nil {
		return err
	}
	o := served.Options{
		Hub: live.HubOptions{
			Config: h.opt.Config, Dir: filepath.Join(h.opt.Dir, "hub"), Broker: b, Credential: c, Keys: h.keys(),
			StorageKey: h.opt.StorageKey, Log: h.opt.Log,
			HeadEnd: h.opt.HeadEnd, Speed: h.opt.Speed, Seed: h.opt.Seed, Link: h.opt.Link, Paused: true,
			Observe: func(*live.Hub) han.Observer { return h.observer },
		},
		Listener: h.opt.Listener, Version: h.opt.Version, Token: h.opt.Token, Hosts: h.opt.Hosts,
		Lab: h.opt.Lab, Device: h.devices.get,
	}
	if h.hub, err = served.Start(ctx, o); err != nil {
		return input(err)
	}
	h.closers = append(h.closers, h.hub.Close)
	if err := h.awaitBroker(ctx); err != nil {
		return err
	}
	switch {
	case h.opt.Fresh:
		h.opt.Say("to change something from a browser (api token, shown once), open %s/#token=%s", h.hub.URL(), h.opt.Token)
	case h.opt.Token != "":
		h.opt.Say("to change something from a browser, open what commshub token --link --api %s --state %s prints", h.hub.URL(), h.opt.Dir)
	}
	h.opt.Say("hub ready; REST interface at %s/v1, one second is %g emulated ones, pacing %s", h.hub.URL(), h.opt.Speed, h.opt.Config.Policy)
	return nil
}

// keys returns the keys for GBCS messages.
func (h *Home) keys() home.Keyring { return live.Keys(PKI(h.opt.Dir), h.opt.Config.Supplier) }

// startPatience is how long a part of the home may take to start, on the wall clock.
const startPatience = 30 * time.Second

// awaitBroker waits until the hub has its broker. The home's own broker may say before
// that it cannot serve.
func (h *Home) awaitBroker(ctx context.Context) error {
	var up bool
	trouble := func() string {
		if h.broker == nil {
			return ""
		}
		return h.broker.Trouble()
	}
	err := h.await(ctx, func() bool {
		up, _ = h.hub.BrokerUp()
		return up || trouble() != ""
	})
	if up {
		return nil
	}
	parts := []string{"the broker does not serve the hub"}
	for _, why := range []string{h.hub.BrokerReason(), trouble()} {
		if why != "" {
			parts = append(parts, why)
		}
	}
	return errors.Join(errors.New(strings.Join(parts, ": ")), err)
}

// await waits as long as a part may take to start.
func (h *Home) await(ctx context.Context, done func() bool) error {
	limited, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("not within %v", startPatience))
	defer cancel()
	if err := h.wait(limited, done); err != nil {
		return context.Cause(limited)
	}
	return nil
}

func (h *Home) fillDeviceLog(context.Context) error {
	for _, d := range h.members {
		if _, there := h.hub.Store.Device(d.EUI64); there {
			continue
		}
		if err := h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
			return hb.AddDevice(now, out, store.Device{EUI64: d.EUI64, Kind: d.Kind})
		}); err != nil {
			return err
		}
	}
	return nil
}

// upload puts the image into the hub the way a supplier does.
func (h *Home) upload(ctx context.Context) error {
	c, err := h.client()
	if err != nil {
		return err
	}
	return c.Upload(ctx, bytes.NewReader(h.opt.Image.File), int64(len(h.opt.Image.File)), false, &api.Image{})
}

func (h *Home) client() (*client.Client, error) { return client.New(h.hub.URL(), h.opt.Token) }

// labReserve is the share of its cell, in percent, that the gas meter of a demo for
// faults keeps from downloads: drained below, it downloads nothing any more.
const labReserve = 5

func (h *Home) startMeters(ctx context.Context) error {
	manufacturer, supplier, err := pki.Signers(PKI(h.opt.Dir))
	if err != nil {
		return input(err)
	}
	// The meters have burnt in what the image asks for.
	made, err := imagebuild.MakeFor(imagebuild.Published{Header: h.opt.Image.Header})
	if err != nil {
		return err
	}
	factory, err := imagebuild.Factory(made, manufacturer.Key, supplier.Key)
	if err != nil {
		return err
	}
	policy := bootloader.Policy{
		Trust: h.opt.Trust, Manufacturer: &manufacturer.Key.PublicKey,
		Vendor: made.Vendor, Class: made.Class, Hardware: made.Hardware,
	}
	dice := mathrand.New(mathrand.NewPCG(h.opt.Seed, uint64(h.member(store.KindGSME))))
	for _, d := range h.members {
		if !d.Kind.IsMeter() {
			continue
		}
		m := home.NewMeter(d.EUI64, d.Kind, policy, factory)
		m.Battery = h.opt.Config.Battery
		m.OTA.MaxDataSize, m.OTA.PageSize = h.opt.MaxDataSize, h.opt.PageSize
		m.SupplierKey = &supplier.Key.PublicKey
		m.Period = h.opt.Heartbeat
		m.FirstHeartbeat = time.Duration(dice.Int64N(int64(min(time.Minute, m.Period))))
		if h.opt.Lab {
			m.Budget.Reserve = m.Battery.Capacity() / 100 * labReserve
		}
		m.SlotCapacity = max(m.SlotCapacity, len(h.opt.Image.File))
		if err := h.startMeter(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (h *Home) startMeter(ctx context.Context, description home.Meter) error {
	o, err := h.deviceOptions(description.EUI64)
	if err != nil {
		return err
	}
	m := &meter{kind: description.Kind, eui: description.EUI64}
	dir := filepath.Join(h.opt.Dir, "meters")
	if err := h.lostMeter(dir, m); err != nil {
		return input(err)
	}
	if m.device, err = live.StartMeter(ctx, description, dir, o); err != nil {
		return input(err)
	}
	h.devices.put(m.eui, m.device)
	h.closers = append(h.closers, m.device.Close)
	h.meters = append(h.meters, m)
	bricked := false
	err = h.await(ctx, func() bool {
		s, ok := m.device.MeterStatus()
		m.before, bricked = s.Version, s.Bricked
		return ok && (s.Version != 0 || s.Bricked)
	})
	switch {
	case err != nil:
		return fmt.Errorf("the %s did not start: %w", m.kind, err)
	case bricked:
		return input(fmt.Errorf("folder %s: the %s in it has no image left to run", h.opt.Dir, m.kind))
	}
	return nil
}

// lostMeter refuses a meter that the hub has heard before and whose memory is nowhere in
// its folder: it would leave the factory a second time.
func (h *Home) lostMeter(dir string, m *meter) error {
	d, _ := h.hub.Store.Device(m.eui)
	if h.hub.Store.LastHeard(d) == 0 {
		return nil
	}
	if _, err := os.Stat(live.FlashFile(dir, m.eui)); !errors.Is(err, fs.ErrNotExist) {
		return nil // StartMeter says what is wrong with it
	}
	return fmt.Errorf("%s is missing, but the hub in %s has heard this %s before; put its flash back from a copy, or remove %s to begin with a new home",
		live.FlashFile(dir, m.eui), h.opt.Dir, m.kind, h.opt.Dir)
}

func (h *Home) deviceOptions(eui han.EUI64) (live.DeviceOptions, error) {
	c, b, err := h.credentials(eui)
	return live.DeviceOptions{
		Hub: h.opt.Config, Broker: b, Credential: c, Keys: h.keys(), StorageKey: h.opt.StorageKey, Clock: h.hub.Clock, Seed: h.opt.Seed, Link: h.opt.Link,
		Observer: han.Observers(h.hub.DeviceObserver(), han.Observer{Record: h.observer.Record}),
	}, err
}

func (h *Home) startDisplay(ctx context.Context) error {
	eui := h.member(store.KindIHD)
	o, err := h.deviceOptions(eui)
	if err != nil {
		return err
	}
	d, err := live.StartDisplay(ctx, eui, o)
	if err != nil {
		return input(err)
	}
	h.devices.put(eui, d)
	h.closers = append(h.closers, d.Close)
	return nil
}

// FolderPrefix begins the name of the folder of a demo that keeps nothing.
const FolderPrefix = "commshub-demo-"

const bridgeFolder = "bridge"

// killed returns the folders of the bridges of demos that kept nothing, as the one in dir:
// those that are still there, and not in use, were killed, and their homes are gone.
func killed(dir string) []string {
	if !strings.HasPrefix(filepath.Base(dir), FolderPrefix) {
		return nil
	}
	all, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), FolderPrefix+"*", bridgeFolder)) // the pattern is good
	return slices.DeleteFunc(all, func(other string) bool { return filepath.Dir(other) == dir })
}

// startBridge starts the bridge, if one was asked for.
func (h *Home) startBridge(ctx context.Context) error {
	c, err := h.client()
	if err != nil {
		return err
	}
	h.opt.Bridge.TakeBack(killed(h.opt.Dir))
	b, err := h.opt.Bridge.Start(ctx, c, filepath.Join(h.opt.Dir, bridgeFolder), h.opt.BridgeLog)
	if err != nil {
		return input(err)
	}
	h.hub.Beside(b.Trouble)
	h.closers = append(h.closers, b.Close)
	return nil
}

// letRun lets the clock run: so far it stood, so that everybody began at the same
// instant, however long the machine took.
func (h *Home) letRun(context.Context) error {
	h.hub.Clock.Resume()
	return nil
}

// rouse wakes whoever waits for something.
func (h *Home) rouse(*trace.Record) {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// wait returns when done reports true, looking whenever something happened.
func (h *Home) wait(ctx context.Context, done func() bool) error {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-h.changed:
			// Not at each block: looking costs more than a block.
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// Close stops everything, the last started first.
func (h *Home) Close() error {
	var failed error
	for i := len(h.closers) - 1; i >= 0; i-- {
		failed = errors.Join(failed, h.closers[i]())
	}
	h.closers = nil
	return failed
}
