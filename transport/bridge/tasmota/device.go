package tasmota

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

// device is a device with Tasmota.
type device struct {
	config           deviceConfig
	cmnd, stat, tele string // its topics, up to the last level
	online           bool
	heard            time.Time
	version          uint32 // that runs
	known            bool   // whether version is
	minimal          bool   // it runs the minimal build of that version
	job              *job
	dirty            bool // there is something to tell the hub and to keep
}

// label is what a person calls a device.
func (d *device) label() string {
	if d.config.Label == "" {
		return d.config.Topic
	}
	return d.config.Label + " (" + d.config.Topic + ")"
}

func (d *device) command(out *bridge.Outbox, name, argument string) {
	out.Publish(d.cmnd+name, []byte(argument))
}

// ask asks what the device runs.
func (d *device) ask(out *bridge.Outbox) { d.command(out, "Status", "2") }

// setOnline takes the word of the broker on whether the device is there.
func (d *device) setOnline(now time.Time, is bool, out *bridge.Outbox) {
	d.online = is
	if !is {
		return
	}
	d.heard, d.dirty = now, true
	if d.job == nil || d.job.state == stateRestarting {
		d.ask(out)
	}
}

// take brings the job in line with the hub's update of the device.
func (d *device) take(now time.Time, u *bridge.Update, kept keptJob, out *bridge.Outbox) {
	wanted := u != nil && !u.State.Ended()
	if d.job != nil && (!wanted || d.job.image.Hash != u.Image.Hash) {
		d.drop(out)
	}
	if !wanted || d.job != nil || u.Image.File == nil {
		return
	}
	d.job = &job{image: u.Image, result: bridge.Pending, deadline: now}
	d.dirty = true
	if kept.Image != u.Image.Hash {
		return
	}
	d.job.tries, d.job.previous = kept.Tries, kept.Previous
	if kept.Taken { // it may be there already; it is not given again meanwhile
		d.becomeRestarting(now, upgradeTime, out)
	}
}

// drop ends a job that the hub does not want any more.
func (d *device) drop(out *bridge.Outbox) {
	if d.job.state.uploads() {
		d.command(out, "FileUpload", "0")
	}
	d.restoreURL(out)
	d.job, d.dirty = nil, true
}

// mayBegin reports whether it can be this device's turn.
func (d *device) mayBegin(now time.Time) bool {
	return d.job != nil && d.job.state == stateWaiting && d.online && !now.Before(d.job.deadline)
}

// begin asks what the device runs: it may be the image already.
func (d *device) begin(now time.Time, out *bridge.Outbox) {
	d.job.becomeAsking(now)
	d.ask(out)
}

// handleAnswer takes what a device says.
func (d *device) handleAnswer(now time.Time, level string, r answer, out *bridge.Outbox) {
	d.heard = now
	if version, ok := parseVersion(r.version); ok {
		if minimal := minimalBuild(r.version); !d.known || version != d.version || minimal != d.minimal {
			d.version, d.known, d.minimal, d.dirty = version, true, minimal, true
		}
		d.handleVersion(now, out)
		return
	}
	if d.job == nil {
		return
	}
	switch d.job.state {
	case stateReadingURL, stateSettingURL, stateUpgrading:
		d.handleUpgrade(now, r, out)
	case stateClearing, stateStarting, stateSending, stateEnding:
		if level == "FILEUPLOAD" || r.unknown {
			d.handleUpload(now, r, out)
		}
	case stateWaiting, stateAsking, stateRestarting, stateDone:
	}
}

// handleVersion goes on when the device said what it runs.
func (d *device) handleVersion(now time.Time, out *bridge.Outbox) {
	switch {
	case d.job == nil:
	case d.job.state == stateAsking && d.runs(d.job.image):
		d.end(bridge.Activated, "the device runs this version already", out)
	case d.job.state == stateAsking:
		d.deliver(now, out)
	case d.job.state == stateRestarting && d.runs(d.job.image):
		d.end(bridge.Activated, "", out)
	case d.job.state == stateRestarting && d.minimal && !d.job.halfway:
		// It fetches the image by itself now, from the same address.
		d.job.halfway = true
		d.job.until = now.Add(upgradeTime)
		out.Note(d.label() + " runs the minimal build, the first of two steps")
	}
}

