// Package esme is an electricity meter (ESME): mains-powered, its radio always
// on. It downloads firmware as fast as the hub serves it, takes commands and
// delivers responses and alerts at once through the tunnel that the hub opens,
// and reports its readings in regular intervals.
package esme

import (
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/flash"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/gbcs/block"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Config is an electricity meter's character.
type Config struct {
	meter.Config
	// ReportInterval is how often the meter reports its readings to the hub.
	ReportInterval time.Duration
}

// Times of an electricity meter. All three are assumptions.
const (
	DefaultReportInterval = 5 * time.Minute
	deliveryTimeout       = 10 * time.Second // for the hub's confirmation of a message
	clockInterval         = 24 * time.Hour
)

type timer uint8

const (
	timerReport   timer = iota
	timerDelivery       // the confirmation of the message in flight is overdue
)

// noTunnel is the tunnel identifier while the hub has opened none.
const noTunnel = tunnel.NoTunnel

// Meter is an electricity meter.
type Meter struct {
	meter.Chassis
	cfg       Config
	deadlines han.Deadlines[timer]
	tunnel    uint16
	nextID    uint16
	delivery  uint8 // transaction of the message in flight, while timerDelivery is set
	outgoing  block.Sender
	incoming  block.Receiver
	clockDue  time.Time // emulated instant at which the clock is to be set again
	blocks    uint32    // the client's count when charge was last added to the report
	radioOn   time.Duration
	charge    battery.Charge
	readings  []zcl.Attribute // reported last; kept for their memory
}

var _ han.Node = (*Meter)(nil)

// New returns an electricity meter on a part of meter.Geometry. It boots at now.
func New(cfg Config, chip *flash.Chip, now time.Time) *Meter {
	if cfg.ReportInterval == 0 {
		cfg.ReportInterval = DefaultReportInterval
	}
	cfg.OTA.HeartbeatPeriod = 0
	cfg.OTA.Hardware = cfg.Policy.Hardware
	m := &Meter{cfg: cfg, tunnel: noTunnel}
	m.Init(cfg.Config, gbcs.RoleESME, chip, m, now)
	return m
}

// NextTimer implements han.Node.
func (m *Meter) NextTimer() (han.Deadline, bool) {
	own, ownSet := m.deadlines.Next()
	chassis, chassisSet := m.Chassis.NextTimer()
	return han.Earlier(own, ownSet, chassis, chassisSet)
}

// HandleTimer implements han.Node.
func (m *Meter) HandleTimer(now time.Time, out *han.Outbox) {
	mark := m.Mark(out)
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
			case timerReport:
				m.report(now, out)
			case timerDelivery: // proceed delivers it again
				m.outgoing.Unanswered()
			}
		}
		m.proceed(now, out)
	}
	m.Account(now, out, mark)
}

// booted is the application's start.
func (m *Meter) booted(now time.Time, out *han.Outbox) {
	m.tunnel = loadTunnel(m.Journal)
	m.outgoing, m.incoming = block.Sender{}, block.Receiver{}
	m.blocks = m.Agent.Client().BlocksEver()
	m.radioOn, m.charge = m.Ledger.RadioOn(), m.Ledger.Active()
	m.report(now, out)
	m.Agent.Client().Resume(now, out)
}

