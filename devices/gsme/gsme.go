// Package gsme is a gas meter (GSME): battery-powered, asleep nearly always. At
// each heartbeat it wakes, pushes its readings to the gas proxy, asks for
// messages, delivers its own, goes on with a firmware download, and sleeps.
//
//	asleep ─heartbeat─► [ join ] ─► report ─► [ set clock ] ─► GET … ─► PUT … ─► update ─► asleep
//	                                  │ no answer after three tries               │ reboot
//	                                  └──────────────► asleep                     ▼
//
// The steps of a window follow one another in [Meter.next]. What was taken up
// once, the mirror's endpoint and the tunnel, is kept in flash.
package gsme

import (
	"math/rand/v2"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/prepayment"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Config is a gas meter's character.
type Config struct {
	meter.Config
	// Period is the heartbeat period, in GB typically 30 minutes.
	Period time.Duration
	// FirstHeartbeat is how long after its first boot the meter wakes first.
	FirstHeartbeat time.Duration
	// Jitter is how much later each heartbeat may come, drawn from Dice; less than
	// half of the period.
	Jitter time.Duration
	Dice   *rand.Rand
	// Awake is how long a window lasts at most; 0 is DefaultAwake. It is never more
	// than half of Period.
	Awake time.Duration
	// Budget is what the meter allows itself in one window.
	Budget battery.Budget
	// LowBattery is the charge under which the supplier is told (8F1F); 0 never tells.
	LowBattery battery.Charge
}

// DefaultPeriod is the heartbeat period used in GB.
const DefaultPeriod = 30 * time.Minute

// DefaultAwake is how long a window lasts at most: an assumption. It is time enough
// for four minutes of radio-on time on a good link, or for a hundred answers that do
// not come on a bad one.
const DefaultAwake = 5 * time.Minute

// Figures of a window. The number of tries is an assumption.
const (
	answerTimeout = 3 * time.Second
	maxTries      = 3
	clockInterval = 24 * time.Hour // between readings of the hub's clock
	// beatTolerance is how near a heartbeat may be to count as this one.
	beatTolerance = time.Second
	// nearBeat is how near it may be to wait for it after a restart.
	nearBeat = 5 * time.Second
)

type timer uint8

const (
	timerHeartbeat timer = iota
	timerAnswer          // the answer to the step in hand is overdue
	timerEnd             // the window is over
)

// Meter is a gas meter.
type Meter struct {
	meter.Chassis
	cfg       Config
	state     state
	deadlines han.Deadlines[timer]

	join     join
	beat     time.Time // clock time of the next heartbeat
	beats    uint32    // since the process started
	clockDue time.Time // emulated instant at which the clock is to be set again

	// The window in hand.
	spending battery.Spending
	opened   time.Time
	end      time.Time      // at the latest
	plain    battery.Charge // of the last report and its answer, all of a window without work
	before   battery.Charge // of the window, before the report in hand
	worked   bool           // it had more than a report and reading the clock
	joined   bool           // the hub opened a mirror in it
	told     battery.Charge // what was spent until the hub was told last
	asked    time.Time      // when the meter sent last
	blocks   uint32         // the client's count of blocks at its start
	flags    metering.FunctionalNotificationFlags
	pending  bool // messages wait in the mailbox
	done     struct{ report, update bool }
	// clockRead tells that the hub's clock was asked for.
	clockRead bool
	tries     int
	tsn       uint8 // transaction of the step in hand
	outgoing  block.Sender
	incoming  block.Receiver

	mark        meter.Mark // up to which the call in hand is accounted
	exchange    exchangeCost
	data        int    // bytes in the block that came last
	accountTold uint32 // number of the top-up that the mirror was told of last, since the start
	// What was reported last, kept for its memory.
	readings    []zcl.Attribute
	version     [4]byte // of the firmware, in readings
	consumption []byte
}

var _ han.Node = (*Meter)(nil)

// New returns a gas meter on a part of meter.Geometry. It boots at now.
func New(cfg Config, chip *flash.Chip, now time.Time) *Meter {
	if cfg.Period == 0 {
		cfg.Period = DefaultPeriod
	}
	if cfg.Awake == 0 {
		cfg.Awake = DefaultAwake
	}
	cfg.Awake = min(cfg.Awake, cfg.Period/2)
	cfg.OTA.HeartbeatPeriod = cfg.Period
	cfg.OTA.RetryPause = 0
	cfg.OTA.Hardware = cfg.Policy.Hardware
	m := &Meter{cfg: cfg}
	m.Init(cfg.Config, gbcs.RoleGSME, chip, m, now)
	m.beat = now.Add(cfg.FirstHeartbeat)
	return m
}

// Asleep reports whether the radio is off.
func (m *Meter) Asleep() bool { return m.state == stateAsleep || m.state == stateOff }

// NextHeartbeat returns the emulated instant of the next heartbeat, its jitter apart.
func (m *Meter) NextHeartbeat() time.Time { return m.Clock.When(m.beat) }

// NextTimer implements han.Node.
func (m *Meter) NextTimer() (han.Deadline, bool) {
	own, ownSet := m.deadlines.Next()
	chassis, chassisSet := m.Chassis.NextTimer()
	return han.Earlier(own, ownSet, chassis, chassisSet)
}

// HandleTimer implements han.Node.
func (m *Meter) HandleTimer(now time.Time, out *han.Outbox) {
	m.mark = m.Mark(out)
	if m.On() && m.Agent.Client().Overdue(now) {
		m.Spend(now, m.Ledger.Set().Radio.Miss(m.cfg.OTA.AnswerTimeout))
	}
	if m.Tick(now, out) {
		m.booted(now, out)
	}
	if m.On() {
		for {
			t, ok := m.deadlines.Expired(now)
			if !ok {
				break
			}
			switch t {
			case timerHeartbeat:
				m.wake(now, out)
			case timerAnswer:
				m.unanswered(now, out)
			case timerEnd:
				m.cutShort(now, out)
			}
		}
		m.proceed(now, out)
	}
	m.account(now, out)
}

// HandleFrame implements han.Node. A frame that reaches a sleeping meter is lost.
func (m *Meter) HandleFrame(now time.Time, f han.Frame, out *han.Outbox) {
	if m.Asleep() || f.Src != m.cfg.Hub {
		return
	}
	m.mark = m.Mark(out)
	m.Spend(now, m.Ledger.Set().Radio.Fetch(len(f.Payload)))
	m.dispatch(now, f, out)
	m.proceed(now, out)
	m.account(now, out)
}

func (m *Meter) dispatch(now time.Time, f han.Frame, out *han.Outbox) {
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err == nil {
		switch f.Cluster {
		case ota.ClusterID:
			if n := len(f.Payload) - ota.BlockOverhead; h.ClusterSpecific && h.Command == ota.CommandImageBlockResponse && n > 0 {
				m.data = n
			}
			m.Agent.Client().HandleFrame(now, out, f, h, payload)
		case metering.ClusterID:
			err = m.handleMetering(now, out, h, payload)
		case prepayment.ClusterID:
			err = m.handlePrepayment(now, out, h, payload)
		case tunnelCluster:
			err = m.handleTunnel(now, out, f, h, payload)
		case zcl.ClusterTime:
			err = m.handleTime(now, out, h, payload)
		default:
			zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusUnsupCommand)
		}
	}
	if err != nil {
		m.record(out, trace.Record{At: now, Kind: trace.FrameRefused, Peer: uint64(f.Src), Text: err.Error()})
	}
}

