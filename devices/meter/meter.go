// Package meter is what an electricity and a gas meter have in common: the
// hardware on its board, starting and restarting it, and the accounting of
// charge around each call. devices/esme and devices/gsme add how each of them
// behaves on the HAN.
//
// Everything that a processor loses at a reset is made anew from flash by
// [Chassis.boot]; what lives in RAM alone is gone. Clock and ledger go on: they
// stand for hardware that a reset of the application does not touch.
package meter

import (
	"crypto/ecdsa"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/firmware"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/metrology"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/devices/rtc"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Config is what both kinds of meter need.
type Config struct {
	EUI64    han.EUI64
	Hub      han.EUI64 // HAN address of the communications hub
	Supplier han.EUI64
	// SupplierKey checks the authorising signature of GB images; see firmware.Config.
	SupplierKey *ecdsa.PublicKey
	Endpoint    uint8 // own
	HubEndpoint uint8 // of the hub's Energy Services Interface
	Policy      bootloader.Policy
	// Factory is the OTA file installed on a blank part.
	Factory      []byte
	SlotCapacity int // bytes
	Metrology    metrology.Config
	Battery      battery.Set
	OTA          otaclient.Config
	DriftPPM     int64 // of the meter's clock
}

// Geometry returns the flash part that a meter with slots of the given capacity needs.
func Geometry(slotCapacity int) flash.Geometry {
	return board.Geometry(bootloader.SlotSectors(slotCapacity, board.SectorSize))
}

// keyLedger is the battery's ledger in the application's journal. Keys under
// 0x80 belong to the firmware agent.
const keyLedger journal.Key = 0x80

// KeyJoin is where a meter keeps what the hub told it when it joined.
const KeyJoin journal.Key = 0x81

type timer uint8

const (
	timerBoot     timer = iota // the processor leaves reset
	timerWatchdog              // hung firmware is reset
)

// watchdogPeriod is how long hung firmware goes unnoticed.
const watchdogPeriod = time.Minute

// Chassis is the common part of a meter.
type Chassis struct {
	Station   zcl.Station
	Agent     *firmware.Agent
	Journal   *journal.Journal // application's
	Metrology *metrology.Unit
	Ledger    *battery.Ledger
	Clock     rtc.Clock

	cfg       Config
	layout    gbcs.AlertLayout
	chip      *flash.Chip
	boot      *bootloader.Bootloader
	radio     firmware.Radio
	duty      phy.Duty
	on        bool // the application runs
	bricked   bool
	deadlines han.Deadlines[timer]
	ledger    []byte // as it was stored last; kept for its memory
}

// Init makes the chassis of a meter on a part made with Geometry. The meter
// boots at its first deadline, now. radio is the meter around the chassis.
func (c *Chassis) Init(cfg Config, layout gbcs.AlertLayout, chip *flash.Chip, radio firmware.Radio, now time.Time) {
	*c = Chassis{
		Station: zcl.Station{Node: cfg.EUI64, Endpoint: cfg.Endpoint},
		Ledger:  battery.NewLedger(cfg.Battery, now),
		Clock:   rtc.Clock{DriftPPM: cfg.DriftPPM},
		cfg:     cfg, layout: layout, chip: chip, radio: radio,
		duty: phy.NewDuty(cfg.Battery.Radio.Duty),
	}
	c.Clock.Start(now)
	c.deadlines.Schedule(timerBoot, now)
}

// EUI64 implements han.Node.
func (c *Chassis) EUI64() han.EUI64 { return c.cfg.EUI64 }

// Config returns the meter's configuration.
func (c *Chassis) Config() *Config { return &c.cfg }

// On reports whether the application runs; if not, frames to it are lost.
func (c *Chassis) On() bool { return c.on }

// Bricked reports whether no image was left to run.
func (c *Chassis) Bricked() bool { return c.bricked }

// Trial reports whether the firmware that runs has yet to be confirmed.
func (c *Chassis) Trial() bool { return c.boot != nil && c.boot.Trial() }

// HubPeer returns the hub's Energy Services Interface on a cluster.
func (c *Chassis) HubPeer(cluster uint16) zcl.Peer {
	return zcl.Peer{Node: c.cfg.Hub, Endpoint: c.cfg.HubEndpoint, Cluster: cluster}
}

// NextTimer returns the earliest deadline of the chassis and its agent.
func (c *Chassis) NextTimer() (han.Deadline, bool) {
	own, ownSet := c.deadlines.Next()
	if !c.on {
		return own, ownSet
	}
	agent, agentSet := c.Agent.NextTimer()
	return han.Earlier(own, ownSet, agent, agentSet)
}

// Tick fires what is due in the chassis and its agent. booted tells the meter
// that its application has just started.
func (c *Chassis) Tick(now time.Time, out *han.Outbox) (booted bool) {
	for {
		t, ok := c.deadlines.Expired(now)
		if !ok {
			break
		}
		switch t {
		case timerBoot:
			c.powerOn(now, out)
			booted = c.on
		case timerWatchdog:
			c.Restart(now)
		}
	}
	if c.on && !booted {
		c.Agent.HandleTimer(now, out)
	}
	return booted
}

// Restart resets the processor; it boots a little later.
func (c *Chassis) Restart(now time.Time) {
	c.on = false
	c.deadlines.Clear(timerWatchdog)
	c.deadlines.Schedule(timerBoot, now.Add(c.cfg.Battery.Reboot))
}

// powerOn is what happens when the processor leaves reset: everything is built
// from the bytes in flash.
func (c *Chassis) powerOn(now time.Time, out *han.Outbox) {
	slotSectors := bootloader.SlotSectors(c.cfg.SlotCapacity, board.SectorSize)
	m := board.Cut(c.chip, slotSectors)
	c.Metrology = metrology.Open(c.cfg.Metrology, m.MetrologyFirmware, m.MetrologyRegisters, now)
	c.boot = bootloader.Open(c.cfg.Policy, m.Control,
		bootloader.OpenSlot(m.SlotA, c.cfg.SlotCapacity), bootloader.OpenSlot(m.SlotB, c.cfg.SlotCapacity))
	if c.boot.Blank() {
		if err := c.boot.Factory(c.cfg.Factory); err != nil {
			c.brick(now, out, err.Error())
			return
		}
	}
	c.Journal = journal.Open(m.Application)
	if data, ok := c.Journal.Get(keyLedger); ok && c.Agent == nil {
		c.Ledger.Restore(data) // a reset of the processor alone leaves the ledger
	}
	c.Ledger.Reboot()
	boot := c.boot.Boot()
	if boot.Outcome == bootloader.OutcomeBricked {
		c.brick(now, out, boot.Reason)
		return
	}
	c.on = true
	c.Agent = firmware.New(firmware.Config{
		Device: c.cfg.EUI64, Supplier: c.cfg.Supplier, SupplierKey: c.cfg.SupplierKey,
		Layout: c.layout, OTA: c.cfg.OTA,
	}, firmware.Parts{
		Boot: c.boot, Journal: c.Journal, Radio: c.radio, Clock: &c.Clock, Ledger: c.Ledger,
	}, boot)
	c.Agent.Start(now, out)
	c.selfCheck(now, out)
	switch {
	case c.Agent.Hung():
		c.on = false
		c.deadlines.Schedule(timerWatchdog, now.Add(watchdogPeriod))
	case c.Agent.WantsReboot():
		c.Restart(now) // a failed self-test, or an activation cut short
	}
}

// selfCheck has the certified firmware verified, at every boot.
func (c *Chassis) selfCheck(now time.Time, out *han.Outbox) {
	c.Ledger.Hash(c.Metrology.FirmwareSize())
	if err := c.Metrology.SelfCheck(); err != nil {
		c.Agent.QueueAlert(now, out, gbcs.AlertMetrologyFirmwareVerificationFailure)
	}
}

func (c *Chassis) brick(now time.Time, out *han.Outbox, why string) {
	c.bricked = true
	out.Record(trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.Rebooted, Text: "bricked: " + why})
}

