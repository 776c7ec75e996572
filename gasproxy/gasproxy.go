// Package gasproxy is the Gas Proxy Function (GPF) of a communications hub: what
// stands in for a gas meter while it sleeps.
//
//	GSME                                         Proxy
//	 ├─ RequestMirror, ConfigureMirror ────────►  a mirror is kept
//	 ├─ RequestTunnel ─────────────────────────►
//	 every heartbeat
//	 ├─ ReportAttributes, … complete ──────────►  judged, mirror updated, a window opens
//	 │ ◄──────── MirrorReportAttributeResponse    flags: bit 0 image, bit 21 message
//	 ├─ GET ───────────────────────────────────►
//	 │ ◄──────────────── GET-RESPONSE ‖ message   dropped when confirmed
//	 ├─ PUT ‖ message ─────────────────────────►  confirmed, forwarded
//	 ├─ Image Block Requests ──────────────────►  admitted by the pacing policy
//	 └─ ReportAttributes, what was spent ──────►  kept with the mirror
//
// The HAN reads the mirror at any time, without waking the meter. Messages for
// the meter wait in its mailbox until it fetches them or they expire. How much of
// a firmware image it may fetch in one window is up to a [Policy].
//
// The proxy keeps no records itself: what must last goes through its
// [Communications] Hub, which has written it when the call returns.
package gasproxy

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/metering/validation"
	"github.com/commshub/commshub/han/phy"
	"github.com/commshub/commshub/han/zcl"
)

// Config is a proxy's character.
type Config struct {
	// MirrorEndpoint is the endpoint of the first mirror.
	MirrorEndpoint uint8
	// Policy paces downloads of sleeping meters.
	Policy Policy
	// Battery is the meters' parameter set, for reckoning their radio-on time and
	// charge.
	Battery battery.Set
	// Period is a meter's heartbeat period until it says otherwise.
	Period time.Duration
	// MailboxTime is how long a message waits to be fetched.
	MailboxTime time.Duration
	// Readings are what those of the meters are judged by.
	Readings validation.Limits
}

// Defaults. 30 minutes is what GB meters do; 24 hours is the default of a
// reference stack, the GBCS value is not known.
const (
	DefaultPeriod      = 30 * time.Minute
	DefaultMailboxTime = 24 * time.Hour
)

// maxMailbox is how many messages a mailbox holds.
const maxMailbox = 32

// Communications is the hub around the proxy. What a method could not store it
// returns as an error; the meter then gets no answer and tries again.
type Communications interface {
	// KeepMirror stores a mirror, with what is in quarantine, of which it tells the supplier.
	KeepMirror(now time.Time, out *han.Outbox, device han.EUI64, m *Mirror) error
	// KeepAccount stores what a prepayment meter said of its account; the bytes of strings are the
	// frame's. Account returns an attribute of it.
	KeepAccount(now time.Time, device han.EUI64, account []zcl.Attribute) error
	Account(device han.EUI64, id uint16) (zcl.Value, bool)
	// Consumed takes what a meter said it spent, a metering.Consumption. Its bytes are the
	// frame's.
	Consumed(now time.Time, device han.EUI64, consumption []byte)
	// KeepJoin stores what a meter and the proxy agreed on; of Join the mirror and the
	// mailbox are left empty.
	KeepJoin(device han.EUI64, j Join) error
	// FromMeter takes a GBCS message that a meter put. It may be a repetition.
	FromMeter(now time.Time, out *han.Outbox, device han.EUI64, message []byte) error
	// MessageDelivered and MessageExpired tell what became of a message.
	MessageDelivered(now time.Time, out *han.Outbox, device han.EUI64, m Message) error
	MessageExpired(now time.Time, out *han.Outbox, device han.EUI64, m Message) error
	// ImageWaiting reports whether a meter shall ask for a firmware image.
	ImageWaiting(now time.Time, device han.EUI64) bool
	// WindowOpened tells that a meter woke.
	WindowOpened(now time.Time, out *han.Outbox, device han.EUI64) error
}

type timer uint8

const timerExpiry timer = 0 // the oldest message in a mailbox expires

// Proxy is the gas proxy of one hub.
type Proxy struct {
	cfg       Config
	hub       Communications
	esi       *zcl.Station // speaks for the hub's Energy Services Interface
	meters    map[han.EUI64]*child
	order     []han.EUI64 // of meters, for a stable iteration
	deadlines han.Deadlines[timer]

	report []zcl.Attribute // the last one; kept for its memory
}

