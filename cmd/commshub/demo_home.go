package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/hub/api"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/pki"
	"github.com/commshub/commshub/internal/scenario"
	"github.com/commshub/commshub/internal/trace"
	"github.com/commshub/commshub/transport/broker"
	"github.com/commshub/commshub/transport/link"
)

// demoMeter is a meter of a demo.
type demoMeter struct {
	kind   hub.Kind
	eui    han.EUI64
	device *scenario.LiveDevice
	before uint32 // version when the demo began
}

// demoHome is a whole home in this process.
type demoHome struct {
	flags     *demoFlags
	image     *ota.Image
	authority *pki.Authority
	broker    *broker.Broker // nil if somebody else's is used
	passwords map[string]string
	hub       *scenario.LiveHub
	api       *apiServer
	apiURL    string
	devices   deviceSet
	meters    []*demoMeter
	display   *scenario.LiveDevice
	view      *transferView
	changed   chan struct{} // something happened
	closers   []func() error
}

func demoPKI(dir string) string { return filepath.Join(dir, "pki") }

// startDemo starts everything and has the image offered to both meters.
func startDemo(ctx context.Context, d *demoFlags, dir string, image *ota.Image, w io.Writer) (*demoHome, error) {
	config := d.hubConfig()
	h := &demoHome{
		flags: d, image: image, passwords: map[string]string{}, changed: make(chan struct{}, 1),
		view: newTransferView(w, map[han.EUI64]string{
			config.EUI64: "hub", scenario.DefaultESME: "ESME", scenario.DefaultGSME: "GSME", scenario.DefaultIHD: "IHD",
		}),
	}
	steps := []func() error{
		func() error { return h.startBroker(config, dir) },
		func() error { return h.startHub(ctx, config, dir) },
		func() error { return h.fillDeviceLog() },
		func() error { return h.upload(ctx) },
		func() error { return h.startMeters(ctx, config, dir) },
		func() error { return h.distribute() },
		func() error { return h.startBridge(ctx, dir) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			h.view.close()
			return nil, errors.Join(err, h.close())
		}
	}
	return h, nil
}

// startBroker starts the embedded broker with a password for everybody, unless
// another one was named.
func (h *demoHome) startBroker(config hub.Config, dir string) error {
	var err error
	if h.authority, err = openAuthority(demoPKI(dir)); err != nil {
		return err
	}
	if h.flags.broker.url != "" {
		return nil
	}
	accounts := map[string]broker.Account{}
	add := func(eui han.EUI64, grant broker.Grant) {
		h.passwords[eui.String()] = rand.Text()
		accounts[eui.String()] = broker.Account{Password: h.passwords[eui.String()], Grant: grant}
	}
	add(config.EUI64, broker.HubGrant(config.EUI64))
	for _, eui := range []han.EUI64{scenario.DefaultESME, scenario.DefaultGSME, scenario.DefaultIHD} {
		add(eui, broker.DeviceGrant(config.EUI64, eui))
	}
	h.broker, err = broker.Start(broker.Options{StoreDir: filepath.Join(dir, "broker"), Accounts: accounts})
	if err != nil {
		return inputError{err}
	}
	h.closers = append(h.closers, h.broker.Close)
	return nil
}

// credentials returns a device's certificate and how it reaches the broker.
func (h *demoHome) credentials(eui han.EUI64) (*pki.Credential, link.Broker, error) {
	c, err := h.authority.Issue(eui, pki.RoleDevice)
	if err != nil {
		return nil, link.Broker{}, inputError{err}
	}
	if h.broker == nil {
		b, err := h.flags.broker.broker(c)
		return c, b, err
	}
	return c, link.Broker{URL: h.broker.URL(), Username: eui.String(), Password: h.passwords[eui.String()]}, nil
}