// KeepLedger stores the battery's ledger.
func (c *Chassis) KeepLedger() {
	c.ledger = c.Ledger.Append(c.ledger[:0])
	c.Journal.Commit(journal.Entry{Key: keyLedger, Data: c.ledger})
}

// Mark remembers where a call began, for Account.
type Mark struct {
	frames int
	stats  flash.Stats
}

// Mark begins the accounting of one call.
func (c *Chassis) Mark(out *han.Outbox) Mark {
	return Mark{frames: len(out.Frames), stats: c.chip.Stats()}
}

// Account ends the accounting of one call: frames put into the outbox and flash
// operations since the mark are charged.
func (c *Chassis) Account(now time.Time, out *han.Outbox, m Mark) {
	for i := m.frames; i < len(out.Frames); i++ {
		c.Spend(now, c.radioParams().Send(len(out.Frames[i].Payload)))
	}
	if after := c.chip.Stats(); after != m.stats {
		c.Ledger.Flash(m.stats, after)
	}
}

// Spend accounts a radio operation: its charge, and its share of the band's duty
// cycle.
func (c *Chassis) Spend(now time.Time, cost phy.Cost) {
	c.Ledger.Radio(cost)
	if c.duty.Limits().Critical > 0 {
		c.duty.Add(now, cost.Transmit)
	}
}