// child is what the proxy knows of one sleeping meter.
type child struct {
	eui      han.EUI64
	source   uint8 // the meter's own endpoint
	endpoint uint8 // of its mirror, 0 = none
	tunnel   uint16
	period   time.Duration
	mirror   Mirror
	mailbox  []Message // oldest first
	inFlight uint8     // transaction of the GET-RESPONSE that is not confirmed yet
	flying   bool
	outgoing block.Sender   // of the oldest message in the mailbox
	incoming block.Receiver // of what the meter puts
	window   HeartbeatWindow
	cost     blockCost
	loss     lossMeter
	asked    int // most bytes of a block that the meter takes; 0 = it did not ask yet
	// What a window costs before the first block, as the last one did.
	before       time.Duration
	beforeCharge battery.Charge
	// lastWord is how long the frame was, in bytes of ZCL, with which it said last what it
	// spent; 0 if it never did.
	lastWord int
	left     battery.Charge // in its cell, as it said last; 0 if it never did
}

// last returns what a meter spends on its last word in a window.
func (c *child) last(set *battery.Set) phy.Cost {
	if c.lastWord == 0 {
		return phy.Cost{}
	}
	return set.Radio.Send(c.lastWord)
}

// New returns a proxy without meters. The station is the hub's.
func New(cfg Config, station *zcl.Station, hub Communications) *Proxy {
	if cfg.Period == 0 {
		cfg.Period = DefaultPeriod
	}
	if cfg.Policy == nil {
		cfg.Policy = DefaultPolicy
	}
	if cfg.MailboxTime == 0 {
		cfg.MailboxTime = DefaultMailboxTime
	}
	if cfg.Readings == (validation.Limits{}) {
		cfg.Readings = validation.DefaultGas()
	}
	return &Proxy{cfg: cfg, hub: hub, esi: station, meters: map[han.EUI64]*child{}}
}

// Join is what a meter kept from before the proxy started.
type Join struct {
	MirrorEndpoint uint8         // 0 = none
	TunnelID       uint16        // 0 = none
	Period         time.Duration // between heartbeats; 0 = the meter did not say
	Mirror         Mirror
	Mailbox        []Message // oldest first
}

// AddMeter makes the proxy stand in for a meter of the device log.
func (p *Proxy) AddMeter(device han.EUI64, j Join) {
	if _, ok := p.meters[device]; !ok {
		p.order = append(p.order, device)
	}
	c := &child{
		eui: device, endpoint: j.MirrorEndpoint, tunnel: j.TunnelID, period: j.Period,
		mirror: j.Mirror, mailbox: j.Mailbox,
	}
	if c.period == 0 {
		c.period = p.cfg.Period
	}
	p.meters[device] = c
	p.scheduleExpiry()
}

// keepJoin stores what a meter and the proxy agree on and takes it over. Without an
// error the meter may be told.
func (p *Proxy) keepJoin(c *child, endpoint uint8, tunnel uint16, period time.Duration) error {
	if err := p.hub.KeepJoin(c.eui, Join{MirrorEndpoint: endpoint, TunnelID: tunnel, Period: period}); err != nil {
		return err
	}
	c.endpoint, c.tunnel, c.period = endpoint, tunnel, period
	return nil
}

// RemoveMeter purges everything kept for a meter.
func (p *Proxy) RemoveMeter(device han.EUI64) {
	delete(p.meters, device)
	for i, eui := range p.order {
		if eui == device {
			p.order = append(p.order[:i], p.order[i+1:]...)
			break
		}
	}
	p.scheduleExpiry()
}

// Policy returns the pacing policy.
func (p *Proxy) Policy() Policy { return p.cfg.Policy }

// NextTimer returns the proxy's earliest deadline.
func (p *Proxy) NextTimer() (han.Deadline, bool) { return p.deadlines.Next() }

// HandleTimer fires what is due.
func (p *Proxy) HandleTimer(now time.Time, out *han.Outbox) error {
	if _, ok := p.deadlines.Expired(now); ok {
		return p.expire(now, out)
	}
	return nil
}

// meter returns what is known of a meter.
func (p *Proxy) meter(device han.EUI64) (*child, error) {
	c, ok := p.meters[device]
	if !ok {
		return nil, fmt.Errorf("no mirror is kept for %s: it is no gas meter of the device log", device)
	}
	return c, nil
}
