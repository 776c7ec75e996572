// Package hub is the Communications Hub: the Communications Hub Function (CHF)
// with the device log, the image cache, the OTA server and the relay between the
// supplier and the meters, around the gas proxy that it hosts.
//
//	supplier ── messages, offers ──►  Hub  ◄── HAN frames ── devices
//	         ◄─ messages, events ──    │
//	                          device log, image cache, relay
//	                          otaserver.Server    gasproxy.Proxy
//
// The hub is one node with one radio. Its HAN address is the GPF's identifier;
// the CHF's identifier appears only inside GBCS messages; endpoints tell the
// functions apart. Frames of devices that are not in the device log go no
// further than [Hub.HandleFrame].
//
// What it relays is opaque to it: GBCS messages are between the supplier and the
// meters. The few that are addressed to the CHF or the GPF are taken by an end of GBCS
// that each has, see package hub/remote. The supplier is on the other side of the [Supplier] interface, and calls
// the hub's methods in turn, between two calls of the driver. Each is checked as a
// whole first; an error means that nothing changed. What must last is in the store
// before a frame that depends on it leaves.
package hub

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	core "github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/imagecache"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// Config is a hub's character.
type Config struct {
	EUI64 han.EUI64 // HAN address: the GPF's identifier
	CHF   han.EUI64
	// FirmwareVersion is what the CHF answers who reads it (ECS52). Divergence: the
	// hub's own firmware is not emulated, and cannot be updated.
	FirmwareVersion uint32
	Supplier        han.EUI64 // whose head end it relays for
	// Functions have the keys of the hub's own functions, by their identifiers; nobody else
	// reads a message here.
	Functions map[han.EUI64]core.Security
	// Endpoint is that of the Energy Services Interface: OTA server, time, tunnels.
	// Some real meters take 1 for granted.
	Endpoint uint8
	// MirrorEndpoint is that of the first mirror.
	MirrorEndpoint uint8
	Policy         gasproxy.Policy
	// Battery is the parameter set of the gas meters, by which their radio-on time
	// and charge are reckoned; its radio is the hub's too.
	Battery battery.Set
	// BlockSize is the most data sent in one block, in bytes.
	BlockSize int
	// PlanBlockSize is the most if the pacing policy chooses the size; 0 = BlockSize.
	PlanBlockSize int
	MailboxTime   time.Duration
	// Gas and Electricity are what the readings of the two kinds of meter are judged by.
	Gas, Electricity validation.Limits
}

// DefaultConfig returns the identities of the published GBCS test set and the
// default figures.
func DefaultConfig() Config {
	return Config{
		EUI64: 0x00DB1234567890A3, CHF: 0x00DB1234567890A2, Supplier: 0x90B3D51F30010000,
		FirmwareVersion: 1,
		Endpoint:        1, MirrorEndpoint: 2,
		Policy: gasproxy.DefaultPolicy, Battery: battery.Default(),
		BlockSize: otaserver.DefaultBlockSize, PlanBlockSize: ota.MaxBlock, MailboxTime: gasproxy.DefaultMailboxTime,
		Gas: validation.DefaultGas(), Electricity: validation.DefaultElectricity(),
	}
}

// Hub is a communications hub.
type Hub struct {
	cfg      Config
	store    *store.Store
	cache    *imagecache.Cache
	supplier Supplier
	station  zcl.Station
	proxy    *gasproxy.Proxy
	server   *otaserver.Server
	duty     phy.Duty // of the hub's own transmitter
	band     phy.DutyState
	devices  map[han.EUI64]*device
	order    []han.EUI64 // of devices, ascending
	own      []function
	report   []zcl.Attribute // the last one of an electricity meter; kept for its memory
}

// device is what the hub has in memory of an entry of the device log.
type device struct {
	log    store.Device
	mirror store.Mirror // as the store has it, but for the consumption of the last window; its memory is the store's
	tunnel tunnelClient // ESME only
	// readings are those of an electricity meter; the proxy has a gas meter's.
	readings validation.Readings
	held     []validation.Held // as the store has them
	image    *imagecache.File
	// takenBlocks and takenRepeats are the server's counts up to the last TakeServed.
	takenBlocks, takenRepeats uint32
	toldToWait                bool      // a gas meter, in the call in hand
	joinAlert                 time.Time // when the supplier was told last that it did not join
}

var _ han.Node = (*Hub)(nil)

