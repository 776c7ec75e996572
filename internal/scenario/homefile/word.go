package homefile

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/commshub/commshub/devices/battery"
	"github.com/commshub/commshub/devices/bootloader"
	"github.com/commshub/commshub/gasproxy"
	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/gbcs"
	"github.com/commshub/commshub/han/installcode"
	"github.com/commshub/commshub/hub/store"
	"github.com/commshub/commshub/internal/batteryset"
	"github.com/commshub/commshub/internal/trace"
)

// Text is any text.
type Text string

func (t *Text) set(text string) error { *t = Text(text); return nil }
func (*Text) form() form              { return form{name: "text", want: "a text", number: true} }

// Name is the name of a device.
type Name string

func (n *Name) set(text string) error {
	if !isName(text) {
		return errForm
	}
	*n = Name(text)
	return nil
}

func isName(text string) bool {
	return text != "" && len(text) <= 32 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func (*Name) form() form {
	return form{name: "name", want: "a name of letters, digits, - and _", pattern: `^[A-Za-z0-9_-]{1,32}$`, number: true}
}

// Instant is a point in emulated time.
type Instant struct{ time.Time }

func (i *Instant) set(text string) error {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return errForm
	}
	i.Time = t.UTC()
	return nil
}

func (*Instant) form() form {
	return form{name: "time", want: "a time such as 2026-01-05T03:00:00Z", pattern: instantPattern}
}

const instantPattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$`

// Stop is when a run ends.
type Stop uint8

// The ends of a run.
const (
	StopSettled Stop = iota
	StopDuration
)

var stopNames = []string{"settled", "duration"}

func (s *Stop) set(text string) error {
	i, err := index(stopNames, text)
	*s = Stop(i)
	return err
}
func (*Stop) form() form { return oneOf(stopNames...) }

// Memory is a region of a meter's flash.
type Memory uint8

// The regions.
const (
	Registers Memory = iota
	Control
	Application
)

var memoryNames = []string{"registers", "control", "application"}

func (m *Memory) set(text string) error {
	i, err := index(memoryNames, text)
	*m = Memory(i)
	return err
}
func (*Memory) form() form { return oneOf(memoryNames...) }

// String returns the region's name.
func (m Memory) String() string { return memoryNames[m] }

// Moment is the side of a commit on which power fails.
type Moment uint8

// The moments.
const (
	BeforeCommit Moment = iota
	AfterCommit
)

var momentNames = []string{"before", "after"}

func (m *Moment) set(text string) error {
	i, err := index(momentNames, text)
	*m = Moment(i)
	return err
}
func (*Moment) form() form { return oneOf(momentNames...) }

// Pacing is a pacing policy of the gas proxy.
type Pacing struct{ gasproxy.Policy }

func (p *Pacing) set(text string) error {
	policy, err := gasproxy.ParsePolicy(text)
	if err != nil {
		return err
	}
	p.Policy = policy
	return nil
}

func (*Pacing) form() form {
	return form{name: "pacing", want: "one of " + strings.Join(gasproxy.PolicyExamples(), ", "), pattern: `^[a-z]+=`}
}

// Kind is a kind of device that can be emulated.
type Kind store.Kind

var kinds = []store.Kind{store.KindGSME, store.KindESME, store.KindIHD}

func kindNames() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.String())
	}
	return names
}

func (k *Kind) set(text string) error {
	i, err := index(kindNames(), text)
	*k = Kind(kinds[i])
	return err
}
func (*Kind) form() form { return oneOf(kindNames()...) }

// String returns the kind as GBCS writes it.
func (k Kind) String() string { return store.Kind(k).String() }

// EUI64 is a device's address.
type EUI64 han.EUI64

func (e *EUI64) set(text string) error {
	v, err := han.ParseEUI64(text)
	if err != nil {
		return errForm
	}
	*e = EUI64(v)
	return nil
}

func (*EUI64) form() form {
	return form{name: "EUI64", want: "an EUI64 of 16 hex digits such as 00DB1234567890A1", number: true}
}

// InstallCode is a device's install code. No message repeats it.
type InstallCode installcode.Code

func (c *InstallCode) set(text string) error {
	v, err := installcode.Parse(text)
	*c = InstallCode(v)
	return err
}

func (*InstallCode) form() form {
	return form{name: "install code", want: "an install code as printed on the device: 36 hex digits, grouped or not", pattern: `^[0-9A-Fa-f :-]+$`, number: true}
}

// Version is a firmware version.
type Version uint32

func (v *Version) set(text string) error {
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil || len(text) != 8 {
		return errForm
	}
	*v = Version(n)
	return nil
}

func (*Version) form() form {
	return form{name: "version", want: "a version of 8 hex digits such as 02000000", pattern: `^[0-9A-Fa-f]{8}$`, number: true}
}

// String returns the version as a scenario file writes it.
func (v Version) String() string { return fmt.Sprintf("%08X", uint32(v)) }

// Code is a number of 4 hex digits.
type Code uint16

func (c *Code) set(text string) error {
	n, err := strconv.ParseUint(text, 16, 16)
	if err != nil || len(text) != 4 {
		return errForm
	}
	*c = Code(n)
	return nil
}

func (*Code) form() form {
	return form{name: "4 hex digits", want: "4 hex digits such as 0100", pattern: `^[0-9A-Fa-f]{4}$`, number: true}
}

func (a *Alert) set(text string) error { return (*Code)(a).set(text) }
func (*Alert) form() form {
	return form{name: "alert code", want: "an alert code of 4 hex digits such as 8F72", pattern: `^[0-9A-Fa-f]{4}$`, number: true}
}

// String returns the code and what it means.
func (a Alert) String() string { return fmt.Sprintf("%04X %s", uint16(a), gbcs.AlertCode(a)) }

func (o *Occurrence) set(text string) error {
	if text == "bricked" {
		*o = Occurrence{Bricked: true}
		return nil
	}
	kind, err := trace.ParseKind(text)
	if err != nil {
		return errForm
	}
	*o = Occurrence{Kind: kind}
	return nil
}
func (*Occurrence) form() form {
	f := oneOf(append([]string{"bricked"}, trace.KindNames()...)...)
	f.name = "event"
	return f
}

// State is the state of an update in the hub's records.
type State store.UpdateState

func (s *State) set(text string) error {
	i, err := index(store.UpdateStateNames(), text)
	*s = State(i)
	return err
}
func (*State) form() form {
	f := oneOf(store.UpdateStateNames()...)
	f.name = "state"
	return f
}

// Program is how an image behaves once it runs.
type Program bootloader.Program

var programs = []bootloader.Program{bootloader.ProgramWorks, bootloader.ProgramFailsSelfTest, bootloader.ProgramHangs}

func programNames() []string {
	var names []string
	for _, p := range programs {
		names = append(names, p.String())
	}
	return names
}

func (p *Program) set(text string) error {
	i, err := index(programNames(), text)
	*p = Program(programs[i])
	return err
}
func (*Program) form() form { return oneOf(programNames()...) }

// Trust is what a meter demands of an image.
type Trust bootloader.Trust

func (t *Trust) set(text string) error {
	v, err := bootloader.ParseTrust(text)
	if err != nil {
		return errForm
	}
	*t = Trust(v)
	return nil
}
func (*Trust) form() form {
	return oneOf(bootloader.TrustSigned.String(), bootloader.TrustAny.String())
}

// Signer is who signed an image.
type Signer uint8

// The signers.
const (
	SignedByManufacturer Signer = iota
	SignedByStranger
)

var signerNames = []string{"manufacturer", "stranger"}

func (s *Signer) set(text string) error {
	i, err := index(signerNames, text)
	*s = Signer(i)
	return err
}
func (*Signer) form() form { return oneOf(signerNames...) }

// Activation is when the supplier has meters switch.
type Activation struct {
	Never bool
	At    time.Time // dated, if set
	After Duration  // dated, counted from the start, if set
}

func (a *Activation) set(text string) error {
	*a = Activation{}
	var at Instant
	switch {
	case text == "now":
	case text == "never":
		a.Never = true
	case at.set(text) == nil:
		a.At = at.Time
	case a.After.set(text) == nil && a.After > 0:
	default:
		return errForm
	}
	return nil
}

func (*Activation) form() form {
	return form{name: "now, never, time, duration", want: "now, never, a time such as 2026-01-08T03:00:00Z, or a duration after the start such as 3d"}
}

// When returns the instant of a dated activation; zero means at once.
func (a Activation) When(start time.Time) time.Time {
	if a.After > 0 {
		return start.Add(time.Duration(a.After))
	}
	return a.At
}

// BatterySet is the parameter set of a meter's radio, processor and cell.
type BatterySet struct {
	battery.Set
	From string // the name of a set that comes with the program, or a file
}

func (b *BatterySet) set(text string) error {
	if _, err := battery.Named(text); err != nil && !batteryset.IsFile(text) {
		return errForm
	}
	b.From = text
	return nil
}

func (b *BatterySet) resolve(dir string) error {
	model, err := batteryset.Find(b.From, dir)
	b.Set = model.Set
	return err
}

func (*BatterySet) form() form {
	f := oneOf(battery.Names()...)
	f.name, f.want, f.pattern = f.name+", file", batteryset.Want(), batteryset.FilePattern
	return f
}