// DutyAllows reports whether an operation stays under the critical limit of the
// band's duty cycle; if not, reason says so.
func (c *Chassis) DutyAllows(now time.Time, cost phy.Cost) (ok bool, reason string) {
	if c.duty.Limits().Critical > 0 && !c.duty.Allows(now, cost.Transmit) {
		return false, "duty cycle of the band is spent"
	}
	return true, ""
}

func (c *Chassis) radioParams() *phy.Params { return &c.Ledger.Set().Radio }

// SendQuery implements firmware.Radio.
func (c *Chassis) SendQuery(out *han.Outbox, q ota.QueryNextImageRequest) {
	h := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, Command: ota.CommandQueryNextImageRequest}
	zcl.Send(&c.Station, out, c.HubPeer(ota.ClusterID), h, q)
}

// SendBlockRequest implements firmware.Radio.
func (c *Chassis) SendBlockRequest(out *han.Outbox, q ota.ImageBlockRequest) {
	h := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, Command: ota.CommandImageBlockRequest}
	zcl.Send(&c.Station, out, c.HubPeer(ota.ClusterID), h, q)
}

// SendPageRequest implements firmware.Radio.
func (c *Chassis) SendPageRequest(out *han.Outbox, q ota.ImagePageRequest) {
	h := zcl.Header{ClusterSpecific: true, DisableDefaultResponse: true, Command: ota.CommandImagePageRequest}
	zcl.Send(&c.Station, out, c.HubPeer(ota.ClusterID), h, q)
}

// SendUpgradeEnd implements firmware.Radio.
func (c *Chassis) SendUpgradeEnd(out *han.Outbox, q ota.UpgradeEndRequest) {
	h := zcl.Header{ClusterSpecific: true, Command: ota.CommandUpgradeEndRequest}
	zcl.Send(&c.Station, out, c.HubPeer(ota.ClusterID), h, q)
}

// HandleOTA takes a frame of the OTA Upgrade cluster.
func (c *Chassis) HandleOTA(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) {
	status, err := c.dispatchOTA(now, out, h, payload)
	if err != nil {
		status = zcl.StatusMalformedCommand
		out.Record(trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.FrameRefused, Peer: uint64(f.Src), Text: err.Error()})
	}
	zcl.AnswerDefault(&c.Station, out, f, h, status)
}

func (c *Chassis) dispatchOTA(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) (zcl.Status, error) {
	client := c.Agent.Client()
	if !h.ClusterSpecific {
		return c.dispatchOTAGeneral(now, out, h, payload)
	}
	switch h.Command {
	case ota.CommandImageBlockResponse:
		r, err := ota.ParseImageBlockResponse(payload)
		if err != nil {
			return 0, err
		}
		return client.HandleImageBlockResponse(now, out, r), nil
	case ota.CommandQueryNextImageResponse:
		r, err := ota.ParseQueryNextImageResponse(payload)
		if err != nil {
			return 0, err
		}
		return client.HandleQueryNextImageResponse(now, out, r), nil
	case ota.CommandUpgradeEndResponse:
		r, err := ota.ParseUpgradeEndResponse(payload)
		if err != nil {
			return 0, err
		}
		return client.HandleUpgradeEndResponse(r), nil
	case ota.CommandImageNotify:
		if _, err := ota.ParseImageNotify(payload); err != nil {
			return 0, err
		}
		// A unicast notification is always followed by a query (ZCL §11.13.3.5).
		client.Offer(now, out)
		return zcl.StatusSuccess, nil
	default:
		return zcl.StatusUnsupCommand, nil
	}
}

// SetClock sets the clock from the hub's answer to a reading of its Time cluster. It
// reports whether the answer held the time.
func (c *Chassis) SetClock(now time.Time, out *han.Outbox, payload []byte) (set bool, err error) {
	r, err := zcl.ParseReadAttributesResponse(payload)
	if err != nil {
		return false, err
	}
	for _, a := range r.Attributes {
		if a.ID == zcl.AttributeTime && a.Status == zcl.StatusSuccess && a.Value.Type == zcl.TypeUTCTime {
			moved := c.Clock.Set(now, zcl.UTCTime(a.Value.Number).Time())
			c.Agent.ClockSet()
			out.Record(trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.TimeSet, Took: moved})
			set = true
		}
	}
	return set, nil
}

func (c *Chassis) dispatchOTAGeneral(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) (zcl.Status, error) {
	if h.Command != zcl.CommandDefaultResponse {
		return zcl.StatusUnsupCommand, nil
	}
	r, err := zcl.ParseDefaultResponse(payload)
	if err != nil {
		return 0, err
	}
	c.Agent.Client().HandleDefaultResponse(now, out, r)
	return zcl.StatusSuccess, nil
}
