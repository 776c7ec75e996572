// Package judge watches a home and says which promise is broken, when, and by whom.
//
//	records of the trace ──► ┌───────┐
//	snapshots, after events ►│ Judge │──► Broken: promise, device, instant, in words
//	the end of the run ─────►└───────┘──► Seen: what the run went through
//
// It is a slow and plain model of the life of meters, orders and updates. It knows
// nothing of how hub, supplier and meters are made and shares no code with them: a
// mistake that is made in both is not likely. [Promise] lists what it holds.
//
// The contract for callers: records and snapshots come in the order of time; a
// snapshot is taken between two events, and holds all there is, but for the inbox, of
// which it holds what came since the last.
package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/commshub/commshub/internal/trace"
)

// Promise is a promise to the supplier and to the people of the home. The zero Promise
// is none.
type Promise uint8

// The promises.
const (
	_ Promise = iota
	FirmwareByOrder
	RegisterRises
	CountersRise
	MeterRuns
	MessageOnce
	LifeOfOrder
	LifeOfUpdate
	OneUpdate
	ActivatedIsRun
	OrderEnds
	AlertTold

	promiseEnd
)

var promises = [promiseEnd]string{
	FirmwareByOrder: "firmware changes by an order with its hash, or back to what ran before",
	RegisterRises:   "a register never goes back",
	CountersRise:    "originator counters rise",
	MeterRuns:       "a meter with power has an image to run",
	MessageOnce:     "no message comes to the supplier twice",
	LifeOfOrder:     "an order goes from state to state as published, and stays where it ended",
	LifeOfUpdate:    "an update goes from state to state as published, and stays where it ended",
	OneUpdate:       "a device has one update at a time",
	ActivatedIsRun:  "a device runs what the supplier takes for activated",
	OrderEnds:       "an order that was due has an outcome",
	AlertTold:       "an alert comes to the supplier",
}

// String returns the promise in words.
func (p Promise) String() string {
	if p == 0 || p >= promiseEnd {
		return fmt.Sprintf("promise(%d)", uint8(p))
	}
	return promises[p]
}

// Broken is a promise that did not hold.
type Broken struct {
	At      time.Time
	Device  uint64
	Promise Promise
	Text    string // what was seen
}

// Meter is what is seen of a meter. Of one that is off only Bricked is known.
type Meter struct {
	EUI64    uint64
	Powered  bool
	On       bool // its application runs
	Bricked  bool
	Version  uint32
	Register uint64
}

// Update is the supplier's record of an update.
type Update struct {
	Device  uint64
	File    [32]byte // hash
	Version uint32
	State   string
	Started int64 // when it was offered last, in microseconds of Unix time
}

// Order is the supplier's record of an order.
type Order struct {
	Device  uint64
	Counter uint64
	State   string
	Due     time.Time // when it is to be carried out
	// Activates tells that it orders a switch to the firmware of Version.
	Activates bool
	Version   uint32
}

// Message is an entry of the supplier's inbox.
type Message struct {
	Device uint64
	Code   uint16 // of an alert, 0 for a response
	// Bytes are those of the message; nil if the hub says it by itself. Counter is its
	// originator's.
	Bytes   []byte
	Counter uint64
	// Forged is set of a message that the supplier has and does not believe.
	Forged bool
}

// Snapshot is all that is seen between two events. Updates and Orders are only
// looked at if Records is set, Meters always.
type Snapshot struct {
	At      time.Time
	Meters  []Meter
	Records bool
	Updates []Update
	Orders  []Order
	Inbox   []Message // since the last snapshot with records
}

// Judge watches one home.
type Judge struct {
	broken   []Broken
	failed   map[[2]uint64]bool // promise and device, of what is broken
	meters   map[uint64]*life
	orders   map[orderKey]Order
	updates  map[updateKey]Update
	counter  uint64 // the supplier's highest
	messages map[string]bool
	seen     Seen
}

// life is what is known of a meter.
type life struct {
	last     Meter
	known    bool // last is of a meter that ran
	offSince time.Time
	ran      []uint32 // versions since the last that was confirmed, the last one runs
	ever     []uint32 // versions that it ran at any time
	ordered  []uint32 // versions that the supplier ordered, and that were not confirmed since
	counter  uint64   // of its last alert
	turned   int      // frames of it of which a bit was turned
	forged   int      // messages of it that the supplier does not believe
	raised   map[uint32]int
	came     map[uint32]int
}

type orderKey struct{ device, counter uint64 }

type updateKey struct {
	device uint64
	file   [32]byte
}

// New returns the judge of a home.
func New() *Judge {
	return &Judge{
		failed: map[[2]uint64]bool{}, meters: map[uint64]*life{}, orders: map[orderKey]Order{},
		updates: map[updateKey]Update{}, messages: map[string]bool{}, seen: Seen{},
	}
}

// Broken returns what was broken, the first of each promise and device, in the order of
// time.
func (j *Judge) Broken() []Broken {
	slices.SortStableFunc(j.broken, func(a, b Broken) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Promise, b.Promise), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Text, b.Text))
	})
	return j.broken
}

// Seen returns what the home went through so far.
func (j *Judge) Seen() Seen { return j.seen }