// runs reports whether a device runs an image. The minimal build of its version is a
// step on the way to it, for devices whose flash does not hold two whole images.
func (d *device) runs(im bridge.Image) bool { return d.version == im.FileVersion && !d.minimal }

// deliver starts the way that is configured.
func (d *device) deliver(now time.Time, out *bridge.Outbox) {
	d.job.result, d.dirty = bridge.Downloading, true
	if d.config.By == byMQTT {
		d.clear(now, out)
		return
	}
	d.readURL(now, out)
}

// becomeRestarting waits until the device is back with the image, for at most so long.
func (d *device) becomeRestarting(now time.Time, patience time.Duration, out *bridge.Outbox) {
	d.job.becomeRestarting(now)
	d.job.until = now.Add(patience)
	d.job.result, d.dirty = bridge.Transferred, true
}

// handleTimer acts when what was waited for did not come.
func (d *device) handleTimer(now time.Time, out *bridge.Outbox) {
	j := d.job
	switch j.state {
	case stateWaiting:
		j.deadline = time.Time{} // it is this device's turn as soon as it may be
	case stateAsking:
		d.fail(now, "the device does not say what it runs", out)
	case stateReadingURL, stateSettingURL:
		d.fail(now, "the device does not answer OtaUrl or Upgrade", out)
	case stateUpgrading:
		d.fail(now, fmt.Sprintf("the device did not finish within %v", upgradeTime), out)
	case stateSending:
		if !j.upload.acknowledged {
			d.fail(now, "the device does not acknowledge", out)
			return
		}
		d.sendPiece(now, out)
	case stateClearing: // some versions say nothing if nothing was under way
		d.start(now, out)
	case stateStarting, stateEnding:
		d.fail(now, "the device does not answer FileUpload", out)
	case stateRestarting:
		if now.Before(j.until) {
			j.deadline = now.Add(askInterval)
			d.ask(out)
			return
		}
		text := "the device did not come back"
		switch {
		case d.minimal:
			text = fmt.Sprintf("the device still runs the minimal build of version %08X", d.version)
		case d.known:
			text = fmt.Sprintf("the device still runs version %08X", d.version)
		}
		d.fail(now, text, out)
	case stateDone:
		j.deadline = time.Time{}
	}
}

// fail counts a try that failed. After the last one the update has failed.
func (d *device) fail(now time.Time, reason string, out *bridge.Outbox) {
	j := d.job
	if j.state.uploads() {
		d.command(out, "FileUpload", "0")
	}
	j.tries++
	if j.tries >= maxTries {
		d.end(bridge.Failed, fmt.Sprintf("%s, %d times", reason, j.tries), out)
		return
	}
	d.restoreURL(out)
	out.Warn(fmt.Sprintf("%s: %s; next try in %v", d.label(), reason, retryTime))
	j.result, j.outcome, d.dirty = bridge.Downloading, reason, true
	j.becomeWaiting(now.Add(retryTime))
}

// end tells the hub how it ended.
func (d *device) end(result bridge.State, outcome string, out *bridge.Outbox) {
	d.restoreURL(out)
	d.job.result, d.job.outcome, d.dirty = result, outcome, true
	d.job.becomeDone()
	line := fmt.Sprintf("%s: version %08X is %s", d.label(), d.job.image.FileVersion, result)
	if outcome != "" {
		line += ": " + outcome
	}
	out.Note(line)
}

// report says how the device stands.
func (d *device) report() bridge.Report {
	r := bridge.Report{Device: d.config.EUI64, Heard: d.heard, Version: d.version, Known: d.known && !d.minimal}
	if j := d.job; j != nil {
		r.Image, r.State, r.Outcome = j.image.Hash, j.result, j.outcome
		r.Offset, r.Windows, r.Blocks = uint32(j.upload.offset), j.upload.windows, j.upload.pieces
	}
	return r
}
