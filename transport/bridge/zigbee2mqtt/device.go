package zigbee2mqtt

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

const (
	// answerTime is how long Zigbee2MQTT may take to answer an order. It looks for
	// the device's versions first, at worst by radio.
	answerTime = 3 * time.Minute
	// stallTime is how long a transfer may go on without news; news come every 30 s.
	stallTime = 15 * time.Minute
	// heardStep is how much later a sign of life is than the one reported before to
	// be reported.
	heardStep = time.Minute
	// retryWait is how long a device is left alone after a transfer that failed.
	retryWait = 2 * time.Minute
	// withdrawals is how often a withdrawal is repeated that is not answered.
	withdrawals = 5
)

// keptCase is what lasts of a device.
type keptCase struct {
	Phase phase       `json:"phase"`
	Image bridge.Hash `json:"image"`
	// Started tells one distribution of an image from the next.
	Started     time.Time `json:"started"`
	Since       time.Time `json:"since"` // of the phase
	Transaction string    `json:"transaction"`
	// Scheduled tells a schedule from an update at once.
	Scheduled bool `json:"scheduled"`
	Attempts  int  `json:"attempts"` // transfers that failed
	// Withdrawals is how often the present withdrawal was published.
	Withdrawals int `json:"withdrawals"`
	// NotBefore is when it may be ordered again after a failure.
	NotBefore time.Time `json:"not_before"`
	// GaveWay is when it last made room for another.
	GaveWay time.Time `json:"gave_way"`
	Outcome string    `json:"outcome,omitempty"`
	// Address is that of the device, should its entry be gone at the next start.
	Address string `json:"address"`
}

// device is one mapped device.
type device struct {
	config DeviceConfig
	keptCase
	wish *bridge.Update // what the supplier wants; nil for nothing

	// What Zigbee2MQTT told.
	name      string // friendly name; empty: not in its list
	onBattery bool
	battery   float64 // percent; below 0: not known
	heard     time.Time
	state     updateState
	progress  float64
	installed uint32
	known     bool // installed is known
	moved     time.Time

	reported  bridge.Report // the last one
	toldHeard time.Time
}

// same reports whether the supplier still wants what was ordered.
func (d *device) same() bool {
	return d.wish != nil && d.wish.Image.Hash == d.Image && d.wish.Started.Equal(d.Started)
}

// settle acts on everything but the beginning of a transfer.
func (d *device) settle(now time.Time, a *Adapter, out *bridge.Outbox) {
	switch d.Phase {
	case phaseWaiting:
		d.settleWaiting(now)
	case phaseOrdered:
		d.settleOrdered(now, a, out)
	case phaseScheduled:
		if !d.same() {
			d.unschedule(now, a, out)
		}
	case phaseUpdating:
		d.settleUpdating(now, a, out)
	case phaseAborting, phaseUnscheduling:
		d.settleWithdrawn(now, a, out)
	case phaseDone, phaseFailed:
		if !d.same() {
			d.forget(now)
		}
	}
	d.tell(out)
}

// settleWaiting finds that there is nothing to order: the device runs the image, or
// is at it because another bridge, which is gone, ordered it.
func (d *device) settleWaiting(now time.Time) {
	switch {
	case d.wish == nil:
	case d.known && d.installed == d.wish.Image.FileVersion:
		d.Image, d.Started = d.wish.Image.Hash, d.wish.Started
		d.becomeDone(now)
	case d.wish.State == bridge.Downloading && d.state == stateUpdating:
		d.Image, d.Started, d.Scheduled = d.wish.Image.Hash, d.wish.Started, d.onBattery
		d.becomeUpdating(now)
	}
}

func (d *device) settleOrdered(now time.Time, a *Adapter, out *bridge.Outbox) {
	switch over := d.Since.Add(answerTime); {
	case !d.same():
		d.unschedule(now, a, out)
	case now.Before(over):
		a.wake(over)
	default:
		out.Warn(fmt.Sprintf("%s: no answer to the order within %s", d.config.Label, answerTime))
		d.becomeWaiting(now)
	}
}

func (d *device) settleUpdating(now time.Time, a *Adapter, out *bridge.Outbox) {
	over := later(d.moved, d.Since).Add(stallTime)
	switch {
	case !d.same():
		out.Note(fmt.Sprintf("%s: the update is withdrawn; aborting the transfer", d.config.Label))
		d.abort(now, a, out)
	case now.Before(over):
		a.wake(over)
	default:
		d.fail(now, a, fmt.Sprintf("no progress within %s", stallTime), out)
	}
}

// settleWithdrawn repeats a withdrawal that is not answered.
func (d *device) settleWithdrawn(now time.Time, a *Adapter, out *bridge.Outbox) {
	over := d.Since.Add(answerTime)
	switch {
	case now.Before(over):
		a.wake(over)
	case d.Withdrawals >= withdrawals:
		out.Warn(fmt.Sprintf("%s: the withdrawal was never answered", d.config.Label))
		d.withdrawn(now)
	case d.Phase == phaseAborting:
		d.abort(now, a, out)
	default:
		d.unschedule(now, a, out)
	}
}

// abort stops a transfer; its schedule, if there is one, goes next.
func (d *device) abort(now time.Time, a *Adapter, out *bridge.Outbox) {
	d.Withdrawals++
	d.becomeAborting(now)
	a.wake(now.Add(answerTime))
	d.request(a, orderAbort, out)
}

// unschedule takes a schedule back, also if it is only feared to be there.
func (d *device) unschedule(now time.Time, a *Adapter, out *bridge.Outbox) {
	d.Withdrawals++
	d.becomeUnscheduling(now)
	a.wake(now.Add(answerTime))
	d.request(a, orderUnschedule, out)
}

// fail counts a transfer that failed. One that was scheduled stays so at
// Zigbee2MQTT; after too many the update has failed.
func (d *device) fail(now time.Time, a *Adapter, reason string, out *bridge.Outbox) {
	d.Attempts++
	d.Outcome = fmt.Sprintf("transfer %d failed: %s", d.Attempts, reason)
	out.Warn(fmt.Sprintf("%s: %s", d.config.Label, d.Outcome))
	if d.Attempts < a.config.Attempts {
		if d.Scheduled && d.state == stateScheduled {
			d.becomeScheduled(now)
		} else {
			d.NotBefore = now.Add(retryWait)
			d.becomeWaiting(now)
		}
		return
	}
	if d.Scheduled {
		d.request(a, orderUnschedule, out)
	}
	d.becomeFailed(now)
}

// obstacle returns why a device cannot be ordered now, or "".
func (d *device) obstacle(now time.Time, a *Adapter, busy int) string {
	if d.name == "" {
		return "Zigbee2MQTT does not know the device"
	}
	heardOver := d.heard.Add(d.config.HeardWithin)
	due := d.heard.Add(d.config.Every)
	if isDue := d.config.Every > 0 && !d.heard.IsZero() && !now.Before(due); !isDue && (d.heard.IsZero() || now.After(heardOver)) {
		if d.config.Every > 0 && !d.heard.IsZero() {
			a.wake(due)
		}
		return "waits until the device is heard"
	}
	switch {
	case !a.online:
		return "waits for Zigbee2MQTT"
	case now.Before(d.NotBefore):
		a.wake(d.NotBefore)
		return join(d.Outcome, "waits before it is tried again")
	case d.wish.Image.File == nil:
		return "waits for the image"
	case d.deliver() == deliverURL && d.wish.Image.URL == "":
		return "deliver: url needs the bridge's HTTP endpoint, which is not configured"
	case d.onBattery && d.config.BatteryFloor > 0 && d.battery < 0:
		return "waits: the battery's charge is not known"
	case d.onBattery && d.battery >= 0 && d.battery < float64(d.config.BatteryFloor):
		return fmt.Sprintf("waits: battery at %g %%, want %d %%", d.battery, d.config.BatteryFloor)
	case busy >= a.config.Concurrency:
		return "waits for its turn"
	default:
		return ""
	}
}

