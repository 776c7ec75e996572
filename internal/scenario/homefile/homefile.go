// Package homefile reads scenario files: a home described in YAML, what is done to
// it, and what is expected of it. docs/simulation.md has every key.
//
//	text ── yaml ──► nodes ── decode, by the Go types below ──► Home ── check ──► Home
//	                  │ unknown key, wrong unit                          │ contradiction
//	                  └──────► Error: file:line:column: what, expected … ◄┘
//
// The Go types are the one description of the format: the decoder, the published
// JSON Schema ([Schema]) and the manual's list of keys all follow them. A field's
// tag has its key, what it means and its default; its type says how it is written.
//
// The contract for callers: a [Home] that Parse returned is whole and free of
// contradictions. Nothing here runs it; package play does.
package homefile

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/hub"
	"github.com/commshub/commshub/internal/trace"
)

// Home is a scenario file.
type Home struct {
	Description Text     `key:"description" doc:"What the scenario shows, in a sentence."`
	Seed        Number   `key:"seed" doc:"Seed of all dice. The same seed gives the same run." def:"1"`
	Start       Instant  `key:"start" doc:"Emulated time at which the run starts." def:"2026-01-05T00:00:00Z"`
	Duration    Duration `key:"duration" doc:"How long the run may take at most, in emulated time." def:"14d"`
	Stop        Stop     `key:"stop" doc:"When the run ends: settled, as soon as every update has ended and the supplier knows; duration, after the whole duration." def:"settled"`

	Radio     BatterySet `key:"radio" doc:"Battery set of the HAN's radio, by which the hub reckons, and of the meters that do not have their own: one that comes with the program, or a file, from the scenario's folder. See energy.md." def:"2.4ghz-new"`
	BlockSize Number     `key:"block_size" doc:"The most data in one block, in bytes. deadline= and life= choose their own unless this is another one than the default." def:"48"`
	PageSize  Number     `key:"page_size" doc:"What a meter asks for with one Image Page Request, in bytes; 0 asks block by block." def:"0"`
	Pacing    Pacing     `key:"pacing" doc:"How much a gas meter may fetch per window." def:"radio=10s"`
	Mailbox   Duration   `key:"mailbox_time" doc:"How long a message waits for a gas meter." def:"24h"`
	Supply    Supply     `key:"supply" doc:"The most that reaches the home: a register that rises faster is not believed."`
	Link      Link       `key:"link" doc:"The quality of the HAN."`

	Heartbeat Heartbeat `key:"heartbeat" doc:"Heartbeats of the gas meters that do not have their own."`
	Battery   Battery   `key:"battery" doc:"Batteries of the meters that do not have their own."`
	Devices   Devices   `key:"devices" doc:"The devices of the home, by a name of your choice." need:"yes"`

	Image      *Image     `key:"image" doc:"The image that the supplier distributes. Without it the home just runs."`
	Distribute Distribute `key:"distribute" doc:"When the image is distributed, and to which devices."`
	Activate   Activation `key:"activate" doc:"When meters that hold the image are told to switch: now, as soon as one has it; never; or at a time, as an instant or counted from the start." def:"now"`
	Faults     []Fault    `key:"faults" doc:"What goes wrong, and when."`
	Expect     Expect     `key:"expect" doc:"What must hold at the end, of every meter that the image was distributed to."`

	// File is the name that messages give the file.
	File string `key:"-"`
}

// Distribute says when and to whom an image goes.
type Distribute struct {
	At Duration `key:"at" doc:"Counted from the start." def:"0s"`
	To []Name   `key:"to" doc:"Names of meters; without it all of them."`
}

// Limits of a scenario.
const (
	maxFile     = 1 << 20 // bytes
	maxFaults   = 1000
	maxDuration = 20 * 366 * 24 * time.Hour
	maxDevices  = hub.DeviceLogSize
	minBlock    = 16
	maxBlock    = 255 // an Image Block Request asks for no more
)

