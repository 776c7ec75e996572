package gsme

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/tunnel"
	"github.com/commshub/commshub/han/zcl"
)

const tunnelCluster = tunnel.ClusterID

// ask sends what the step in hand asks of the hub and waits for the answer.
func (m *Meter) ask(now time.Time, out *han.Outbox) {
	m.deadlines.Await(timerAnswer, now.Add(answerTimeout))
	switch m.state {
	case stateRequestingMirror:
		m.send(out, metering.ClusterID, metering.CommandRequestMirror, fromServer, zcl.Empty{})
	case stateConfiguringMirror:
		m.tsn = m.send(out, metering.ClusterID, metering.CommandConfigureMirror, fromServer|confirmed, metering.ConfigureMirror{
			IssuerEventID: uint32(zcl.UTCTimeOf(m.Clock.Read(now))), ReportingInterval: uint32(m.cfg.Period / time.Second),
			NotificationReporting: true, Scheme: metering.SchemeB,
		})
	case stateRequestingTunnel:
		m.send(out, tunnel.ClusterID, tunnel.CommandRequestTunnel, 0, tunnel.RequestTunnel{
			Protocol: tunnel.ProtocolGBHRGP, Manufacturer: tunnel.ManufacturerNone, MaxTransferSize: tunnel.MaxTransfer,
		})
	case stateReporting:
		m.report(now, out)
	case stateReadingTime:
		h := zcl.Header{DisableDefaultResponse: true, Command: zcl.CommandReadAttributes}
		zcl.Send(&m.Station, out, m.HubPeer(zcl.ClusterTime), h, zcl.ReadAttributes{IDs: []uint16{zcl.AttributeTime}})
	case stateGetting:
		m.send(out, tunnel.ClusterID, tunnel.CommandTransferDataToServer, 0,
			tunnel.TransferData{TunnelID: m.join.Tunnel, Data: tunnel.Get{}.Append(nil)})
	case statePutting:
		message, _ := m.Remote.Outgoing()
		m.tsn = m.send(out, tunnel.ClusterID, tunnel.CommandTransferDataToServer, confirmed,
			tunnel.TransferData{TunnelID: m.join.Tunnel, Data: tunnel.Put{Message: m.outgoing.Next(message)}.Append(nil)})
	case stateReportingAccount:
		m.reportAccount(out)
	case stateOff, stateAsleep, stateUpdating:
		panic("gsme: nothing to ask in state " + m.state.String())
	}
}

// How a cluster command is sent.
type how uint8

const (
	fromServer how = 1 << iota // the meter is the cluster's server
	confirmed                  // a Default Response is wanted
)

// send sends a cluster command to the hub.
func (m *Meter) send(out *han.Outbox, cluster uint16, command uint8, as how, c zcl.Command) (tsn uint8) {
	h := zcl.Header{
		ClusterSpecific: true, ToClient: as&fromServer != 0,
		DisableDefaultResponse: as&confirmed == 0, Command: command,
	}
	return zcl.Send(&m.Station, out, m.HubPeer(cluster), h, c)
}

