package demo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	devicemeter "github.com/commshub/commshub/devices/meter"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub/store"
)

// Outcomes of a demo.
const (
	OutcomeUpdated     = "updated"     // the meters that the image is for run it
	OutcomeRefused     = "refused"     // a meter found the image bad
	OutcomeFailed      = "failed"      // the update of a meter ended otherwise
	OutcomeTimeout     = "timeout"     // it took too long
	OutcomeInterrupted = "interrupted" // somebody stopped it
)

// stateOther is the state of a meter that the image is not for.
const stateOther = "not offered"

// Report is what a demo came to, as commshub demo --json prints it.
type Report struct {
	Outcome string        `json:"outcome"`
	Reason  string        `json:"reason,omitempty"`
	Meters  []MeterReport `json:"meters"`
}

// MeterReport is what one meter's update came to. Hashes and versions are in hex.
type MeterReport struct {
	EUI64         string  `json:"eui64"`
	Kind          string  `json:"kind"`
	State         string  `json:"state"`
	Reason        string  `json:"reason,omitempty"`
	VersionBefore string  `json:"version_before"`
	VersionAfter  string  `json:"version_after"`
	Image         string  `json:"image"`
	SlotSHA256    string  `json:"slot_sha256"` // of the slot that runs
	Windows       uint32  `json:"windows"`
	Blocks        uint32  `json:"blocks"`
	Retries       uint32  `json:"retries"`
	RadioOn       float64 `json:"radio_on_s"`
	Charge        float64 `json:"charge_uah"`
	Took          float64 `json:"update_s"` // from the first block to the new firmware
	Handshakes    uint64  `json:"dtls_handshakes"`
}

func meterReportOf(kind store.Kind, s devicemeter.Status, fileHash [32]byte) MeterReport {
	u := s.Update
	end := max(u.CompletedAt, u.ActivatedAt)
	return MeterReport{
		EUI64: s.EUI64.String(), Kind: kind.String(), VersionAfter: fmt.Sprintf("%08X", s.Version),
		Image: fmt.Sprintf("%x", fileHash), SlotSHA256: fmt.Sprintf("%x", s.SlotHash),
		Windows: u.Windows, Blocks: u.Blocks, Retries: u.Retries,
		RadioOn: u.RadioOn.Round(time.Millisecond).Seconds(),
		Charge:  math.Round(u.Charge.MicroampHours()*1000) / 1000,
		Took:    (time.Duration(max(0, end-u.StartedAt)) * time.Microsecond).Round(time.Millisecond).Seconds(),
	}
}

// report sums up; err is why the supplier did not get to the end.
func (h *Home) report(err error, timeout time.Duration) Report {
	r := Report{Outcome: OutcomeUpdated, Meters: []MeterReport{}}
	var reasons []string
	for _, m := range h.meters {
		status, _ := m.device.MeterStatus()
		mr := meterReportOf(m.kind, status, h.opt.Image.FileHash())
		mr.VersionBefore = fmt.Sprintf("%08X", m.before)
		mr.Handshakes = m.device.Counters().DTLS.HandshakesCompleted
		state := store.UpdateActivated
		if u, ok := h.update(m.eui); ok {
			state, mr.Reason = u.State, u.Outcome
		}
		mr.State = state.String()
		switch {
		case !h.isFor(m.eui):
			mr.State, mr.Reason = stateOther, fmt.Sprintf("the image is for %s alone", h.opt.Image.Header.Destination)
		case status.Version != h.opt.Image.Header.FileVersion:
			mr.Reason = h.explain(m.eui, mr.Reason)
			reasons = append(reasons, fmt.Sprintf("%s %s: %s", m.kind, m.eui, mr.Reason))
			r.Outcome = worse(r.Outcome, state, mr.Reason)
		}
		r.Meters = append(r.Meters, mr)
	}
	switch {
	case r.Outcome == OutcomeUpdated:
	case errors.Is(err, context.DeadlineExceeded):
		r.Outcome = OutcomeTimeout
		reasons = append([]string{fmt.Sprintf("not updated within %v", timeout)}, reasons...)
	case err != nil:
		r.Outcome = OutcomeInterrupted
		reasons = append([]string{"interrupted"}, reasons...)
	}
	r.Reason = strings.Join(reasons, "; ")
	return r
}

// worse returns the outcome of a home one meter of which ended so.
func worse(outcome string, state store.UpdateState, reason string) string {
	if state == store.UpdateFailed && strings.Contains(reason, refusedCode) {
		return OutcomeRefused
	}
	if outcome == OutcomeRefused {
		return outcome
	}
	return OutcomeFailed
}

var refusedCode = fmt.Sprintf("%04X", uint16(gbcs.AlertFirmwareVerificationFailed))

// explain adds the alert that a meter raised to what the hub knows of its update.
func (h *Home) explain(eui han.EUI64, outcome string) string {
	for _, a := range h.hub.Store.Inbox(0, 10_000) {
		if a.Device == eui && gbcs.AlertCode(a.Code) == gbcs.AlertFirmwareVerificationFailed {
			return fmt.Sprintf("%s %s, the old firmware runs on", refusedCode, gbcs.AlertFirmwareVerificationFailed)
		}
	}
	if outcome == "" {
		return "the update is not finished"
	}
	return outcome
}