// defaults returns the home that a file's keys are laid over.
func defaults() Home {
	h := Home{
		Seed: 1, Start: Instant{time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)}, Duration: Duration(14 * 24 * time.Hour),
		BlockSize: Number(hub.DefaultConfig().BlockSize), Pacing: Pacing{gasproxy.DefaultPolicy},
		Mailbox: Duration(gasproxy.DefaultMailboxTime),
		Supply:  Supply{Gas: Number(hub.DefaultConfig().Gas.PerHour), Electricity: Number(hub.DefaultConfig().Electricity.PerHour)},
	}
	h.Heartbeat.setDefaults()
	h.Radio, h.Battery.Charge = BatterySet{battery.Default(), battery.DefaultSet}, fullCharge
	return h
}

// Parse reads a scenario file, with some of its values replaced. file is the name for
// messages, and in its folder lie the files that the scenario names; every error is an
// [*Error].
func Parse(file string, text []byte, overrides ...Override) (*Home, error) {
	if len(text) > maxFile {
		return nil, &Error{File: file, Line: 1, Column: 1, Text: fmt.Sprintf("%d bytes, expected at most %d", len(text), maxFile)}
	}
	root, err := parseYAML(file, text)
	if err != nil {
		return nil, err
	}
	for i, o := range overrides {
		if err := o.apply(root, i); err != nil {
			return nil, err
		}
	}
	home, err := read(file, root)
	return home, blame(err, overrides)
}

// read turns the tree of a file into a home.
func read(file string, root *yaml.Node) (*Home, error) {
	home := defaults()
	d := decoder{file: file, places: map[string]place{}}
	if err := d.decode(root, "", &home); err != nil {
		return nil, err
	}
	home.File = file
	home.complete()
	c := checker{home: &home, decoder: &d}
	if err := c.check(); err != nil {
		return nil, err
	}
	return &home, nil
}

// complete gives devices what they inherit.
func (h *Home) complete() {
	for i := range h.Devices {
		d := &h.Devices[i]
		if d.Heartbeat == nil {
			heartbeat := h.Heartbeat
			d.Heartbeat = &heartbeat
		}
		if d.Battery == nil {
			own := h.Battery
			d.Battery = &own
		}
	}
	if h.Image == nil || len(h.Distribute.To) > 0 {
		return
	}
	for _, d := range h.Devices {
		if d.IsMeter() {
			h.Distribute.To = append(h.Distribute.To, d.Name)
		}
	}
}

// Device returns the device of a name.
func (h *Home) Device(name Name) (*Device, bool) {
	for i := range h.Devices {
		if h.Devices[i].Name == name {
			return &h.Devices[i], true
		}
	}
	return nil, false
}

// Expect is what must hold at the end.
type Expect struct {
	CompleteWithin  *Duration    `key:"complete_within" doc:"The image is verified at most this long after its distribution."`
	ActivateWithin  *Duration    `key:"activated_within" doc:"The new firmware runs at most this long after the distribution."`
	WindowsAtMost   *Number      `key:"windows_at_most" doc:"Heartbeat windows in which blocks came."`
	RefetchedAtMost *Number      `key:"refetched_at_most" doc:"Blocks that were on their way to the meter more often than once."`
	RetriesAtMost   *Number      `key:"retries_at_most" doc:"Requests that were repeated for want of an answer."`
	ChargeBelow     *ChargePart  `key:"battery_used_below" doc:"Charge of the windows of the update, of the whole battery or in mAh. Gas meters only."`
	LifeAbove       *Years       `key:"battery_life_above" doc:"How long a new cell lasts until the supplier is told that it is low (8F1F), if it goes on as in this run; of a day or more. Gas meters only."`
	Version         *Version     `key:"version" doc:"Firmware that runs at the end."`
	State           *State       `key:"state" doc:"What the hub's record of the update says at the end."`
	Alerts          []Alert      `key:"alerts" doc:"Alerts that reach the supplier, from the meter or about it."`
	NoAlerts        []Alert      `key:"no_alerts" doc:"Alerts that do not reach the supplier."`
	Never           []Occurrence `key:"never" doc:"What never happens: bricked, or a kind of trace record."`
}

// Alert is a GBCS alert code.
type Alert gbcs.AlertCode

// Occurrence is something that may happen to a device.
type Occurrence struct {
	Bricked bool // otherwise Kind
	Kind    trace.Kind
}

func (o Occurrence) String() string {
	if o.Bricked {
		return "bricked"
	}
	return o.Kind.String()
}
