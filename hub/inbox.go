package hub

import (
	"bytes"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// recentMessages is how many messages of a device are remembered to recognise one
// that is put twice because its confirmation was lost.
const recentMessages = 8

// FromMeter implements gasproxy.Communications: it takes a response or an alert
// for the supplier. When it returns without an error the message is stored and
// may be confirmed to the meter.
func (h *Hub) FromMeter(now time.Time, out *han.Outbox, eui han.EUI64, message []byte) error {
	d := h.devices[eui]
	m, err := gbcs.ParseMessage(message)
	if err != nil {
		return err
	}
	if m.Originator != eui {
		return fmt.Errorf("message of %s came from %s", m.Originator, eui)
	}
	if d.isRecent(message) {
		return nil
	}
	entry := store.Alert{At: now.UnixMicro(), Device: eui, MessageCode: uint16(m.Code), Bytes: bytes.Clone(message)}
	var changes []store.Change
	switch m.CRA {
	case gbcs.Response:
		entry.Text, changes, err = h.readResponse(now, d, m)
	case gbcs.Alert:
		entry.Code, entry.Text, changes, err = h.readAlert(now, d, m)
	case gbcs.Command:
		err = fmt.Errorf("a meter sent the command %s", m.Code)
	}
	if err != nil {
		return err
	}
	sequence, sequenceChange := h.nextSequence(seriesAlert)
	entry.Sequence = sequence
	if err := h.store.Commit(append(changes, store.Put(entry), sequenceChange)...); err != nil {
		return err
	}
	d.remember(message)
	h.settleOffer(d)
	h.record(out, trace.Record{At: now, Kind: trace.MessageReceived, Peer: uint64(eui), Code: uint32(m.Code), Text: entry.Text})
	return nil
}

func (d *device) isRecent(message []byte) bool {
	for _, r := range d.recent {
		if bytes.Equal(r, message) {
			return true
		}
	}
	return false
}

func (d *device) remember(message []byte) {
	d.recent[d.recentNext] = bytes.Clone(message)
	d.recentNext = (d.recentNext + 1) % recentMessages
}

// readResponse interprets a response and drops the command that it answers.
func (h *Hub) readResponse(now time.Time, d *device, m gbcs.Message) (text string, changes []store.Change, err error) {
	for _, command := range h.store.MessagesOf(d.log.EUI64) {
		c, err := gbcs.ParseMessage(command.Bytes)
		if err == nil && c.OriginatorCounter == m.OriginatorCounter && c.Code == m.Code {
			changes = append(changes, store.Delete(command))
		}
	}
	switch m.Code {
	case gbcs.CodeActivateFirmware:
		r, err := gbcs.ParseActivateFirmwareResponse(m.Payload)
		if err != nil {
			return "", nil, err
		}
		more, text := h.activationResponse(now, d, r)
		return text, append(changes, more...), nil
	case gbcs.CodeReadGSMEFirmwareVersion:
		r, err := gbcs.ParseReadGSMEFirmwareVersionResponse(m.Payload)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("runs firmware version %08X", r.FirmwareVersion), changes, nil
	case gbcs.CodeReadESMEFirmwareVersion:
		r, err := gbcs.ParseReadESMEFirmwareVersionResponse(m.Payload)
		if err != nil {
			return "", nil, err
		}
		return fmt.Sprintf("runs firmware version %08X", r.FirmwareVersion), changes, nil
	default:
		return "response to " + m.Code.String(), changes, nil
	}
}

// readAlert interprets an alert and moves the update it belongs to.
func (h *Hub) readAlert(now time.Time, d *device, m gbcs.Message) (code uint16, text string, changes []store.Change, err error) {
	switch m.Code {
	case gbcs.CodeDistributionReceiptESME, gbcs.CodeDistributionReceiptGSME:
		a, err := gbcs.ParseDistributionReceiptAlert(m.Payload)
		if err != nil {
			return 0, "", nil, err
		}
		return uint16(a.Code), fmt.Sprintf("%s, hash %x", a.Code, a.ImageHash), h.receipt(now, d, a), nil
	case gbcs.CodeActivateFirmwareAlert:
		a, err := gbcs.ParseActivateFirmwareAlert(m.Payload)
		if err != nil {
			return 0, "", nil, err
		}
		changes, text := h.activationOutcome(now, d, a.Outcome)
		return uint16(a.Code), fmt.Sprintf("%s: %s", a.Code, text), changes, nil
	case gbcs.CodeGenericCriticalAlert, gbcs.CodeGenericNonCriticalAlert:
		a, err := gbcs.ParseGenericAlert(m.Payload)
		if err != nil {
			return 0, "", nil, err
		}
		return uint16(a.Code), a.Code.String(), nil, nil
	default:
		return 0, m.Code.String(), nil, nil
	}
}

// ownAlert prepares an alert of the hub itself about a device: the entry and the
// changes that store it.
func (h *Hub) ownAlert(now time.Time, eui han.EUI64, code gbcs.AlertCode, text string) (store.Alert, []store.Change) {
	sequence, sequenceChange := h.nextSequence(seriesAlert)
	a := store.Alert{Sequence: sequence, At: now.UnixMicro(), Device: eui, Code: uint16(code),
		Text: fmt.Sprintf("%s: %s", code, text)}
	return a, []store.Change{store.Put(a), sequenceChange}
}

func (h *Hub) recordAlert(now time.Time, out *han.Outbox, a store.Alert) {
	h.record(out, trace.Record{At: now, Kind: trace.AlertRaised, Code: uint32(a.Code), Text: a.Text})
}