// order orders the update that the supplier wants.
func (d *device) order(now time.Time, a *Adapter, out *bridge.Outbox) {
	if !d.same() {
		d.keptCase = keptCase{Image: d.wish.Image.Hash, Started: d.wish.Started, GaveWay: d.GaveWay}
	}
	d.Scheduled = d.onBattery
	payload, err := d.orderPayload(a)
	if err != nil {
		d.Outcome = err.Error()
		d.becomeFailed(now)
		d.tell(out)
		return
	}
	order := orderUpdate
	if d.Scheduled {
		order = orderSchedule
	}
	if d.known && d.installed > d.wish.Image.FileVersion {
		order += downgrade
	}
	out.Note(fmt.Sprintf("%s: %s to version %08X", d.config.Label, order, d.wish.Image.FileVersion))
	out.Publish(a.config.Base+requestPrefix+order, payload)
	d.becomeOrdered(now)
	a.wake(now.Add(answerTime))
	d.tell(out)
}

// tell reports where the device stands.
func (d *device) tell(out *bridge.Outbox) {
	switch d.Phase {
	case phaseWaiting:
		// Reported with what it waits for.
	case phaseOrdered:
		d.report(bridge.Pending, 0, "ordered from Zigbee2MQTT", out)
	case phaseScheduled:
		outcome := "scheduled; begins when the device asks"
		if !d.Scheduled {
			outcome = "Zigbee2MQTT took the order"
		}
		d.report(bridge.Pending, 0, join(d.Outcome, outcome), out)
	case phaseUpdating:
		d.report(bridge.Downloading, d.progress, d.Outcome, out)
	case phaseDone:
		d.report(bridge.Activated, 100, d.Outcome, out)
	case phaseFailed:
		d.report(bridge.Failed, d.progress, d.Outcome, out)
	case phaseAborting, phaseUnscheduling:
		// The hub knows: it was withdrawn there. A device that gave way waits.
		if d.same() {
			d.report(bridge.Pending, 0, "gives way to other devices", out)
		}
	}
}

func join(first, second string) string {
	if first == "" {
		return second
	}
	return first + "; " + second
}

// report hands a report out if it says something new.
func (d *device) report(s bridge.State, percent float64, outcome string, out *bridge.Outbox) {
	r := bridge.Report{Device: d.config.EUI64, Version: d.installed, Known: d.known, State: s, Outcome: outcome}
	switch {
	case d.Phase != phaseWaiting:
		r.Image = d.Image
	case d.wish != nil:
		r.Image = d.wish.Image.Hash
	}
	if d.wish != nil && d.wish.Image.Hash == r.Image {
		r.Offset = uint32(float64(d.wish.Image.Size) * percent / 100)
	}
	if r == d.reported {
		return
	}
	d.reported = r
	d.toldHeard = d.heard
	r.Heard = d.heard
	out.Report(r)
}

// tellHeard reports a sign of life, and the version it runs.
func (d *device) tellHeard(now time.Time, out *bridge.Outbox) {
	newVersion := d.known && (!d.reported.Known || d.reported.Version != d.installed)
	if d.heard.IsZero() || d.heard.Sub(d.toldHeard) < heardStep && !newVersion {
		return
	}
	d.toldHeard = d.heard
	d.reported.Device, d.reported.Known, d.reported.Version = d.config.EUI64, d.known, d.installed
	r := d.reported
	r.Heard = d.heard
	if d.wish == nil {
		r = bridge.Report{Device: r.Device, Known: r.Known, Version: r.Version, Heard: r.Heard}
	}
	out.Report(r)
}

func later(x, y time.Time) time.Time {
	if x.After(y) {
		return x
	}
	return y
}
