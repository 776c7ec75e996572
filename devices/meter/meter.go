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
	"errors"
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/eventlog"
	"github.com/commshub/commshub/devices/firmware"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/metrology"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/devices/prepayment"
	"github.com/commshub/commshub/devices/remote"
	"github.com/commshub/commshub/devices/rtc"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/phy"
	core "github.com/commshub/commshub/han/remote"
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
	// Security has the keys for GBCS messages: the meter's own, and the supplier's and the
	// broker's. What they cost the battery the chassis sees to.
	Security    core.Security
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
	// CheckPeriod is how often the running meter checks its memory; 0 is
	// DefaultCheckPeriod.
	CheckPeriod time.Duration
}

// Geometry returns the flash part that a meter with slots of the given capacity needs.
func Geometry(slotCapacity int) flash.Geometry {
	return board.Geometry(bootloader.SlotSectors(slotCapacity, board.SectorSize))
}

// Inspect tells why a meter with that policy cannot run a part, nil if it can or if the
// part is blank: another release laid it out, or it is of a meter that was made as
// something else. A meter on a part that it cannot run does not start, like one without
// an image.
func Inspect(chip *flash.Chip, slotCapacity int, policy bootloader.Policy) error {
	slotSectors := bootloader.SlotSectors(slotCapacity, chip.Geometry().SectorSize)
	if err := board.Inspect(chip, slotSectors); err != nil {
		return err
	}
	m := board.Cut(chip, slotSectors)
	b, err := bootloader.Open(policy, m.Control, bootloader.OpenSlot(m.SlotA, slotCapacity), bootloader.OpenSlot(m.SlotB, slotCapacity))
	if err != nil || b.Blank() {
		return err
	}
	if err := b.Fits(); err != nil {
		return fmt.Errorf("it holds a meter that was made as another, or trusted otherwise: %w: make it what it was, or remove the meter's files to begin with a new one", err)
	}
	return nil
}

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
	Remote    *remote.Endpoint
	Prepay    *prepayment.Account // of a gas meter
	Journal   *journal.Journal    // application's
	Metrology *metrology.Unit
	Logs      [2]*eventlog.Log // by gbcs.Log
	Ledger    *battery.Ledger
	Clock     rtc.Clock

	cfg        Config
	role       gbcs.Roles
	chip       *flash.Chip
	boot       *bootloader.Bootloader
	limit      otaclient.Limit
	duty       phy.Duty
	on         bool // the application runs
	bricked    bool
	regions    board.Map
	checks     checks
	damages    []damage // that a check found and nobody was told of
	deadlines  han.Deadlines[timer]
	batteryLow bool   // the supplier was told
	wornAt     int64  // erases of the part when they were kept last
	ledger     []byte // as it was stored last; kept for its memory, like wear
	wear       []byte
}