// HandleFrame implements han.Node.
func (m *Meter) HandleFrame(now time.Time, f han.Frame, out *han.Outbox) {
	if !m.On() || f.Src != m.cfg.Hub {
		return
	}
	mark := m.Mark(out)
	m.Spend(now, m.Ledger.Set().Radio.Receive(len(f.Payload)))
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err == nil {
		switch f.Cluster {
		case ota.ClusterID:
			m.Agent.Client().HandleFrame(now, out, f, h, payload)
		case tunnel.ClusterID:
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
	m.proceed(now, out)
	m.Account(now, out, mark)
}

// proceed delivers what waits. For an activation it restarts instead, as soon as
// no message is in flight; what waits is in flash and is delivered afterwards.
func (m *Meter) proceed(now time.Time, out *han.Outbox) {
	if !m.deadlines.IsSet(timerDelivery) && !m.Agent.WantsReboot() {
		m.deliver(now, out)
	}
	if s := m.Agent.Client().State(); s != otaclient.StateDownloading {
		m.keepReport()
	}
	if m.Agent.WantsReboot() && !m.deadlines.IsSet(timerDelivery) {
		m.KeepLedger()
		m.deadlines = han.Deadlines[timer]{}
		m.Restart(now)
	}
}

// keepReport adds what the update took since the last time to its report. An
// always-on meter has no heartbeat windows; each uninterrupted stretch counts as
// one.
func (m *Meter) keepReport() {
	blocks := m.Agent.Client().BlocksEver()
	if blocks == m.blocks {
		return
	}
	radioOn, charge := m.Ledger.RadioOn(), m.Ledger.Active()
	m.Agent.AddWindow(radioOn-m.radioOn, charge-m.charge)
	m.blocks, m.radioOn, m.charge = blocks, radioOn, charge
	m.KeepLedger()
}

// report pushes the readings to the hub and now and then asks for the time.
func (m *Meter) report(now time.Time, out *han.Outbox) {
	m.deadlines.Schedule(timerReport, now.Add(m.cfg.ReportInterval))
	m.Ledger.Elapse(now)
	m.CheckMemory(now, out)
	m.KeepLedger()
	number := func(t zcl.DataType, n uint64) zcl.Value { return zcl.Value{Type: t, Number: n} }
	version := m.Agent.Running().ID.FileVersion
	// The Default Response asked for is the meter's sign that the hub is there.
	h := zcl.Header{ToClient: true, Command: zcl.CommandReportAttributes}
	m.readings = append(m.readings[:0], []zcl.Attribute{
		{ID: metering.AttributeCurrentSummationDelivered, Value: number(zcl.TypeUint48, m.Metrology.Register(now))},
		{ID: metering.AttributeInstantaneousDemand, Value: number(zcl.TypeInt24, m.Metrology.Load())},
		{ID: metering.AttributeSupplyStatus, Value: number(zcl.TypeEnum8, uint64(metering.SupplyOn))},
		{ID: metering.AttributeCurrentMeterID, Value: zcl.Value{Type: zcl.TypeOctetString,
			Bytes: []byte{byte(version >> 24), byte(version >> 16), byte(version >> 8), byte(version)}}},
		{ID: metering.AttributeUnitOfMeasure, Value: number(zcl.TypeEnum8, uint64(metering.UnitKilowattHours))},
		{ID: metering.AttributeDivisor, Value: number(zcl.TypeUint24, wattHoursPerKilowattHour)},
		{ID: metering.AttributeReportingStatus, Value: number(zcl.TypeEnum8, uint64(metering.ReportingComplete))},
	}...)
	zcl.Send(&m.Station, out, m.HubPeer(metering.ClusterID), h, zcl.ReportAttributes{Attributes: m.readings})
	if !now.Before(m.clockDue) {
		h := zcl.Header{DisableDefaultResponse: true, Command: zcl.CommandReadAttributes}
		zcl.Send(&m.Station, out, m.HubPeer(zcl.ClusterTime), h, zcl.ReadAttributes{IDs: []uint16{zcl.AttributeTime}})
	}
}

// wattHoursPerKilowattHour is the divisor: the register counts watt-hours.
const wattHoursPerKilowattHour = 1000

// deliver sends the oldest message for the supplier, or its next block, and waits for the
// confirmation. Without a tunnel the hub refuses it and opens one.
func (m *Meter) deliver(now time.Time, out *han.Outbox) {
	message, ok := m.Remote.Outgoing()
	if !ok {
		return
	}
	m.deadlines.Await(timerDelivery, now.Add(deliveryTimeout))
	h := zcl.Header{ClusterSpecific: true, ToClient: true, Command: tunnel.CommandTransferDataToClient}
	m.delivery = zcl.Send(&m.Station, out, m.HubPeer(tunnel.ClusterID), h, tunnel.TransferData{TunnelID: m.tunnel, Data: m.outgoing.Next(message)})
}

func (m *Meter) handleTime(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) error {
	if h.ClusterSpecific || h.Command != zcl.CommandReadAttributesResponse {
		return nil
	}
	set, err := m.SetClock(now, out, payload)
	if set {
		m.clockDue = now.Add(clockInterval)
	}
	return err
}

// handleTunnel is the server side of the tunnel.
func (m *Meter) handleTunnel(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	if !h.ClusterSpecific {
		if h.Command == zcl.CommandDefaultResponse {
			return m.takeConfirmation(now, out, h, payload)
		}
		return nil
	}
	if !h.ForServer() {
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusUnsupCommand)
		return nil
	}
	switch h.Command {
	case tunnel.CommandRequestTunnel:
		return m.openTunnel(out, f, h, payload)
	case tunnel.CommandTransferDataToServer:
		t, err := tunnel.ParseTransferData(payload)
		if err != nil {
			return err
		}
		if t.TunnelID != m.tunnel || m.tunnel == noTunnel {
			m.answerTunnel(out, f, h, tunnel.CommandTransferDataErrorToClient,
				tunnel.TransferDataError{TunnelID: t.TunnelID, Status: tunnel.TransferNoSuchTunnel})
			return nil
		}
		return m.takeMessage(now, out, f, h, t.Data)
	case tunnel.CommandCloseTunnel:
		m.setTunnel(noTunnel)
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusSuccess)
	case tunnel.CommandTransferDataErrorToServer:
		refused, err := tunnel.ParseTransferDataError(payload)
		if err != nil {
			return err
		}
		if refused.TunnelID == m.tunnel { // the hub does not know it and opens another
			m.setTunnel(noTunnel)
		}
	default:
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusUnsupCommand)
	}
	return nil
}

