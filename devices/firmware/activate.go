package firmware

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/internal/trace"
)

// ActivateFirmware carries an Activate Firmware command out (CS06; device steps as in
// GBCS 11.5): dated commands are stored and answered NULL, others are tried at once,
// and a command that cannot be carried out is answered with its code.
func (a *Agent) ActivateFirmware(now time.Time, out *han.Outbox, c remote.Command) (gbcs.Payload, error) {
	command := c.Payload.(gbcs.ActivateFirmwareCommand)
	if command.OriginatorCounter != c.Counter {
		return nil, fmt.Errorf("originator counter %d inside, %d in the header", command.OriginatorCounter, c.Counter)
	}
	a.record(out, trace.Record{At: now, Kind: trace.ActivationReceived, Hash: command.ImageHash})
	act := activation{Set: true, Hash: command.ImageHash, Order: c.Order, At: command.ExecutionTime}
	switch command.Execution {
	case gbcs.ExecuteNow:
		a.state.Dated = activation{}
		a.deadlines.Clear(timerActivation)
		a.begin(now, out, act)
		return nil, nil
	case gbcs.ExecuteAt:
		act.Dated = true
		a.state.Dated = act
		due := a.parts.Clock.When(act.At.Time())
		a.record(out, trace.Record{At: now, Kind: trace.ActivationDated, Took: max(0, due.Sub(now)), Hash: act.Hash})
		a.ClockSet()
	case gbcs.ExecuteCancel:
		if a.state.Dated.Set {
			a.record(out, trace.Record{At: now, Kind: trace.ActivationCancelled, Hash: a.state.Dated.Hash})
		}
		a.state.Dated = activation{}
		a.deadlines.Clear(timerActivation)
		a.parts.Remote.LogOutcome(now, c.Code, true)
	}
	a.stage()
	return gbcs.ActivateFirmwareResponse{Accepted: true}, nil
}

// ClockSet reckons anew when a dated activation is due: it is dated by the meter's
// own clock, which was just set.
func (a *Agent) ClockSet() {
	if a.state.Dated.Set {
		a.deadlines.Schedule(timerActivation, a.parts.Clock.When(a.state.Dated.At.Time()))
	}
}

// activateDated carries the dated activation out: its time has come.
func (a *Agent) activateDated(now time.Time, out *han.Outbox) {
	act := a.state.Dated
	a.state.Dated = activation{}
	if act.Set {
		a.begin(now, out, act)
	}
}

// begin checks that the meter holds the image named and asks for the reboot that
// tries it. The activation is in flash before the bootloader knows of it, so that
// its outcome is told whatever happens.
func (a *Agent) begin(now time.Time, out *han.Outbox, act activation) {
	a.finishVerdict(now, out)
	if code := a.check(act.Hash); code != gbcs.ActivationSuccess {
		a.conclude(now, out, act, code, code.String())
		return
	}
	a.state.Activating = act
	a.save()
	a.parts.Boot.RequestActivation()
	a.reboot = true
}

// check compares the hash named with that of the image held.
func (a *Agent) check(hash ota.ImageHash) gbcs.ActivationCode {
	if !a.parts.Boot.HoldsImage() {
		return gbcs.ActivationNoImageHeld
	}
	image, err := ota.ParseImage(a.parts.Boot.Candidate().File())
	if err != nil {
		return gbcs.ActivationNoImageHeld
	}
	a.spend(bootloader.Work{HashedBytes: len(image.ManufacturerImage)})
	if image.Hash() != hash {
		return gbcs.ActivationHashMismatch
	}
	return gbcs.ActivationSuccess
}