// Init makes the chassis of a meter on a part made with Geometry, or on another one with
// room for the regions that a board has. The meter boots at its first deadline, now. limit is the meter around the chassis.
func (c *Chassis) Init(cfg Config, role gbcs.Roles, chip *flash.Chip, limit otaclient.Limit, now time.Time) {
	if cfg.CheckPeriod == 0 {
		cfg.CheckPeriod = DefaultCheckPeriod
	}
	*c = Chassis{
		Station: zcl.Station{Node: cfg.EUI64, Endpoint: cfg.Endpoint},
		Ledger:  battery.NewLedger(cfg.Battery, now),
		Clock:   rtc.Clock{DriftPPM: cfg.DriftPPM},
		cfg:     cfg, role: role, chip: chip, limit: limit,
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
			c.log(now, gbcs.AlertWatchdog)
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
	if err := c.open(now); err != nil {
		c.brick(now, out, err.Error())
		return
	}
	c.on = true
	c.Agent.Start(now, out)
	c.checkMetrology(now, out)
	c.tellDamages(now, out)
	switch {
	case c.Agent.Hung():
		c.on = false
		c.deadlines.Schedule(timerWatchdog, now.Add(watchdogPeriod))
	case c.Agent.WantsReboot():
		c.Restart(now) // a failed self-test, or an activation cut short
	}
}

// open opens what is in flash, makes a blank part one that left the factory, and
// starts the application.
func (c *Chassis) open(now time.Time) error {
	slotSectors := bootloader.SlotSectors(c.cfg.SlotCapacity, c.chip.Geometry().SectorSize)
	if err := board.Inspect(c.chip, slotSectors); err != nil {
		return err
	}
	m := board.Cut(c.chip, slotSectors)
	cold := c.Agent == nil // power was cut; a reset of the processor alone leaves the ledger
	made := board.LeftFactory(m)
	c.regions, c.checks = m, checks{due: now.Add(c.cfg.CheckPeriod)}
	if err := c.openMemory(m, slotSectors, now); err != nil {
		return err
	}
	if data, ok := c.Journal.Get(board.KeyLedger); ok && cold {
		if err := c.Ledger.Restore(data); err != nil {
			return err
		}
	}
	if err := c.restoreWear(); err != nil {
		return err
	}
	c.Ledger.Reboot()
	boot := c.boot.Boot()
	if boot.Outcome == bootloader.OutcomeBricked {
		return errors.New(boot.Reason)
	}
	c.Ledger.Check(c.storedBytes())
	c.checks.running = hashed{done: true, touched: c.boot.Running().Touched()} // by the bootloader
	if cold {
		if made {
			c.logOutage(now)
		}
		c.checkCandidate()
	}
	return c.start(boot, m.Outbox)
}

// start makes the application: the remote endpoint, and those who carry its commands
// out.
func (c *Chassis) start(boot bootloader.Boot, outboxRegion flash.Region) error {
	layout := gbcs.LayoutGBZ
	if c.role == gbcs.RoleESME {
		layout = gbcs.LayoutDLMS
	}
	security := c.cfg.Security
	security.Spend = c.Ledger.Verify
	var err error
	c.Remote, err = remote.Open(core.Config{
		Device: c.cfg.EUI64, Role: c.role, Layout: layout, Parties: []han.EUI64{c.cfg.Supplier}, Clock: &c.Clock,
		Security: security, Log: c.log,
	}, c.Journal, outboxRegion)
	if err != nil {
		return err
	}
	c.note("outbox", c.Remote.Found())
	c.Agent, err = firmware.New(firmware.Config{Device: c.cfg.EUI64, SupplierKey: c.cfg.SupplierKey, OTA: c.cfg.OTA}, firmware.Parts{
		Boot: c.boot, Journal: c.Journal, Remote: c.Remote.Endpoint, Clock: &c.Clock, Ledger: c.Ledger,
		Link: otaclient.Link{Station: &c.Station, Server: c.HubPeer(ota.ClusterID), Limit: c.limit},
	}, boot)
	if err != nil {
		return err
	}
	c.Remote.Register(gbcs.CodeActivateFirmware, c.Agent.ActivateFirmware)
	if c.role == gbcs.RoleESME {
		c.Remote.Register(gbcs.CodeReadESMEFirmwareVersion, c.Agent.ReadESMEVersion)
		c.Remote.Register(gbcs.CodeReadESMEEventLog, c.readESMELog)
		c.Remote.Register(gbcs.CodeReadESMESecurityLog, c.readESMELog)
	} else {
		c.Remote.Register(gbcs.CodeReadGSMEFirmwareVersion, c.Agent.ReadGSMEVersion)
		if err := c.openAccount(); err != nil {
			return err
		}
		c.Remote.Register(gbcs.CodeReadGSMEEventLog, c.readGSMELog)
		c.Remote.Register(gbcs.CodeReadGSMESecurityLog, c.readGSMELog)
	}
	c.batteryLow = wasToldLow(c.Journal)
	return nil
}

// HandleMessage takes a GBCS message that came through the tunnel. A meter about to
// restart takes none: it must not be confirmed, so that the hub delivers it again.
func (c *Chassis) HandleMessage(now time.Time, out *han.Outbox, message []byte) (taken bool) {
	if c.Agent.WantsReboot() {
		return false
	}
	c.Remote.HandleMessage(now, out, message)
	return true
}

func (c *Chassis) brick(now time.Time, out *han.Outbox, why string) {
	c.bricked = true
	out.Record(trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.Rebooted, Text: "bricked: " + why})
}

// KeepLedger stores the battery's ledger, and the wear of the flash.
func (c *Chassis) KeepLedger() {
	c.stageWear()
	c.ledger = c.Ledger.Append(c.ledger[:0])
	c.Journal.Commit(journal.Entry{Key: board.KeyLedger, Data: c.ledger})
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
// operations since the mark are charged. It reports whether there were frames.
func (c *Chassis) Account(now time.Time, out *han.Outbox, m Mark) (sent bool) {
	for i := m.frames; i < len(out.Frames); i++ {
		c.Spend(now, c.radioParams().Send(len(out.Frames[i].Payload)))
	}
	if after := c.chip.Stats(); after != m.stats {
		c.Ledger.Flash(m.stats, after)
	}
	return len(out.Frames) > m.frames
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
			c.logClock(now, moved)
			out.Record(trace.Record{At: now, Node: uint64(c.cfg.EUI64), Kind: trace.TimeSet, Took: moved})
			set = true
		}
	}
	return set, nil
}
