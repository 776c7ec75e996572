package hub

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/otaserver"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/trace"
)

// Supplier is the other end of the WAN: the head end that a hub relays for.
//
// Changes that a method returns are of the head end's records. The hub commits
// them together with its own, so that both know of what happened, or neither does.
type Supplier interface {
	// Received takes a GBCS message of a device. Without an error it is stored and may
	// be confirmed to the device. One that is stored already, because its confirmation
	// was lost, changes nothing.
	Received(now time.Time, out *han.Outbox, device han.EUI64, message []byte) error
	// TransferChanged tells what a frame meant for the download of a device.
	TransferChanged(now time.Time, out *han.Outbox, device han.EUI64, r otaserver.Result) error
	// Runs tells which firmware version a device runs, by a query, or by a report and
	// the one before.
	Runs(now time.Time, device han.EUI64, version uint32) error
	// WindowOver tells that a window of a gas meter is over in which blocks may have
	// been served: the meter was told to wait, or woke again.
	WindowOver(now time.Time, device han.EUI64) error
	// Delivered tells that a device has a message, Expired that it did not fetch it in
	// time.
	Delivered(now time.Time, device han.EUI64, m gasproxy.Message) []store.Change
	Expired(now time.Time, device han.EUI64, m gasproxy.Message) []store.Change
	// Alerted tells what the hub itself has to say about a device, or about the CHF, with the
	// CHF's message.
	Alerted(now time.Time, device han.EUI64, code gbcs.AlertCode, text string, message []byte) []store.Change
	// Removed tells that a device leaves the hub.
	Removed(device han.EUI64) []store.Change
}

// alert is what the hub itself has to tell: as a message of the CHF, and for the records in
// words.
type alert struct {
	device han.EUI64 // that it is about
	code   gbcs.AlertCode
	text   string
	// payload makes what the message says from its head; nil if that is all.
	payload func(gbcs.AlertHead) gbcs.Payload
}

// alertUseCases are the use cases of alerts that have one of their own. Divergence: of 8F84
// no message is published.
var alertUseCases = map[gbcs.AlertCode]gbcs.MessageCode{
	gbcs.AlertCHFDeviceLogChanged:     gbcs.CodeDeviceLogChangedAlert,
	gbcs.AlertFailureToDeliverToESME:  gbcs.CodeFailureToDeliverToESMEAlert,
	gbcs.AlertFirmwareTransferSuccess: gbcs.CodeFirmwareTransferAlert,
	gbcs.AlertFirmwareTransferFail:    gbcs.CodeFirmwareTransferAlert,
}

// firstCritical is the lowest of the codes that travel in the generic critical alert.
// Divergence: of the hub none is published; that of a meter with 8F30 is critical, that with
// 810E is not.
const firstCritical gbcs.AlertCode = 0x8F00

func useCaseOf(code gbcs.AlertCode) gbcs.MessageCode {
	useCase, own := alertUseCases[code]
	switch {
	case own:
		return useCase
	case code >= firstCritical:
		return gbcs.CodeGenericCriticalAlert
	default:
		return gbcs.CodeGenericNonCriticalAlert
	}
}

// alerted returns the changes by which an alert is told: the supplier has it, and the CHF
// has counted it. They are committed with what it tells, and before the next alert.
func (h *Hub) alerted(now time.Time, a alert) []store.Change {
	payload := a.payload
	if payload == nil {
		payload = func(head gbcs.AlertHead) gbcs.Payload { return gbcs.GenericAlert{AlertHead: head} }
	}
	message, counted := h.function(h.cfg.CHF).endpoint.Alert(now, useCaseOf(a.code), a.code, payload)
	return append(h.supplier.Alerted(now, a.device, a.code, a.text, message), counted...)
}

// Raise returns the changes by which the hub tells what the head end finds of a device, or
// of the hub itself.
func (h *Hub) Raise(now time.Time, device han.EUI64, code gbcs.AlertCode, text string) []store.Change {
	return h.alerted(now, alert{device: device, code: code, text: text})
}

// TransferEnded returns the changes by which the hub tells how it fared with an image for a
// device (CCS08). Divergence: the one that is published is about a PPMID; here meters and
// outside devices are reported so.
func (h *Hub) TransferEnded(now time.Time, device han.EUI64, version uint32, outcome gbcs.TransferOutcome, text string) []store.Change {
	return h.alerted(now, alert{device: device, code: outcome.Alert(), text: text, payload: func(head gbcs.AlertHead) gbcs.Payload {
		return gbcs.FirmwareTransferAlert{Code: head.Code, Time: head.Time, Device: device, FirmwareVersion: version, Outcome: outcome}
	}})
}

func (h *Hub) recordAlert(now time.Time, out *han.Outbox, a alert) {
	h.record(out, trace.Record{At: now, Kind: trace.AlertRaised, Code: uint32(a.code), Text: fmt.Sprintf("%s: %s", a.code, a.text)})
}
