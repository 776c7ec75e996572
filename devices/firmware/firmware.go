// Package firmware is the part of a meter's application that replaces the
// application: it has an image downloaded and verified, tells the supplier, obeys
// Activate Firmware, and after the reboot tells how it went. The electricity and
// the gas meter share it.
//
//	download ─► verify ─► 8F72 / 8F1C ─► Upgrade End ─► wait
//	CS06 ─► hash matches? ─► now, or dated ─► bootloader ─► trial, self-test, confirm
//	                                                └► code 0 or 3, 8F43, 8F66 / 8F67
//
// Nothing but Activate Firmware (CS06) makes a meter switch: not Upgrade End, not
// a reboot, not a heartbeat.
//
// Orders come, and outcomes go, through the meter's remote endpoint, for which the
// agent carries Activate Firmware and Read Firmware Version out; what a message looks
// like is none of its business. Every step writes its state before its consequence,
// and a step cut short by a power cut is found and finished by the next [Agent.Start].
package firmware

import (
	"crypto/ecdsa"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/board"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/devices/journal"
	"github.com/commshub/commshub/devices/otaclient"
	"github.com/commshub/commshub/devices/rtc"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/ota"
	"github.com/commshub/commshub/han/remote"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Config is what an agent needs to know about its meter.
type Config struct {
	Device han.EUI64
	// SupplierKey checks the authorising signature of GB images. Without it only
	// the manufacturer's is checked.
	SupplierKey *ecdsa.PublicKey
	OTA         otaclient.Config
}

// Parts are the parts of the meter that the agent works with. All but Clock and
// Ledger are made anew at each boot.
type Parts struct {
	Boot    *bootloader.Bootloader
	Journal *journal.Journal
	Remote  *remote.Endpoint // tells the supplier
	Link    otaclient.Link   // to the hub's OTA server
	Clock   *rtc.Clock
	Ledger  *battery.Ledger
}

type timer uint8

// timerActivation: a dated activation is due.
const timerActivation timer = 0

// Agent is a meter's firmware agent. It lives from boot to reboot; what must
// last longer is in its journal.
type Agent struct {
	cfg    Config
	parts  Parts
	client *otaclient.Client

	boot      bootloader.Boot
	state     state
	deadlines han.Deadlines[timer]
	reboot    bool
	hung      bool
}

// New returns the agent of a meter that has just booted. It fails on a state that
// another release kept.
func New(cfg Config, parts Parts, boot bootloader.Boot) (*Agent, error) {
	a := &Agent{cfg: cfg, parts: parts, boot: boot, state: state{ReportedVersion: boot.Info.ID.FileVersion}}
	if data, ok := parts.Journal.Get(board.KeyFirmware); ok {
		var err error
		if a.state, err = parseState(data); err != nil {
			return nil, err
		}
	}
	a.client = otaclient.New(cfg.OTA, parts.Link, parts.Boot, boot.Info.ID, a)
	update := &a.state.Update
	if slot := parts.Boot.Candidate(); slot.State() != bootloader.SlotEmpty && slot.ID().FileVersion == update.Version {
		update.Blocks += update.blocksSince(slot.Offset())
		update.Offset = slot.Offset()
	}
	a.client.SetStats(otaclient.Stats{Blocks: update.Blocks, Retries: update.Retries})
	return a, nil
}

// Client returns the OTA client, which takes the hub's OTA frames.
func (a *Agent) Client() *otaclient.Client { return a.client }

// Running returns what the bootloader found out about the running image.
func (a *Agent) Running() bootloader.Info { return a.boot.Info }

// WantsReboot reports whether the meter must restart to go on with an activation.
func (a *Agent) WantsReboot() bool { return a.reboot }

// Restart has the meter restart as soon as it may: it found itself spoilt.
func (a *Agent) Restart() { a.reboot = true }

// Hung reports whether the running firmware does nothing until the watchdog
// resets the meter.
func (a *Agent) Hung() bool { return a.hung }

// NextTimer returns the agent's earliest deadline, its client's included.
func (a *Agent) NextTimer() (han.Deadline, bool) {
	own, ownSet := a.deadlines.Next()
	client, clientSet := a.client.NextTimer()
	return han.Earlier(own, ownSet, client, clientSet)
}

// HandleTimer fires what is due.
func (a *Agent) HandleTimer(now time.Time, out *han.Outbox) {
	if _, ok := a.deadlines.Expired(now); ok {
		a.activateDated(now, out)
	}
	a.client.HandleTimer(now, out)
}

// ImageBegun implements otaclient.Owner.
func (a *Agent) ImageBegun(now time.Time, _ *han.Outbox) {
	slot := a.parts.Boot.Candidate()
	a.state.Verdict = verdict{}
	a.state.Update = UpdateReport{Version: slot.ID().FileVersion, Size: slot.Size(), StartedAt: now.UnixMicro()}
	a.save()
}

// ImageComplete implements otaclient.Owner: it verifies the image and tells the
// supplier. The alert is in flash before the slot changes, so that a power cut
// in between is seen as an image still to be verified, with the alert not raised
// twice.
func (a *Agent) ImageComplete(now time.Time, out *han.Outbox) {
	slot := a.parts.Boot.Candidate()
	info, err := a.verify(slot.File())
	v := verdict{Set: true, Good: err == nil, Hash: info.Hash}
	a.state.Update.CompletedAt = now.UnixMicro()
	if a.state.Verdict != v {
		a.state.Verdict = v
		code := gbcs.AlertFirmwareVerificationSuccessful
		if err != nil {
			code = gbcs.AlertFirmwareVerificationFailed
		}
		a.postReceipt(now, out, code, info.Hash)
	}
	a.save()
	if err != nil {
		a.record(out, trace.Record{At: now, Kind: trace.ImageRejected, Version: slot.ID().FileVersion, Hash: info.Hash, Text: err.Error()})
		a.client.Finish(now, out, zcl.StatusInvalidImage)
		return
	}
	a.markVerified(now, out, info)
	a.client.Finish(now, out, zcl.StatusSuccess)
}

// markVerified makes an image one to activate, unless [Agent.finishVerdict] did.
func (a *Agent) markVerified(now time.Time, out *han.Outbox, info bootloader.Info) {
	slot := a.parts.Boot.Candidate()
	if slot.State() != bootloader.SlotComplete {
		return
	}
	slot.MarkVerified(info.FileHash)
	a.record(out, trace.Record{At: now, Kind: trace.ImageVerified, Version: slot.ID().FileVersion, Hash: info.Hash})
}

// finishVerdict makes an image one to activate of which the supplier was told that it is
// good, if power failed before the slot knew: the order may come before the client goes on.
func (a *Agent) finishVerdict(now time.Time, out *han.Outbox) {
	slot := a.parts.Boot.Candidate()
	if slot.State() != bootloader.SlotComplete || !a.state.Verdict.Good {
		return
	}
	if info, err := a.verify(slot.File()); err == nil && info.Hash == a.state.Verdict.Hash {
		a.markVerified(now, out, info)
	}
}

// ImageHeld implements otaclient.Owner: the supplier hears again that the image is good,
// since its update to it began anew.
func (a *Agent) ImageHeld(now time.Time, out *han.Outbox) {
	a.postReceipt(now, out, gbcs.AlertFirmwareVerificationSuccessful, a.state.Verdict.Hash)
	a.save()
}

// postReceipt posts a Firmware Distribution Receipt Alert. The caller saves.
func (a *Agent) postReceipt(now time.Time, out *han.Outbox, code gbcs.AlertCode, hash ota.ImageHash) {
	useCase := gbcs.CodeDistributionReceiptESME
	if a.parts.Remote.Layout() == gbcs.LayoutGBZ {
		useCase = gbcs.CodeDistributionReceiptGSME
	}
	a.parts.Remote.AlertWith(now, out, useCase, code, func(head gbcs.AlertHead) gbcs.Payload {
		return gbcs.DistributionReceiptAlert{AlertHead: head, ImageHash: hash}
	})
}

// verify is the bootloader's verification and, where a supplier's key is known,
// the check that the supplier authorised the image.
func (a *Agent) verify(file []byte) (bootloader.Info, error) {
	policy := a.parts.Boot.Policy()
	info, err := bootloader.Verify(policy, file, a.parts.Boot.MinSequence())
	a.spend(info.Work)
	if err != nil || policy.Trust == bootloader.TrustAny || a.cfg.SupplierKey == nil {
		return info, err
	}
	image, err := ota.ParseImage(file)
	if err != nil {
		return info, err
	}
	a.spend(bootloader.Work{HashedBytes: len(image.ManufacturerImage), Signatures: 1})
	return info, image.VerifyAuthority(a.cfg.SupplierKey)
}

func (a *Agent) spend(w bootloader.Work) {
	a.parts.Ledger.Hash(w.HashedBytes)
	a.parts.Ledger.Verify(w.Signatures)
}

// UpdateReport returns the figures of the update in hand or just ended.
func (a *Agent) UpdateReport() UpdateReport {
	r := a.state.Update
	stats := a.client.Stats()
	r.Blocks, r.Retries = stats.Blocks, stats.Retries
	if slot := a.parts.Boot.Candidate(); slot.State() != bootloader.SlotEmpty && slot.ID().FileVersion == r.Version {
		r.Offset = slot.Offset()
	}
	return r
}

// blocksSince returns how many blocks were stored after the report was last kept,
// because power failed before it could be kept again. They are reckoned from the
// offset and the mean size of the blocks before; only the marks are kept per block.
func (r *UpdateReport) blocksSince(offset uint32) uint32 {
	if r.Blocks == 0 || offset <= r.Offset {
		return 0
	}
	size := (r.Offset + r.Blocks - 1) / r.Blocks
	return (offset - r.Offset + size - 1) / size
}

// AddWindow adds a window in which blocks came to the report of the update in
// hand and keeps the report.
func (a *Agent) AddWindow(radioOn time.Duration, charge battery.Charge) {
	a.state.Update.Windows++
	a.state.Update.RadioOn += radioOn
	a.state.Update.Charge += charge
	a.save()
}

// stage has the agent's state kept with the next commit.
func (a *Agent) stage() {
	a.state.Update = a.UpdateReport()
	a.parts.Journal.Stage(journal.Entry{Key: board.KeyFirmware, Data: a.state.append(nil)})
}

// save keeps the agent's state, and what was posted to the supplier with it.
func (a *Agent) save() {
	a.stage()
	a.parts.Remote.Commit()
}

func (a *Agent) record(out *han.Outbox, r trace.Record) {
	r.Node = uint64(a.cfg.Device)
	out.Record(r)
}