// report pushes the readings to the mirror.
func (m *Meter) report(now time.Time, out *han.Outbox) {
	number := func(t zcl.DataType, n uint64) zcl.Value { return zcl.Value{Type: t, Number: n} }
	version := m.Agent.Running().ID.FileVersion
	days := m.Ledger.DaysLeft(m.plain, m.cfg.Period)
	to := m.HubPeer(metering.ClusterID)
	to.Endpoint = m.join.Mirror
	h := zcl.Header{ToClient: true, DisableDefaultResponse: true, Command: zcl.CommandReportAttributes}
	m.readings = append(m.readings[:0],
		zcl.Attribute{ID: metering.AttributeCurrentSummationDelivered, Value: number(zcl.TypeUint48, m.Metrology.Register(now))},
		zcl.Attribute{ID: metering.AttributeSupplyStatus, Value: number(zcl.TypeEnum8, uint64(metering.SupplyOn))},
		zcl.Attribute{ID: metering.AttributeRemainingBatteryLife, Value: number(zcl.TypeUint8, uint64(m.Ledger.Percent()))},
		zcl.Attribute{ID: metering.AttributeRemainingBatteryLifeInDays, Value: number(zcl.TypeUint16, uint64(min(days, 0xFFFE)))},
		zcl.Attribute{ID: metering.AttributeCurrentMeterID, Value: zcl.Value{Type: zcl.TypeOctetString,
			Bytes: binary.BigEndian.AppendUint32(m.version[:0], version)}},
		zcl.Attribute{ID: metering.AttributeUnitOfMeasure, Value: number(zcl.TypeEnum8, uint64(metering.UnitCubicMetres))},
		zcl.Attribute{ID: metering.AttributeDivisor, Value: number(zcl.TypeUint24, litresPerCubicMetre)},
		zcl.Attribute{ID: metering.AttributeReportingStatus, Value: number(zcl.TypeEnum8, uint64(metering.ReportingComplete))},
	)
	zcl.Send(&m.Station, out, to, h, zcl.ReportAttributes{Attributes: m.readings})
}

// litresPerCubicMetre is the divisor: the register counts litres.
const litresPerCubicMetre = 1000

// handleMetering takes the proxy's answers.
func (m *Meter) handleMetering(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) error {
	switch {
	case !h.ClusterSpecific && h.Command == zcl.CommandDefaultResponse:
		confirms, err := m.confirms(h, payload, metering.CommandConfigureMirror)
		if err != nil {
			return err
		}
		if m.state == stateConfiguringMirror && confirms {
			m.join.Configured = true
			m.join.keep(m.Journal)
			m.next(now, out)
		}
	case h.ForServer() && h.Command == metering.CommandRequestMirrorResponse && m.state == stateRequestingMirror:
		r, err := metering.ParseRequestMirrorResponse(payload)
		if err != nil {
			return err
		}
		if r.Endpoint == 0 || r.Endpoint > 0xFF { // metering.MirrorFailed is one of them
			m.sleep(now, out)
			return fmt.Errorf("the hub has no mirror for this meter (endpoint %04X)", r.Endpoint)
		}
		m.join.Mirror, m.joined = uint8(r.Endpoint), true
		m.next(now, out)
	case h.ForServer() && h.Command == metering.CommandMirrorReportAttributeResponse && m.state == stateReporting:
		r, err := metering.ParseMirrorReportAttributeResponse(payload)
		if err != nil {
			return err
		}
		m.flags = r.Functional()
		m.pending = m.flags&metering.FlagTunnelMessagePending != 0
		m.done.report = true
		if m.settle(now, out); m.tries == 0 {
			m.plain = m.spending.Charge(m.Ledger) - m.before
		}
		if m.hasFirstWord() {
			m.reportConsumption(now, out)
		}
		m.next(now, out)
	case h.ForServer() && h.Command == metering.CommandMirrorRemoved:
		m.join = join{}
		m.join.keep(m.Journal)
		if m.state == stateReporting {
			m.next(now, out) // joins anew
		}
	}
	return nil
}

// handleTunnel takes what comes through the tunnel, and its errors.
func (m *Meter) handleTunnel(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, payload []byte) error {
	if !h.ClusterSpecific {
		if h.Command != zcl.CommandDefaultResponse {
			return nil
		}
		return m.takeConfirmation(now, out, h, payload)
	}
	if !h.ForClient() {
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusUnsupCommand)
		return nil
	}
	switch h.Command {
	case tunnel.CommandRequestTunnelResponse:
		r, err := tunnel.ParseRequestTunnelResponse(payload)
		if err != nil || m.state != stateRequestingTunnel {
			return err
		}
		if r.Status != tunnel.StatusSuccess {
			m.sleep(now, out) // asks again at the next heartbeat
			return fmt.Errorf("the hub opens no tunnel: %s", r.Status)
		}
		m.join.HasTunnel, m.join.Tunnel = true, r.TunnelID
		m.join.keep(m.Journal)
		m.next(now, out)
	case tunnel.CommandTransferDataToClient:
		t, err := tunnel.ParseTransferData(payload)
		if err != nil {
			return err
		}
		return m.handleGetResponse(now, out, f, h, t)
	case tunnel.CommandTransferDataErrorToClient:
		m.join.HasTunnel = false // the hub forgot the tunnel
		m.join.keep(m.Journal)
		if m.state == stateGetting || m.state == statePutting {
			m.next(now, out)
		}
	}
	return nil
}