// booted is the application's start: everything from RAM is gone. After a restart
// the meter wakes at once, to tell how it went, unless its heartbeat is near; when it
// is first switched on, at its first heartbeat.
func (m *Meter) booted(now time.Time, out *han.Outbox) {
	m.join, m.accountTold = loadJoin(m.Journal), 0
	m.outgoing, m.incoming = block.Sender{}, block.Receiver{}
	m.becomeAsleep()
	next := m.NextHeartbeat()
	if m.beats > 0 && next.Sub(now) > nearBeat || !next.After(now) {
		m.wake(now, out)
		return
	}
	m.awaitHeartbeat(now)
}

// wake begins a window.
func (m *Meter) wake(now time.Time, out *han.Outbox) {
	m.deadlines.Clear(timerHeartbeat)
	m.scheduleBeat(now)
	m.beats++
	m.Ledger.Elapse(now)
	m.CheckMemory(now, out) // no work of the window
	m.settle(now, out)
	m.spending = m.cfg.Budget.Open(m.Ledger)
	m.opened, m.worked, m.joined, m.clockRead = now, false, false, false
	m.scheduleEnd()
	m.blocks = m.Agent.Client().BlocksEver()
	m.flags, m.pending = 0, false
	m.done.report, m.done.update = false, false
	m.record(out, trace.Record{At: now, Kind: trace.HeartbeatStarted, Count: m.beats})
	m.CheckBattery(now, out, m.cfg.LowBattery)
	m.next(now, out)
}

// scheduleBeat sets the next heartbeat: whole periods after the last by the
// meter's own clock, skipping those that the meter missed without power or by a
// clock that was set forward. One that was set back does not put the heartbeat off by
// more than a period.
func (m *Meter) scheduleBeat(now time.Time) {
	clock := m.Clock.Read(now)
	ahead := m.beat.Sub(clock)
	if behind := beatTolerance - ahead; behind >= 0 {
		skip := (behind/m.cfg.Period + 1) * m.cfg.Period
		m.beat, ahead = m.beat.Add(skip), ahead+skip
	}
	if ahead > m.cfg.Period {
		m.beat = clock.Add(m.cfg.Period)
	}
}

// next takes the next step of the window, or ends it.
func (m *Meter) next(now time.Time, out *han.Outbox) {
	m.deadlines.Clear(timerAnswer)
	m.tries = 0
	for {
		m.settle(now, out)
		_, outgoing := m.Remote.Outgoing()
		switch {
		case m.join.Mirror == 0:
			m.becomeAsking(now, out, stateRequestingMirror)
		case !m.join.Configured:
			m.becomeAsking(now, out, stateConfiguringMirror)
		case !m.join.HasTunnel:
			m.becomeAsking(now, out, stateRequestingTunnel)
		case !m.done.report:
			m.before = m.spending.Charge(m.Ledger)
			m.becomeAsking(now, out, stateReporting)
		case !now.Before(m.clockDue):
			m.becomeAsking(now, out, stateReadingTime)
		case m.pending && !m.Agent.WantsReboot():
			m.becomeAsking(now, out, stateGetting)
		case outgoing:
			m.becomeAsking(now, out, statePutting)
		case m.Agent.WantsReboot():
			m.reboot(now, out)
		case m.accountDue():
			m.becomeAsking(now, out, stateReportingAccount)
		case !m.done.update && m.wantsUpdate():
			m.done.update = true
			if m.update(now, out) {
				return
			}
			continue
		default:
			m.sleep(now, out)
		}
		return
	}
}

// unanswered repeats the step in hand; after three tries, or if the window has no
// room for another, the meter gives the window up and sleeps.
func (m *Meter) unanswered(now time.Time, out *han.Outbox) {
	m.Spend(now, m.Ledger.Set().Radio.Miss(answerTimeout))
	m.worked = true
	m.tries++
	if m.state == statePutting {
		m.outgoing.Unanswered()
	}
	if m.tries >= maxTries || !m.affords(now, out) {
		m.sleep(now, out)
		return
	}
	m.ask(now, out)
}

// wantsUpdate reports whether the OTA client has something to do in this window.
func (m *Meter) wantsUpdate() bool {
	switch m.Agent.Client().State() {
	case otaclient.StatePaused, otaclient.StateComplete, otaclient.StateEnding:
		return true
	case otaclient.StateIdle, otaclient.StateWaiting:
		return m.flags&metering.FlagNewOTAFirmware != 0
	case otaclient.StateQuerying, otaclient.StateDownloading:
		return false
	default:
		panic("gsme: OTA client in state " + m.Agent.Client().State().String())
	}
}

// update has the client go on. It reports whether the client now waits for an answer.
func (m *Meter) update(now time.Time, out *han.Outbox) bool {
	m.becomeUpdating()
	client := m.Agent.Client()
	if m.flags&metering.FlagNewOTAFirmware != 0 {
		client.Offer(now, out)
	}
	client.Resume(now, out)
	return client.Awaiting()
}

// proceed goes to the next step if the update has come to rest in this window.
func (m *Meter) proceed(now time.Time, out *han.Outbox) {
	if m.state == stateUpdating && !m.Agent.Client().Awaiting() {
		m.next(now, out)
	}
	if m.Agent.WantsReboot() && m.state == stateAsleep {
		m.becomeOff(now) // a dated activation became due
	}
}

// sleep ends the window.
func (m *Meter) sleep(now time.Time, out *han.Outbox) {
	m.closeWindow(now, out)
	m.becomeAsleep()
	m.awaitHeartbeat(now)
}

func (m *Meter) closeWindow(now time.Time, out *han.Outbox) {
	client := m.Agent.Client()
	client.Pause()
	m.deadlines.Clear(timerEnd)
	m.settle(now, out)
	blocks := client.BlocksEver() - m.blocks
	if m.hasLastWord() {
		m.reportConsumption(now, out)
	}
	radioOn, charge := m.spending.RadioOn(m.Ledger), m.spending.Charge(m.Ledger)
	if blocks > 0 {
		m.Agent.AddWindow(radioOn, charge)
	}
	m.KeepLedger()
	m.record(out, trace.Record{At: now, Kind: trace.HeartbeatEnded, Count: blocks, Took: radioOn, Charge: int64(charge)})
}

// awaitHeartbeat sets the timer of the next heartbeat.
func (m *Meter) awaitHeartbeat(now time.Time) {
	m.scheduleBeat(now)
	m.deadlines.Schedule(timerHeartbeat, m.NextHeartbeat().Add(m.jitter()))
}

// jitter returns how much later than planned the next heartbeat comes.
func (m *Meter) jitter() time.Duration {
	if m.cfg.Jitter <= 0 {
		return 0
	}
	return time.Duration(m.cfg.Dice.Int64N(int64(m.cfg.Jitter)))
}

// reboot ends the window with a restart, to go on with an activation.
func (m *Meter) reboot(now time.Time, out *han.Outbox) {
	m.closeWindow(now, out)
	m.becomeOff(now)
}

func (m *Meter) record(out *han.Outbox, r trace.Record) {
	r.Node = uint64(m.cfg.EUI64)
	out.Record(r)
}
