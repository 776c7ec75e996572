package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub"
)

// watch plays the supplier: it orders each meter to activate what it verified, and
// reports when all updates have ended, or when ctx is done.
func (h *demoHome) watch(ctx context.Context) demoReport {
	limited, cancel := context.WithCancel(ctx)
	if h.flags.until != "" {
		limited, cancel = context.WithTimeout(ctx, h.flags.timeout)
	}
	defer cancel()
	err := h.wait(limited, func() bool {
		h.activateTransferred()
		return h.ended()
	})
	report := h.report(err)
	if h.flags.until != "" || err != nil {
		return report
	}
	h.view.say("%s. The home goes on; Ctrl-C ends it.", summary(report))
	<-ctx.Done()
	return h.report(nil)
}

func summary(r demoReport) string {
	if r.Outcome == outcomeUpdated {
		return "both meters run the new firmware"
	}
	return r.Reason
}

// activateTransferred gives the order wherever an image waits for it.
func (h *demoHome) activateTransferred() {
	for _, m := range h.meters {
		u, ok := h.update(m.eui)
		if !ok || hub.UpdateState(u.State) != hub.UpdateTransferred {
			continue
		}
		if err := h.hub.Operate(func(hb *hub.Hub, now time.Time, out *han.Outbox) error {
			return hb.Activate(now, out, hub.Activation{Device: m.eui, Hash: h.image.Hash()})
		}); err != nil {
			h.view.say("activate: %v", err)
			continue
		}
		h.view.say("%s  the supplier orders the %s to activate (CS06)", h.hub.Clock.Now().Format(viewTime), m.kind)
	}
}

// ended reports whether every update has come to an end.
func (h *demoHome) ended() bool {
	for _, m := range h.meters {
		if u, ok := h.update(m.eui); ok && !hub.UpdateState(u.State).Ended() {
			return false
		}
	}
	return true
}

// report sums up; err is why watching ended early.
func (h *demoHome) report(err error) demoReport {
	r := demoReport{Outcome: outcomeUpdated, Meters: []meterReport{}}
	var reasons []string
	for _, m := range h.meters {
		status, _ := m.device.MeterStatus()
		mr := meterReportOf(m.kind, status, h.image.FileHash())
		mr.VersionBefore = fmt.Sprintf("%08X", m.before)
		mr.Handshakes = m.device.Counters().DTLS.HandshakesCompleted
		state := hub.UpdateActivated
		if u, ok := h.update(m.eui); ok {
			state, mr.Reason = hub.UpdateState(u.State), u.Outcome
		}
		mr.State = state.String()
		if status.Version != h.image.Header.FileVersion {
			mr.Reason = h.explain(m.eui, mr.Reason)
			reasons = append(reasons, fmt.Sprintf("%s %s: %s", m.kind, m.eui, mr.Reason))
			r.Outcome = worse(r.Outcome, state, mr.Reason)
		}
		r.Meters = append(r.Meters, mr)
	}
	switch {
	case r.Outcome == outcomeUpdated:
	case errors.Is(err, context.DeadlineExceeded):
		r.Outcome = outcomeTimeout
		reasons = append([]string{fmt.Sprintf("not updated within %v", h.flags.timeout)}, reasons...)
	case err != nil:
		r.Outcome = outcomeInterrupted
		reasons = append([]string{"interrupted"}, reasons...)
	}
	r.Reason = strings.Join(reasons, "; ")
	return r
}

// worse returns the outcome of a home one meter of which ended so.
func worse(outcome string, state hub.UpdateState, reason string) string {
	if state == hub.UpdateFailed && strings.Contains(reason, refusedCode) {
		return outcomeRefused
	}
	if outcome == outcomeRefused {
		return outcome
	}
	return outcomeFailed
}

var refusedCode = fmt.Sprintf("%04X", uint16(gbcs.AlertFirmwareVerificationFailed))

// explain adds the alert that a meter raised to what the hub knows of its update.
func (h *demoHome) explain(eui han.EUI64, outcome string) string {
	for _, a := range h.hub.Store.Alerts(0, 10_000) {
		if a.Device == eui && gbcs.AlertCode(a.Code) == gbcs.AlertFirmwareVerificationFailed {
			return fmt.Sprintf("%s %s, the old firmware runs on", refusedCode, gbcs.AlertFirmwareVerificationFailed)
		}
	}
	if outcome == "" {
		return "the update is not finished"
	}
	return outcome
}