// conclude tells the supplier the outcome of an activation: as the command's
// response, or for a dated one as an alert.
func (a *Agent) conclude(now time.Time, out *han.Outbox, act activation, code gbcs.ActivationCode, why string) {
	version := a.boot.Info.ID.FileVersion
	a.record(out, trace.Record{At: now, Kind: trace.ActivationDone, Code: uint32(code), Version: version, Text: why})
	outcome := gbcs.ActivationOutcome{Code: code, FirmwareVersion: version}
	a.state.Activating = activation{}
	if !act.Dated {
		a.parts.Remote.LogOutcome(now, act.Order.Code, code == gbcs.ActivationSuccess)
		a.parts.Remote.Respond(now, out, act.Order, gbcs.ActivateFirmwareResponse{Outcome: outcome})
		a.save()
		return
	}
	alert := gbcs.AlertFutureDatedCommandActioned
	if code != gbcs.ActivationSuccess {
		alert = gbcs.AlertFutureDatedCommandNotActioned
	}
	a.parts.Remote.AlertWith(now, out, gbcs.CodeActivateFirmwareAlert, alert, func(head gbcs.AlertHead) gbcs.Payload {
		return gbcs.ActivateFirmwareAlert{Code: head.Code, ExecutionTime: act.At, OriginatorCounter: act.Order.Counter, Outcome: outcome}
	})
	a.save()
}

// Start does what a boot calls for: confirm or give up new firmware, finish an
// activation, raise the alerts due, and go on with what was interrupted.
func (a *Agent) Start(now time.Time, out *han.Outbox) {
	a.spend(a.boot.Work)
	a.record(out, trace.Record{At: now, Kind: trace.Rebooted, Version: a.boot.Info.ID.FileVersion, Text: a.boot.Outcome.String()})
	switch a.boot.Outcome {
	case bootloader.OutcomeTrial:
		if !a.passTrial(now, out) {
			return
		}
	case bootloader.OutcomeRolledBack:
		a.record(out, trace.Record{At: now, Kind: trace.FirmwareRolledBack, Version: a.boot.Info.ID.FileVersion, Text: a.boot.Reason})
		a.parts.Remote.Log(now, gbcs.AlertProgramExecution)
	case bootloader.OutcomeFellBack:
		a.parts.Remote.Alert(now, out, gbcs.AlertFirmwareVerificationFailedAtPowerOn)
		a.parts.Remote.Commit()
	case bootloader.OutcomeNormal, bootloader.OutcomeBricked:
	}
	a.finishActivation(now, out)
	if version := a.boot.Info.ID.FileVersion; version != a.state.ReportedVersion {
		a.state.ReportedVersion = version
		a.state.Update.ActivatedAt = now.UnixMicro()
		a.parts.Remote.Alert(now, out, gbcs.AlertFirmwareVersionChanged)
		a.save()
	}
	a.ClockSet()
}

// passTrial runs new firmware's self-test. It reports whether the firmware lives on.
func (a *Agent) passTrial(now time.Time, out *han.Outbox) bool {
	switch a.boot.Info.Program {
	case bootloader.ProgramWorks:
		a.parts.Boot.Confirm(a.boot.Info)
		a.record(out, trace.Record{At: now, Kind: trace.FirmwareConfirmed, Version: a.boot.Info.ID.FileVersion})
		return true
	case bootloader.ProgramFailsSelfTest:
		a.parts.Boot.FailTrial()
		a.reboot = true
	case bootloader.ProgramHangs:
		a.hung = true
	}
	return false
}

// finishActivation concludes an activation that the reboot belonged to, or tries
// again if a power cut came between command and bootloader.
func (a *Agent) finishActivation(now time.Time, out *han.Outbox) {
	act := a.state.Activating
	if !act.Set {
		return
	}
	switch {
	case a.boot.Info.Hash == act.Hash:
		a.conclude(now, out, act, gbcs.ActivationSuccess, gbcs.ActivationSuccess.String())
	case a.boot.Outcome == bootloader.OutcomeNormal && a.check(act.Hash) == gbcs.ActivationSuccess:
		a.begin(now, out, act)
	default:
		a.conclude(now, out, act, gbcs.ActivationFailure, a.boot.Reason)
	}
}