func (h *demoHome) startHub(ctx context.Context, config hub.Config, dir string) error {
	c, b, err := h.credentials(config.EUI64)
	if err != nil {
		return err
	}
	token, _, err := h.flags.token.resolve(dir, h.flags.listen)
	if err != nil {
		return err
	}
	listener, err := h.listen()
	if err != nil {
		return err
	}
	h.apiURL = apiURL(listener)
	h.api = &apiServer{token: token, hosts: h.flags.token.hosts, devices: h.devices.get}
	if h.flags.trust == trustFlag(bootloader.TrustSigned) {
		h.api.supplierIn = demoPKI(dir)
	}
	o := scenario.LiveHubOptions{
		Config: config, Dir: filepath.Join(dir, "hub"), Broker: b, Credential: c,
		Speed: h.flags.speed, Records: h.take,
	}
	h.api.observe(&o, h.flags.lab)
	h.hub, err = scenario.StartHub(ctx, o)
	if err != nil {
		return inputError{errors.Join(err, listener.Close())}
	}
	h.closers = append(h.closers, h.hub.Close)
	if err := h.api.serve(listener, h.hub); err != nil {
		return errors.Join(err, listener.Close())
	}
	h.closers = append(h.closers, h.api.stop)
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := h.hub.WaitUp(wait); err != nil {
		return outcomeError{fmt.Sprintf("the broker does not answer: %v", err)}
	}
	if token != "" {
		h.view.say("to change something from a browser, open %s/#token=%s", h.apiURL, token)
	}
	h.view.say("hub ready; REST interface at %s/v1, one second is %g emulated ones, pacing %s", h.apiURL, h.flags.speed, h.flags.policy.Policy)
	return nil
}

// listen takes the address asked for. If nobody asked, a free one will do.
func (h *demoHome) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", h.flags.listen)
	if err != nil && !h.flags.listenSet {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, badInput("--listen %s: %w", h.flags.listen, err)
	}
	return listener, nil
}

func (h *demoHome) fillDeviceLog() error {
	for eui, kind := range map[han.EUI64]hub.Kind{
		scenario.DefaultESME: hub.KindESME, scenario.DefaultGSME: hub.KindGSME, scenario.DefaultIHD: hub.KindIHD,
	} {
		if _, there := h.hub.Store.Device(eui); there {
			continue
		}
		if err := h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
			return hb.AddDevice(now, out, eui, kind)
		}); err != nil {
			return err
		}
	}
	return nil
}

// upload puts the image into the hub the way a supplier does.
func (h *demoHome) upload(ctx context.Context) error {
	c, err := clientOf(h.apiURL, h.api.token)
	if err != nil {
		return err
	}
	err = c.upload(ctx, bytes.NewReader(h.image.File), int64(len(h.image.File)), &api.Image{})
	if h.flags.imageFile != "" {
		err = prefixed(h.flags.imageFile, err)
	}
	return err
}

func (h *demoHome) startMeters(ctx context.Context, config hub.Config, dir string) error {
	manufacturer, supplier, err := signers(demoPKI(dir))
	if err != nil {
		return err
	}
	policy := h.flags.meterPolicy(h.image.Header)
	policy.Manufacturer = &manufacturer.Key.PublicKey
	factory, err := factoryImage(policy, factoryVersionFor(h.image.Header.FileVersion), manufacturer, supplier)
	if err != nil {
		return err
	}
	dice := mathrand.New(mathrand.NewPCG(h.flags.seed, uint64(scenario.DefaultGSME)))
	for _, m := range []demoMeter{{kind: hub.KindESME, eui: scenario.DefaultESME}, {kind: hub.KindGSME, eui: scenario.DefaultGSME}} {
		description := scenario.NewMeter(m.eui, m.kind, policy, factory)
		description.Battery = config.Battery
		description.OTA.MaxDataSize, description.OTA.PageSize = uint8(h.flags.blocks.block), uint16(h.flags.blocks.page)
		description.SupplierKey = &supplier.Key.PublicKey
		description.FirstHeartbeat = time.Duration(dice.Int64N(int64(time.Minute)))
		if h.flags.lab {
			description.Budget.Reserve = description.Battery.Capacity() / 100 * labReserve
		}
		description.SlotCapacity = max(description.SlotCapacity, len(h.image.File))
		if err := h.startMeter(ctx, config, dir, &m, description); err != nil {
			return err
		}
	}
	return h.startDisplay(ctx, config)
}

