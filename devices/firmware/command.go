package firmware

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/internal/trace"
)

// HandleCommand takes a GBCS command that came through the tunnel. What is not
// for this meter, not from its supplier, malformed or replayed is refused and
// changes nothing. A meter about to restart takes no command: it must not be
// confirmed, so that the hub delivers it again.
func (a *Agent) HandleCommand(now time.Time, out *han.Outbox, data []byte) (taken bool) {
	if a.reboot {
		return false
	}
	a.handleCommand(now, out, data)
	return true
}

func (a *Agent) handleCommand(now time.Time, out *han.Outbox, data []byte) {
	m, err := gbcs.ParseMessage(data)
	if err != nil {
		a.refuse(now, out, 0, err.Error())
		a.QueueAlert(now, out, gbcs.AlertCommandIntegrityCheckFailed)
		return
	}
	switch {
	case m.CRA != gbcs.Command:
		a.refuse(now, out, m.Code, fmt.Sprintf("a %s is no command", m.CRA))
	case m.Recipient != a.cfg.Device:
		a.refuse(now, out, m.Code, fmt.Sprintf("addressed to %s", m.Recipient))
	case m.Originator != a.cfg.Supplier:
		a.refuse(now, out, m.Code, fmt.Sprintf("originator %s has no authority here", m.Originator))
		a.QueueAlert(now, out, gbcs.AlertSourceLacksAuthority)
	case m.OriginatorCounter <= a.state.CommandCounter:
		a.repeat(now, out, m)
	default:
		a.execute(now, out, m)
	}
}

func (a *Agent) execute(now time.Time, out *han.Outbox, m gbcs.Message) {
	switch m.Code {
	case gbcs.CodeActivateFirmware:
		a.activateFirmware(now, out, m)
	case gbcs.CodeReadGSMEFirmwareVersion, gbcs.CodeReadESMEFirmwareVersion:
		a.readVersion(now, out, m)
	default:
		a.refuse(now, out, m.Code, "use case not supported")
	}
}

// repeat answers a command that was delivered twice with the response it got the
// first time. Any other command whose counter does not exceed the last one is a
// replay.
func (a *Agent) repeat(now time.Time, out *han.Outbox, m gbcs.Message) {
	if stored, ok := a.parts.Journal.Get(keyResponse); ok {
		response, err := gbcs.ParseMessage(stored)
		if err == nil && response.OriginatorCounter == m.OriginatorCounter && response.Code == m.Code {
			if !a.outbox.holds(stored) {
				a.outbox.push(append([]byte(nil), stored...))
				a.save()
			}
			return
		}
	}
	if a.state.Activating.Set && a.state.Activating.Counter == m.OriginatorCounter {
		return // in the middle of being carried out
	}
	a.refuse(now, out, m.Code, fmt.Sprintf("originator counter %d, want more than %d", m.OriginatorCounter, a.state.CommandCounter))
}

// readVersion answers a Read Firmware Version command (GCS38, ECS52).
func (a *Agent) readVersion(now time.Time, out *han.Outbox, m gbcs.Message) {
	payload, err := a.versionPayload(m)
	if err != nil {
		a.refuse(now, out, m.Code, err.Error())
		return
	}
	a.state.CommandCounter = m.OriginatorCounter
	a.respond(now, m, payload)
}

func (a *Agent) versionPayload(m gbcs.Message) ([]byte, error) {
	version := a.boot.Info.ID.FileVersion
	if m.Code == gbcs.CodeReadESMEFirmwareVersion {
		c, err := gbcs.ParseReadESMEFirmwareVersionCommand(m.Payload)
		if err != nil {
			return nil, err
		}
		return gbcs.ReadESMEFirmwareVersionResponse{InvokeID: c.InvokeID, FirmwareVersion: version}.Append(nil), nil
	}
	if _, err := gbcs.ParseReadGSMEFirmwareVersionCommand(m.Payload); err != nil {
		return nil, err
	}
	return gbcs.ReadGSMEFirmwareVersionResponse{FirmwareVersion: version}.Append(nil), nil
}

func (a *Agent) refuse(now time.Time, out *han.Outbox, code gbcs.MessageCode, why string) {
	a.record(out, trace.Record{At: now, Kind: trace.CommandRefused, Code: uint32(code), Text: why})
}