func (j *Judge) fail(at time.Time, device uint64, p Promise, format string, args ...any) {
	key := [2]uint64{uint64(p), device}
	if j.failed[key] {
		return
	}
	j.failed[key] = true
	j.broken = append(j.broken, Broken{at, device, p, fmt.Sprintf(format, args...)})
}

func (j *Judge) life(eui uint64) *life {
	l := j.meters[eui]
	if l == nil {
		l = &life{raised: map[uint32]int{}, came: map[uint32]int{}}
		j.meters[eui] = l
	}
	return l
}

// Take sees a record.
func (j *Judge) Take(r *trace.Record) {
	j.seen.record(r)
	switch r.Kind {
	case trace.FrameCorrupted:
		j.life(r.Node).turned++
	case trace.AlertRaised:
		j.life(r.Node).raised[r.Code]++
	case trace.FirmwareConfirmed:
		l := j.life(r.Node)
		l.ran = []uint32{r.Version}
		l.ordered = slices.DeleteFunc(l.ordered, func(v uint32) bool { return v == r.Version })
	default:
	}
}

// Look sees a snapshot.
func (j *Judge) Look(s *Snapshot) {
	if s.Records {
		j.lookAtOrders(s)
		j.lookAtUpdates(s)
		for i := range s.Inbox {
			j.lookAtMessage(s.At, &s.Inbox[i])
		}
	}
	for i := range s.Meters {
		j.lookAtMeter(s.At, &s.Meters[i])
	}
}

// backAfter is how long a meter that has power may take until its application runs: a
// watchdog's period and some reboots.
const backAfter = 10 * time.Minute

func (j *Judge) lookAtMeter(at time.Time, m *Meter) {
	l := j.life(m.EUI64)
	if m.Bricked {
		j.fail(at, m.EUI64, MeterRuns, "no image is left to run")
		return
	}
	if !m.On {
		switch {
		case !m.Powered:
			l.offSince = time.Time{}
		case l.offSince.IsZero():
			l.offSince = at
		case at.Sub(l.offSince) > backAfter:
			j.fail(at, m.EUI64, MeterRuns, "it has had power since %s and does not run", clock(l.offSince))
		}
		return
	}
	l.offSince = time.Time{}
	switch {
	case !l.known:
		l.ran, l.ever = []uint32{m.Version}, []uint32{m.Version}
	case m.Version != l.last.Version:
		j.switched(at, l, m)
	}
	if l.known && m.Register < l.last.Register {
		j.fail(at, m.EUI64, RegisterRises, "from %d to %d", l.last.Register, m.Register)
	}
	l.last, l.known = *m, true
}

// switched judges firmware that is not what ran at the last snapshot.
func (j *Judge) switched(at time.Time, l *life, m *Meter) {
	l.ever = append(l.ever, m.Version)
	if l.ran[len(l.ran)-1] == m.Version {
		return // its confirmation told already
	}
	before := l.ran[:len(l.ran)-1]
	switch n := len(before); {
	case slices.Contains(l.ordered, m.Version):
		l.ran = append(l.ran, m.Version)
	case n > 0 && before[n-1] == m.Version:
		l.ran = before
	default:
		j.fail(at, m.EUI64, FirmwareByOrder, "from %08X to %08X, which nobody ordered", l.last.Version, m.Version)
		l.ran = append(l.ran, m.Version)
	}
}

func (j *Judge) lookAtMessage(at time.Time, m *Message) {
	l := j.life(m.Device)
	if m.Bytes == nil {
		return
	}
	if key := string(m.Bytes); j.messages[key] {
		j.fail(at, m.Device, MessageOnce, "%d bytes with counter %d", len(m.Bytes), m.Counter)
	} else {
		j.messages[key] = true
	}
	if m.Forged {
		l.forged++
	}
	if m.Code == 0 {
		return
	}
	l.came[uint32(m.Code)]++
	if m.Counter < l.counter && l.turned == 0 { // nobody notices a bit that was turned in a counter
		j.fail(at, m.Device, CountersRise, "alert %04X has counter %d after %d", m.Code, m.Counter, l.counter)
	}
	l.counter = max(l.counter, m.Counter)
}

// Settled judges what must be done when nothing is on its way any more.
func (j *Judge) Settled(at time.Time) {
	for _, o := range sorted(j.orders) {
		if !o.ended() && !o.Due.After(at) {
			j.fail(at, o.Device, OrderEnds, "the one with counter %d is %s", o.Counter, o.State)
		}
	}
	for eui, l := range j.meters {
		if l.known {
			j.told(at, eui, l)
		}
	}
}

// told judges whether all alerts of a meter came. A bit may be turned on the way, for each
// frame of which one was: such an alert comes as a message that is not believed, or if
// nobody checks signatures as another alert.
func (j *Judge) told(at time.Time, eui uint64, l *life) {
	missing, strange, text := 0, l.forged, ""
	for _, code := range slices.Sorted(maps.Keys(l.raised)) {
		if n := l.raised[code] - l.came[code]; n > 0 {
			missing += n
			text = fmt.Sprintf("%04X was raised %d times and came %d times", code, l.raised[code], l.came[code])
		}
	}
	for code, n := range l.came {
		strange += max(0, n-l.raised[code])
	}
	if missing > min(strange, l.turned) {
		j.fail(at, eui, AlertTold, "%s", text)
	}
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }
