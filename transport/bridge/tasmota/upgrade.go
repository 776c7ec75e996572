package tasmota

import (
	"strings"
	"time"

	"github.com/commshub/commshub/transport/bridge"
)

// readURL asks for the device's OtaUrl, which is put back at the end.
func (d *device) readURL(now time.Time, out *bridge.Outbox) {
	if d.job.image.PartURL(bridge.ContentImage) == "" {
		d.end(bridge.Failed, "the bridge has no HTTP address: see http in its configuration", out)
		return
	}
	if _, err := d.job.image.Part(bridge.ContentImage); err != nil {
		d.end(bridge.Failed, err.Error(), out)
		return
	}
	d.job.becomeReadingURL(now)
	d.command(out, "OtaUrl", "")
}

// handleUpgrade takes the answers to OtaUrl and Upgrade.
func (d *device) handleUpgrade(now time.Time, r answer, out *bridge.Outbox) {
	j, url := d.job, d.job.image.PartURL(bridge.ContentImage)
	switch {
	case j.state == stateReadingURL && r.otaURL != nil:
		if j.previous == nil {
			j.previous = r.otaURL
		}
		d.dirty = true // kept before the device's setting changes
		j.becomeSettingURL(now)
		d.command(out, "OtaUrl", url)
	case j.state == stateSettingURL && r.otaURL != nil:
		if *r.otaURL != url {
			d.fail(now, "the device did not take the address of the image", out)
			return
		}
		d.dirty = true
		j.becomeUpgrading(now)
		d.command(out, "Upgrade", "1")
	case j.state == stateUpgrading && strings.HasPrefix(r.upgrade, "Successful"):
		d.becomeRestarting(now, restartTime, out)
	case j.state == stateUpgrading && strings.HasPrefix(r.upgrade, "Failed"):
		d.fail(now, "the device says "+r.upgrade, out)
	}
}

// restoreURL puts the device's own OtaUrl back.
func (d *device) restoreURL(out *bridge.Outbox) {
	if j := d.job; j.previous != nil && *j.previous != "" {
		d.command(out, "OtaUrl", *j.previous)
		j.previous = nil
		d.dirty = true
	}
}