// takeMessage takes a message of a remote party, or a block of one.
func (m *Meter) takeMessage(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, data []byte) error {
	message, err := m.incoming.Take(data)
	switch {
	case err != nil:
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusFailure)
	case len(message) == 0 && len(data) > 0, m.HandleMessage(now, out, message): // a block that is not the last is no message yet
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusSuccess)
	}
	return err
}

// takeConfirmation takes the Default Response to the message or block in flight. A refusal
// is as good as no answer: the message is sent again, from its first block.
func (m *Meter) takeConfirmation(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) error {
	r, err := zcl.ParseDefaultResponse(payload)
	if err != nil {
		return err
	}
	if !m.deadlines.IsSet(timerDelivery) || h.TSN != m.delivery || r.Command != tunnel.CommandTransferDataToClient {
		return nil
	}
	if r.Status != zcl.StatusSuccess {
		m.outgoing.Refused()
		return nil
	}
	m.deadlines.Clear(timerDelivery)
	if message, _ := m.Remote.Outgoing(); m.outgoing.Confirmed(message) {
		m.Remote.Delivered(now, out)
	}
	return nil
}

func (m *Meter) openTunnel(out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	r, err := tunnel.ParseRequestTunnel(payload)
	if err != nil {
		return err
	}
	answer := tunnel.RequestTunnelResponse{TunnelID: noTunnel, Status: tunnel.StatusProtocolNotSupported, MaxTransferSize: tunnel.MaxTransfer}
	if r.Protocol == tunnel.ProtocolGBHRGP {
		if m.tunnel == noTunnel {
			m.nextID++
			m.setTunnel(m.nextID)
		}
		answer.Status, answer.TunnelID = tunnel.StatusSuccess, m.tunnel
		m.deadlines.Clear(timerDelivery) // what was refused without a tunnel goes now
	}
	m.answerTunnel(out, f, h, tunnel.CommandRequestTunnelResponse, answer)
	return nil
}

func (m *Meter) answerTunnel(out *han.Outbox, f han.Frame, h zcl.Header, command uint8, c zcl.Command) {
	answer := zcl.Header{ClusterSpecific: true, ToClient: true, DisableDefaultResponse: true, TSN: h.TSN, Command: command}
	zcl.Answer(&m.Station, out, zcl.PeerOf(f), answer, c)
}

// setTunnel keeps the tunnel over a restart: the hub does not learn of one.
func (m *Meter) setTunnel(id uint16) {
	m.tunnel = id
	m.Journal.Commit(journal.Entry{Key: board.KeyJoin, Data: []byte{byte(id), byte(id >> 8)}})
}

func loadTunnel(j *journal.Journal) uint16 {
	b, ok := j.Get(board.KeyJoin)
	if !ok || len(b) != 2 {
		return noTunnel
	}
	return uint16(b[0]) | uint16(b[1])<<8
}

// MayRequestBlock implements otaclient.Limit: mains power sets no limit, but the
// band may.
func (m *Meter) MayRequestBlock(now time.Time) (ok bool, reason string) {
	radio := &m.Ledger.Set().Radio
	if radio.Duty.Critical == 0 {
		return true, ""
	}
	return m.DutyAllows(now, radio.Send(ota.BlockRequestSize).Add(radio.Receive(ota.BlockOverhead+int(m.cfg.OTA.MaxDataSize))))
}

// MayAsk implements otaclient.Limit.
func (m *Meter) MayAsk(time.Time) bool { return true }

func (m *Meter) record(out *han.Outbox, r trace.Record) {
	r.Node = uint64(m.cfg.EUI64)
	out.Record(r)
}
