// Package tasmota gives firmware to devices with Tasmota, in the two ways it has.
//
//	bridge                                        device
//	   cmnd/<topic>/OtaUrl   http://…  ───────────►            by: http
//	   cmnd/<topic>/Upgrade  1         ───────────►  fetches the file
//	   ◄─ stat/<topic>/UPGRADE  {"Upgrade":"Successful. Restarting"}
//
//	   cmnd/<topic>/FileUpload  0      ───────────►            by: mqtt
//	   ◄─ stat/<topic>/FILEUPLOAD  {"FileUpload":"Aborted"}
//	   cmnd/<topic>/FileUpload  {"Password":"","File":"…","Id":2,"Type":1,"Size":…}
//	   ◄─ {"FileUpload":"Started"}, {"Id":2,"MaxSize":700}
//	   cmnd/<topic>/FileUpload  {"Id":2,"Data":"<Base64>"}  ─►  once per acknowledgement
//	   ◄─ {"Id":2,"MaxSize":700}
//	   cmnd/<topic>/FileUpload  {"Id":2,"Md5":"…"} ►
//	   ◄─ {"FileUpload":"Done"}
//
// Either way the device restarts, and its answer to Status 2 says what it runs. One whose
// flash is too small for two images runs the minimal build of the version in between, and
// then fetches the image from the same OtaUrl: the device's own is put back at the end.
// An image's file version is Tasmota's, one byte per number: 13.1.0 is 0D010000.
// A device is given the upgrade image element of the OTA file alone.
//
// A device takes its image as follows; each arrow that waits has a deadline.
//
//	waiting ──online──► asking ──runs it already──────────────► done
//	   ▲                  └─► readingURL ► settingURL ► upgrading ──┐
//	   │                  └─► clearing ► starting ► sending ► ending┤
//	   └──── failed, up to three times ◄────────────────────────────┤
//	                         done ◄── runs it ── restarting ◄───────┘
package tasmota

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/transport/bridge"
)

// Adapter speaks with the devices of its configuration. It implements [bridge.Adapter].
type Adapter struct {
	config  config
	devices []*device
	kept    map[han.EUI64]keptJob
}

var _ bridge.Adapter = (*Adapter)(nil)

// New makes an adapter from its section of the configuration.
func New(s *bridge.Section) (*Adapter, error) {
	c := defaultConfig()
	if err := s.Decode(&c); err != nil {
		return nil, err
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	a := &Adapter{config: c}
	for _, d := range c.Devices {
		a.devices = append(a.devices, &device{config: d, cmnd: c.topic(d.Topic, "cmnd"), stat: c.topic(d.Topic, "stat"), tele: c.topic(d.Topic, "tele")})
	}
	return a, nil
}

// Name implements bridge.Adapter.
func (a *Adapter) Name() string { return Name }

// Devices implements bridge.Adapter.
func (a *Adapter) Devices() []bridge.Mapping {
	var all []bridge.Mapping
	for _, d := range a.devices {
		all = append(all, d.config.Mapping)
	}
	return all
}

const (
	lwtLevel = "LWT"
	online   = "Online"
)

// statLevels are the topics on which devices answer what is asked here: which
// one of RESULT and the command's name it is depends on a setting.
var statLevels = []string{"FILEUPLOAD", "OTAURL", "RESULT", "STATUS2", "UPGRADE"}

// Territories implements bridge.Adapter.
func (a *Adapter) Territories(*bridge.Home) []string {
	var all []string
	for _, d := range a.devices {
		all = append(all, strings.TrimSuffix(a.config.topic(d.config.Topic, "cmnd"), "/"))
	}
	return all
}

// Filters implements bridge.Adapter.
func (a *Adapter) Filters() []string {
	var all []string
	for _, d := range a.devices {
		all = append(all, d.tele+lwtLevel)
		for _, level := range statLevels {
			all = append(all, d.stat+level)
		}
	}
	return all
}

// Restore implements bridge.Adapter.
func (a *Adapter) Restore(kept []byte) error { return json.Unmarshal(kept, &a.kept) }

// HandleUp implements bridge.Adapter. Who is online, the broker tells by itself,
// perhaps before this; an upload that was under way is in doubt and begins anew.
func (a *Adapter) HandleUp(now time.Time, _ string, out *bridge.Outbox) {
	for _, d := range a.devices {
		if d.job != nil && d.job.state.uploads() {
			d.job.becomeWaiting(now)
		}
	}
	a.settle(now, out)
}

// HandleMessage implements bridge.Adapter.
func (a *Adapter) HandleMessage(now time.Time, m bridge.Message, out *bridge.Outbox) error {
	for _, d := range a.devices {
		switch level, isStat := strings.CutPrefix(m.Topic, d.stat); {
		case m.Topic == d.tele+lwtLevel:
			d.setOnline(now, string(m.Payload) == online, out)
		case isStat && !m.Retained:
			r, err := parseAnswer(m.Payload)
			if err != nil {
				return err
			}
			d.handleAnswer(now, level, r, out)
		default:
			continue
		}
		a.settle(now, out)
		return nil
	}
	return nil
}

// HandleHome implements bridge.Adapter: it begins and ends jobs.
func (a *Adapter) HandleHome(now time.Time, home *bridge.Home, out *bridge.Outbox) {
	for _, d := range a.devices {
		var u *bridge.Update
		if known := home.Device(d.config.EUI64); known != nil {
			u = known.Update
		}
		d.take(now, u, a.kept[d.config.EUI64], out)
	}
	a.kept = nil
	a.settle(now, out)
}

// NextTimer implements bridge.Adapter.
func (a *Adapter) NextTimer() (time.Time, bool) {
	var next time.Time
	for _, d := range a.devices {
		if d.job != nil && !d.job.deadline.IsZero() && (next.IsZero() || d.job.deadline.Before(next)) {
			next = d.job.deadline
		}
	}
	return next, !next.IsZero()
}

// HandleTimer implements bridge.Adapter.
func (a *Adapter) HandleTimer(now time.Time, out *bridge.Outbox) {
	for _, d := range a.devices {
		if d.job != nil && !d.job.deadline.IsZero() && !now.Before(d.job.deadline) {
			d.handleTimer(now, out)
		}
	}
	a.settle(now, out)
}

// HandleDown implements bridge.Adapter. Nothing is left on the broker; a device
// in the middle of an upload is told that it ends.
func (a *Adapter) HandleDown(out *bridge.Outbox) {
	for _, d := range a.devices {
		if d.job != nil && d.job.state.uploads() {
			d.command(out, "FileUpload", "0")
		}
	}
}

// settle lets devices begin that may, and tells and keeps what changed.
func (a *Adapter) settle(now time.Time, out *bridge.Outbox) {
	busy := 0
	for _, d := range a.devices {
		if d.job != nil && d.job.state.busy() {
			busy++
		}
	}
	changed := false
	for _, d := range a.devices {
		if busy < a.config.Concurrency && d.mayBegin(now) {
			d.begin(now, out)
			busy++
		}
		if d.dirty {
			out.Report(d.report())
			d.dirty, changed = false, true
		}
	}
	if !changed {
		return
	}
	all := map[han.EUI64]keptJob{}
	for _, d := range a.devices {
		if d.job != nil {
			all[d.config.EUI64] = d.job.keep()
		}
	}
	kept, err := json.Marshal(all)
	if err != nil {
		out.Warn(fmt.Sprintf("keep progress: %v", err))
		return
	}
	out.Keep(kept)
}