// New returns a hub with what its store and image cache hold. The supplier is not
// called before New returns.
func New(cfg Config, records *store.Store, cache *imagecache.Cache, supplier Supplier, now time.Time, out *han.Outbox) *Hub {
	h := &Hub{
		cfg: cfg, store: records, cache: cache, supplier: supplier,
		station: zcl.Station{Node: cfg.EUI64, Endpoint: cfg.Endpoint},
		devices: map[han.EUI64]*device{},
	}
	h.proxy = gasproxy.New(gasproxy.Config{
		MirrorEndpoint: cfg.MirrorEndpoint, Policy: cfg.Policy, Battery: cfg.Battery, MailboxTime: cfg.MailboxTime,
		Readings: cfg.Gas,
	}, &h.station, proxyPort{h})
	h.server = otaserver.New(&h.station, serverPort{h}, otaserver.Sizes{Usual: cfg.BlockSize, Most: cfg.PlanBlockSize})
	h.duty = phy.NewDuty(cfg.Battery.Radio.Duty)
	for _, d := range records.Devices() {
		h.admit(now, d)
	}
	h.own = []function{
		h.newFunction(now, cfg.CHF, gbcs.RoleCHF, gbcs.LayoutDLMS, map[gbcs.MessageCode]core.Handler{
			gbcs.CodeReadESMEFirmwareVersion:  h.readOwnVersion,
			gbcs.CodeAddDevice:                h.addByCommand,
			gbcs.CodeRemoveDevice:             h.removeByCommand,
			gbcs.CodeRestoreDeviceLog:         h.restoreByCommand,
			gbcs.CodeReadDeviceLogAndCheckHAN: h.readDeviceLog,
		}),
		h.newFunction(now, cfg.EUI64, gbcs.RoleGPF, gbcs.LayoutGBZ, map[gbcs.MessageCode]core.Handler{
			gbcs.CodeReadGSMEFirmwareVersion: h.readGasMeterVersion,
		}),
	}
	h.record(out, trace.Record{At: now, Kind: trace.NodeStarted,
		Text: fmt.Sprintf("communications hub, %d devices, pacing %s", len(h.order), h.proxy.Policy())})
	return h
}

// EUI64 implements han.Node.
func (h *Hub) EUI64() han.EUI64 { return h.cfg.EUI64 }

// CHF returns the identifier of the Communications Hub Function.
func (h *Hub) CHF() han.EUI64 { return h.cfg.CHF }

// Config returns the hub's configuration.
func (h *Hub) Config() Config { return h.cfg }

// NextTimer implements han.Node.
func (h *Hub) NextTimer() (han.Deadline, bool) {
	next, set := h.proxy.NextTimer()
	page, pageSet := h.server.NextTimer()
	next, set = han.Earlier(next, set, page, pageSet)
	for _, eui := range h.order {
		d, dSet := h.devices[eui].tunnel.deadlines.Next()
		next, set = han.Earlier(next, set, d, dSet)
	}
	for i := range h.own {
		d, waits := h.own[i].due()
		next, set = han.Earlier(next, set, d, waits)
	}
	return next, set
}

// HandleTimer implements han.Node.
func (h *Hub) HandleTimer(now time.Time, out *han.Outbox) {
	sent := len(out.Frames)
	if err := h.server.HandleTimer(now, out); err != nil {
		h.fault(now, out, h.cfg.EUI64, err)
	}
	if err := h.proxy.HandleTimer(now, out); err != nil {
		h.fault(now, out, h.cfg.EUI64, err)
	}
	for _, eui := range h.order {
		h.endWindow(now, out, h.devices[eui])
		h.tunnelTimer(now, out, h.devices[eui])
	}
	h.transmitted(now, out, sent)
	for i := range h.own {
		_ = h.serveFunction(now, out, &h.own[i]) // recorded
	}
}

// Close closes the images that are being served.
func (h *Hub) Close() error {
	var failed error
	for _, eui := range h.order {
		if err := h.devices[eui].closeImage(); err != nil {
			failed = err
		}
	}
	return failed
}

func (d *device) closeImage() error {
	if d.image == nil {
		return nil
	}
	err := d.image.Close()
	d.image = nil
	return err
}

func (h *Hub) record(out *han.Outbox, r trace.Record) {
	r.Node = uint64(h.cfg.EUI64)
	out.Record(r)
}

// fault records why something a device asked for could not be done.
func (h *Hub) fault(now time.Time, out *han.Outbox, device han.EUI64, err error) {
	h.record(out, trace.Record{At: now, Kind: trace.FrameRefused, Peer: uint64(device), Text: err.Error()})
}
