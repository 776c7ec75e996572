package headend

import (
	"bytes"
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// Received implements hub.Supplier: it takes a response or an alert. When it returns
// without an error the message is stored and may be confirmed to the meter. A message
// says by originator and counter which one it is, so one with the bytes of another in
// the inbox is the same put again: a meter puts it until it is confirmed, also to a hub
// that was killed in between.
func (s *HeadEnd) Received(now time.Time, out *han.Outbox, eui han.EUI64, message []byte) error {
	m, err := gbcs.ParseMessage(message)
	if err != nil {
		return err
	}
	if m.Originator != eui {
		return fmt.Errorf("message of %s came from %s", m.Originator, eui)
	}
	if s.store.InInbox(eui, message) {
		return nil
	}
	entry := store.InboxEntry{At: now.UnixMicro(), Device: eui, MessageCode: uint16(m.Code), Bytes: bytes.Clone(message)}
	var changes []store.Change
	forged := s.authentic(m)
	switch {
	case m.CRA == gbcs.Command:
		err = fmt.Errorf("a meter sent the command %s", m.Code)
	case forged != nil:
		// It is kept as evidence and confirmed, so that whoever has it does not send it for
		// ever. It moves nothing.
		entry.Forged = true
		entry.Text = fmt.Sprintf("%s %s, not authentic: %s", m.Code, m.CRA, forged)
	case m.CRA == gbcs.Response:
		entry.Text, changes, err = s.readResponse(now, eui, m)
	default:
		entry.Code, entry.Text, changes, err = s.readAlert(now, eui, m)
	}
	if err != nil {
		return err
	}
	before, _ := s.current(eui)
	if err := s.store.Commit(append(changes, s.entered(entry)...)...); err != nil {
		return err
	}
	if err := s.settleOfferSince(eui, before); err != nil {
		return err
	}
	s.record(out, trace.Record{At: now, Kind: trace.MessageReceived, Peer: uint64(eui), Code: uint32(m.Code), Text: entry.Text})
	return nil
}

// Alerted implements hub.Supplier: what the hub itself has to say goes into the inbox too,
// with its message. What a message does not say, the hub's words do.
func (s *HeadEnd) Alerted(now time.Time, eui han.EUI64, code gbcs.AlertCode, text string, message []byte) []store.Change {
	entry := store.InboxEntry{At: now.UnixMicro(), Device: eui, Code: uint16(code), Text: fmt.Sprintf("%s: %s", code, text), Bytes: message}
	m, err := gbcs.ParseMessage(message)
	if err == nil {
		entry.MessageCode = uint16(m.Code)
		err = s.authentic(m)
	}
	if err != nil {
		entry.Forged, entry.Text = true, fmt.Sprintf("not authentic: %s: %s", err, entry.Text)
	}
	return s.entered(entry)
}

// entered returns the changes that add an entry to the inbox.
func (s *HeadEnd) entered(entry store.InboxEntry) []store.Change {
	gone, full := s.store.Displaced(entry.Device)
	if full {
		return s.displaced(entry, gone)
	}
	sequence, taken := s.store.NextNumber(store.SeriesInbox)
	entry.Sequence = sequence
	return []store.Change{store.Put(entry), taken}
}

// readResponse interprets a response and moves the order that it answers. A response
// to an order that is not known, or not any more, only goes into the inbox.
func (s *HeadEnd) readResponse(now time.Time, eui han.EUI64, m gbcs.Message) (text string, changes []store.Change, err error) {
	payload, err := m.ParsePayload()
	if err != nil {
		return "", nil, err
	}
	o, known := s.order(eui, m.OriginatorCounter, m.Code)
	state := store.OrderDone
	switch r := payload.(type) {
	case gbcs.ActivateFirmwareResponse:
		text = "accepted"
		if !r.Accepted {
			text = outcomeText(r.Outcome)
		} else if o.ExecuteAt != 0 {
			text = "accepted for later"
		}
		if known {
			changes = s.activationAnswered(now, o, r)
		}
		return text, changes, nil
	case gbcs.DeviceLogResponse:
		text, state = deviceLogAnswer(r)
	case gbcs.ReadDeviceLogResponse:
		text = heardText(r)
	case gbcs.ReadGSMEFirmwareVersionResponse:
		text, state = versionRead(r.FirmwareVersion, r.Status == zcl.StatusSuccess, r.Status)
	case gbcs.ReadESMEFirmwareVersionResponse:
		text, state = versionRead(r.FirmwareVersion, r.Result == gbcs.AccessSuccess, r.Result)
	case gbcs.TopUpGSMEResponse:
		text, state = topUpAnswered(r)
	case gbcs.ReadESMELogResponse:
		text, state = logText(r.Log, len(r.Entries), r.Result == gbcs.AccessSuccess, r.Result)
	case gbcs.ReadGSMELogResponse:
		text, state = logText(r.Log, len(r.Entries), r.Status == zcl.StatusSuccess || r.Status == zcl.StatusNotFound, r.Status)
	default:
		text = "response to " + m.Code.String()
	}
	if known {
		changes = append(append(changes, s.unanswered(now, o)...), store.Put(moved(o, now, state, text)))
	}
	return text, changes, nil
}

// versionRead says what reading a firmware version gave.
func versionRead(version uint32, read bool, result fmt.Stringer) (text string, state store.OrderState) {
	if !read {
		return fmt.Sprintf("no firmware version to read: %s", result), store.OrderFailed
	}
	return fmt.Sprintf("runs firmware version %08X", version), store.OrderDone
}

// order returns the order that a device speaks of, if it can still move.
func (s *HeadEnd) order(eui han.EUI64, counter uint64, code gbcs.MessageCode) (store.Order, bool) {
	o, ok := s.store.Order(eui, counter)
	if !ok || o.State.Ended() || gbcs.MessageCode(o.Code) != code {
		return store.Order{}, false
	}
	return o, true
}

// readAlert interprets an alert and moves the update it belongs to.
func (s *HeadEnd) readAlert(now time.Time, eui han.EUI64, m gbcs.Message) (code uint16, text string, changes []store.Change, err error) {
	payload, err := m.ParsePayload()
	if err != nil {
		return 0, "", nil, err
	}
	switch a := payload.(type) {
	case gbcs.DistributionReceiptAlert:
		return uint16(a.Code), fmt.Sprintf("%s, hash %x", a.Code, a.ImageHash), s.receipt(now, eui, a), nil
	case gbcs.ActivateFirmwareAlert:
		if o, known := s.order(eui, a.OriginatorCounter, gbcs.CodeActivateFirmware); known {
			changes = s.activationEnded(now, o, a.Outcome)
		}
		return uint16(a.Code), fmt.Sprintf("%s: %s", a.Code, outcomeText(a.Outcome)), changes, nil
	case gbcs.GenericAlert:
		return uint16(a.Code), a.Code.String(), nil, nil
	default:
		return 0, m.Code.String(), nil, nil
	}
}