// labReserve is the share of its cell, in percent, that the gas meter of a demo for
// faults keeps from downloads: drained below, it downloads nothing any more.
const labReserve = 5

func (h *demoHome) deviceOptions(eui han.EUI64, config hub.Config) (scenario.LiveDeviceOptions, error) {
	c, b, err := h.credentials(eui)
	return scenario.LiveDeviceOptions{Hub: config, Broker: b, Credential: c, Clock: h.hub.Clock, Records: h.takeDevice}, err
}

func (h *demoHome) startMeter(ctx context.Context, config hub.Config, dir string, m *demoMeter, description scenario.Meter) error {
	o, err := h.deviceOptions(m.eui, config)
	if err != nil {
		return err
	}
	if m.device, err = scenario.StartMeter(ctx, description, filepath.Join(dir, "meters"), o); err != nil {
		return inputError{err}
	}
	h.devices.put(m.eui, m.device)
	h.closers = append(h.closers, m.device.Close)
	h.meters = append(h.meters, m)
	bricked := false
	err = h.wait(ctx, func() bool {
		s, ok := m.device.MeterStatus()
		m.before, bricked = s.Version, s.Bricked
		return ok && (s.Version != 0 || s.Bricked)
	})
	if err == nil && bricked {
		return badInput("--state %s: the %s in it was made for an image of another manufacturer, type or hardware version, or for another --trust", dir, m.kind)
	}
	return err
}

func (h *demoHome) startDisplay(ctx context.Context, config hub.Config) error {
	o, err := h.deviceOptions(scenario.DefaultIHD, config)
	if err != nil {
		return err
	}
	if h.display, err = scenario.StartDisplay(ctx, scenario.DefaultIHD, o); err != nil {
		return inputError{err}
	}
	h.devices.put(scenario.DefaultIHD, h.display)
	h.closers = append(h.closers, h.display.Close)
	return nil
}

// startBridge starts the bridge, if one was asked for. What it logs stands among
// what is told of the home.
func (h *demoHome) startBridge(ctx context.Context, dir string) error {
	b, err := h.flags.bridge.startBeside(ctx, h.apiURL, h.api.token, filepath.Join(dir, "bridge"), h.view.logger("bridge"))
	if err != nil {
		return err
	}
	h.closers = append(h.closers, b.stop)
	return nil
}

// distribute offers the image to the meters that have not had it yet.
func (h *demoHome) distribute() error {
	var devices []han.EUI64
	for _, m := range h.meters {
		if _, had := h.update(m.eui); !had && m.before != h.image.Header.FileVersion {
			devices = append(devices, m.eui)
		}
	}
	if len(devices) == 0 {
		return nil
	}
	return h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
		return hb.Distribute(now, out, h.image.FileHash(), devices)
	})
}

func (h *demoHome) update(eui han.EUI64) (store.Update, bool) {
	return h.hub.Store.Update(eui, h.image.FileHash())
}

// take shows a record and wakes whoever waits for something.
func (h *demoHome) take(r *trace.Record) {
	h.view.take(r)
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// takeDevice takes a record of a device in this process.
func (h *demoHome) takeDevice(r *trace.Record) {
	h.api.observer.Record(r)
	h.take(r)
}

// deviceSet are the devices that run in this process.
type deviceSet struct {
	mu  sync.Mutex
	all map[han.EUI64]*scenario.LiveDevice
}

func (s *deviceSet) put(eui han.EUI64, d *scenario.LiveDevice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[han.EUI64]*scenario.LiveDevice{}
	}
	s.all[eui] = d
}

func (s *deviceSet) get(eui han.EUI64) *scenario.LiveDevice {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[eui]
}

// wait returns when done reports true, looking whenever something happened.
func (h *demoHome) wait(ctx context.Context, done func() bool) error {
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

// close stops everything, the last started first.
func (h *demoHome) close() error {
	h.view.close()
	var failed error
	for i := len(h.closers) - 1; i >= 0; i-- {
		failed = errors.Join(failed, h.closers[i]())
	}
	h.closers = nil
	return failed
}
