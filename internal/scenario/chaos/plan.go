package chaos

import (
	"fmt"
	"strings"
	"time"

	"github.com/commshub/commshub/internal/scenario/homefile"
)

// Plan is a drawn world: a home, and what happens to it. Its text is a scenario file.
type Plan struct {
	Seed    uint64
	Devices []Device
	Image   Image
	// Knobs are lines of the scenario that set what is not as usual.
	Knobs []string
	// Activate is when meters are to switch, counted from the start; 0 is as soon as
	// one holds the image.
	Activate    time.Duration
	Occurrences []Occurrence
	// Heal is when the last fault is over and the newest image is distributed; 0 if it
	// never is, and only safety is looked at.
	Heal time.Duration
	// Length is how long the run may take.
	Length time.Duration
}

// Device is a device of a drawn world.
type Device struct {
	Name   string
	Kind   string        // GSME, ESME or IHD
	Drift  int           // parts per million
	Budget time.Duration // that a gas meter allows itself per window; 0 is the usual
}

// Image is an image that is distributed. Spoilt is what is wrong with it, as a key and
// value of a scenario's image; "" if nothing.
type Image struct {
	Size    int // bytes
	Version uint32
	Spoilt  string
}

func (i Image) text() string {
	words := fmt.Sprintf("size: %d, version: %08X", i.Size, i.Version)
	if i.Spoilt != "" {
		words += ", " + i.Spoilt
	}
	return words
}

// newest is the version of the image that is distributed when all is well again.
const newest = 0x63000000

// Kind is a kind of occurrence.
type Kind uint8

// The kinds of occurrence.
const (
	Cut        Kind = iota // a meter loses power
	TornCut                // a meter loses power in the middle of its N-th flash operation
	HubOff                 // the hub loses power
	HubCrash               // the hub loses power in its N-th commit
	Apart                  // a meter, or the hub, is cut off
	BadLink                // frames of a meter, or of all nodes, suffer
	ClockStep              // a meter's clock jumps
	Flipped                // the N-th bit of a region of a meter's memory turns over
	Superseded             // another image is distributed
	Cancelled              // an update is cancelled
	Undated                // a dated activation is cancelled
	Again                  // an image is offered again
	Drained                // a battery loses charge
	Removed                // a device leaves the device log, and is added again
)

// Occurrence is one thing that happens. A crash and the restart after it, a removal
// and the adding after it, a change of a link and its end are one occurrence each: they
// go together when a world is shrunk.
type Occurrence struct {
	Kind    Kind
	At      time.Duration
	Device  string // "" for the hub or all nodes
	For     time.Duration
	N       int    // flash operation, commit or bit
	After   bool   // the commit was kept
	Back    bool   // the clock goes back
	Quality string // of a bad link: a key of a scenario's link
	Region  homefile.Memory
	Percent int // of frames, or of the battery that is left
	Image   Image
}

// what returns the occurrence as a scenario's fault says it, without its time.
func (o *Occurrence) what() string {
	span := homefile.Duration(o.For)
	device := ""
	if o.Device != "" {
		device = "device: " + o.Device + ", "
	}
	switch o.Kind {
	case Cut:
		return fmt.Sprintf("power_cut: {%soff: %s}", device, span)
	case TornCut:
		return fmt.Sprintf("power_cut: {%sflash_operation: %d}", device, o.N)
	case HubOff:
		return fmt.Sprintf("hub_restart: {off: %s}", span)
	case HubCrash:
		moment := "before"
		if o.After {
			moment = "after"
		}
		return fmt.Sprintf("hub_restart: {commit: %d, moment: %s}", o.N, moment)
	case Apart:
		return fmt.Sprintf("partition: {%sfor: %s}", device, span)
	case BadLink:
		return fmt.Sprintf("bad_link: {%sfor: %s, link: {%s}}", device, span, o.quality())
	case ClockStep:
		sign := ""
		if o.Back {
			sign = "-"
		}
		return fmt.Sprintf("clock_step: {%sby: %s%s}", device, sign, span)
	case Flipped:
		return fmt.Sprintf("bit_flip: {%sregion: %s, bit: %d}", device, o.Region, o.N)
	case Superseded:
		return "image_superseded: {" + o.Image.text() + "}"
	case Cancelled:
		return "update_cancelled: {device: " + o.Device + "}"
	case Undated:
		return "activation_cancelled: {device: " + o.Device + "}"
	case Again:
		return "image_offered_again: {device: " + o.Device + "}"
	case Drained:
		return fmt.Sprintf("battery_low: {%scharge: %d%%}", device, o.Percent)
	case Removed:
		return fmt.Sprintf("device_removed: {%sfor: %s}", device, span)
	default:
		panic(fmt.Sprintf("chaos: no occurrence of kind %d", o.Kind))
	}
}

func (o *Occurrence) quality() string {
	switch o.Quality {
	case "delay":
		return fmt.Sprintf("delay: %dms", 10*o.Percent)
	case "reordering":
		return fmt.Sprintf("reordering: %d%%, reorder_by: 2s", o.Percent)
	default:
		return fmt.Sprintf("%s: %d%%", o.Quality, o.Percent)
	}
}

// Text returns the plan as a scenario file. Lines of comment stand at its head.
func (p *Plan) Text(comments ...string) string {
	var b strings.Builder
	for _, c := range comments {
		fmt.Fprintf(&b, "# %s\n", c)
	}
	fmt.Fprintf(&b, "seed: %d\nduration: %s\n", p.Seed, homefile.Duration(p.Length))
	if p.Heal == 0 {
		b.WriteString("stop: duration\n")
	}
	var devices []string
	for _, d := range p.Devices {
		words := "kind: " + d.Kind
		if d.Drift != 0 {
			words += fmt.Sprintf(", drift: %dppm", d.Drift)
		}
		if d.Budget != 0 {
			words += fmt.Sprintf(", budget: %s", homefile.Duration(d.Budget))
		}
		devices = append(devices, fmt.Sprintf("%s: {%s}", d.Name, words))
	}
	for _, k := range p.Knobs {
		b.WriteString(k + "\n")
	}
	fmt.Fprintf(&b, "devices: {%s}\nimage: {%s}\n", strings.Join(devices, ", "), p.Image.text())
	if p.Activate > 0 {
		fmt.Fprintf(&b, "activate: %s\n", homefile.Duration(p.Activate))
	}
	if len(p.Occurrences) > 0 || p.Heal > 0 {
		b.WriteString("faults:\n")
	}
	for i := range p.Occurrences {
		o := &p.Occurrences[i]
		fmt.Fprintf(&b, "  - {at: %s, %s}\n", homefile.Duration(o.At), o.what())
	}
	if p.Heal > 0 {
		last := Image{Size: healedSize, Version: newest}
		fmt.Fprintf(&b, "  - {at: %s, image_superseded: {%s}}\n", homefile.Duration(p.Heal), last.text())
		fmt.Fprintf(&b, "expect: {version: %08X, state: activated}\n", uint32(newest))
	}
	return b.String()
}