// takeConfirmation takes the Default Response to the message or block that was put last. A
// refused block makes its message begin anew.
func (m *Meter) takeConfirmation(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) error {
	confirms, err := m.confirms(h, payload, tunnel.CommandTransferDataToServer)
	switch {
	case err != nil || m.state != statePutting || h.TSN != m.tsn:
	case !confirms:
		m.outgoing.Refused()
	default:
		if message, _ := m.Remote.Outgoing(); m.outgoing.Confirmed(message) {
			m.Remote.Delivered(now, out)
		}
		m.next(now, out)
	}
	return err
}

// confirms reports whether a Default Response says that the hub took the command that was
// sent last. A refusal is as good as no answer: the command is sent again.
func (m *Meter) confirms(h zcl.Header, payload []byte, command uint8) (bool, error) {
	r, err := zcl.ParseDefaultResponse(payload)
	return err == nil && h.TSN == m.tsn && r.Confirms(command), err
}

// handleGetResponse takes a message, or a block of one. A late one is taken too, because the hub
// drops what is confirmed; one that was taken before does no harm.
func (m *Meter) handleGetResponse(now time.Time, out *han.Outbox, f han.Frame, h zcl.Header, t tunnel.TransferData) error {
	r, err := tunnel.ParseGetResponse(t.Data)
	if err != nil {
		return err
	}
	message, err := m.incoming.Take(r.Message)
	switch {
	case err != nil:
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusFailure)
	case len(message) == 0 || m.HandleMessage(now, out, message):
		zcl.AnswerDefault(&m.Station, out, f, h, zcl.StatusSuccess)
	}
	if m.state == stateGetting {
		m.pending = r.Remaining > 0
		m.next(now, out)
	}
	return err
}

// handleTime sets the meter's clock from the hub's.
func (m *Meter) handleTime(now time.Time, out *han.Outbox, h zcl.Header, payload []byte) error {
	if h.ClusterSpecific || h.Command != zcl.CommandReadAttributesResponse || m.state != stateReadingTime {
		return nil
	}
	if _, err := m.SetClock(now, out, payload); err != nil {
		return err
	}
	m.clockDue = now.Add(clockInterval) // also of a hub without the time
	m.scheduleBeat(now)
	m.scheduleEnd()
	m.next(now, out)
	return nil
}

// join is what a meter keeps from joining: the mirror's endpoint and the tunnel.
type join struct {
	Mirror     uint8 // endpoint at the hub, 0 = none yet
	Configured bool
	HasTunnel  bool
	Tunnel     uint16
}

func loadJoin(j *journal.Journal) join {
	b, ok := j.Get(board.KeyJoin)
	if !ok || len(b) != 5 {
		return join{}
	}
	return join{Mirror: b[0], Configured: b[1] != 0, HasTunnel: b[2] != 0, Tunnel: uint16(b[3]) | uint16(b[4])<<8}
}

func (n join) keep(j *journal.Journal) {
	b := []byte{n.Mirror, 0, 0, byte(n.Tunnel), byte(n.Tunnel >> 8)}
	if n.Configured {
		b[1] = 1
	}
	if n.HasTunnel {
		b[2] = 1
	}
	j.Commit(journal.Entry{Key: board.KeyJoin, Data: b})
}
