// Package ihd is an in-home display. It reads the gas meter's readings from the
// gas proxy's mirror at any time, without waking the meter, and shows how old
// they are.
package ihd

import (
	"fmt"
	"time"

	"github.com/commshub/commshub/han"
	"github.com/commshub/commshub/han/metering"
	"github.com/commshub/commshub/han/prepayment"
	"github.com/commshub/commshub/han/zcl"
	"github.com/commshub/commshub/internal/trace"
)

// Config is a display's character.
type Config struct {
	EUI64          han.EUI64
	Hub            han.EUI64
	Endpoint       uint8
	MirrorEndpoint uint8         // of the hub's mirror of the gas meter
	Interval       time.Duration // between readings
	// Prepayment has it show the meter's account too.
	Prepayment bool
}

// DefaultInterval is how often a display reads the mirror. An assumption.
const DefaultInterval = 10 * time.Minute

// Reading is what the display shows.
type Reading struct {
	Valid       bool
	Litres      uint64
	BatteryDays uint16        // of the meter
	Taken       time.Time     // zero if the mirror does not tell
	Age         time.Duration // when it was read
	// Doubted tells that later readings of the meter are not believed.
	Doubted bool
	// Balance is what is in the meter's account, in thousandths of a penny, nil if that is not
	// known.
	Balance *int64
}

// String returns the display's line.
func (r Reading) String() string {
	rest := ""
	if r.Balance != nil {
		pence := *r.Balance / 1000
		rest = fmt.Sprintf("; balance £%d.%02d", pence/100, pence%100)
	}
	if r.Doubted {
		rest += "; check meter"
	}
	switch {
	case !r.Valid:
		return "no reading yet" + rest
	case r.Taken.IsZero():
		return fmt.Sprintf("%d.%03d m³, of unknown age%s", r.Litres/1000, r.Litres%1000, rest)
	default:
		return fmt.Sprintf("%d.%03d m³, %s old%s", r.Litres/1000, r.Litres%1000, r.Age.Round(time.Second), rest)
	}
}

type timer uint8

const timerRead timer = 0

// Display is an in-home display.
type Display struct {
	cfg       Config
	station   zcl.Station
	deadlines han.Deadlines[timer]
	tsn       uint8
	accountTS uint8 // transaction of the last reading of the account
	reading   Reading
	balance   *int64
}

var _ han.Node = (*Display)(nil)

// New returns a display that reads for the first time at now.
func New(cfg Config, now time.Time) *Display {
	if cfg.Interval == 0 {
		cfg.Interval = DefaultInterval
	}
	d := &Display{cfg: cfg, station: zcl.Station{Node: cfg.EUI64, Endpoint: cfg.Endpoint}}
	d.deadlines.Schedule(timerRead, now)
	return d
}

// EUI64 implements han.Node.
func (d *Display) EUI64() han.EUI64 { return d.cfg.EUI64 }

// NextTimer implements han.Node.
func (d *Display) NextTimer() (han.Deadline, bool) { return d.deadlines.Next() }

// Reading returns what the display shows.
func (d *Display) Reading() Reading { return d.reading }

// HandleTimer implements han.Node.
func (d *Display) HandleTimer(now time.Time, out *han.Outbox) {
	if _, ok := d.deadlines.Expired(now); !ok {
		return
	}
	d.deadlines.Schedule(timerRead, now.Add(d.cfg.Interval))
	h := zcl.Header{DisableDefaultResponse: true, Command: zcl.CommandReadAttributes}
	to := zcl.Peer{Node: d.cfg.Hub, Endpoint: d.cfg.MirrorEndpoint, Cluster: metering.ClusterID}
	d.tsn = zcl.Send(&d.station, out, to, h, zcl.ReadAttributes{IDs: []uint16{
		metering.AttributeCurrentSummationDelivered,
		metering.AttributeReadingSnapshotTime,
		metering.AttributeRemainingBatteryLifeInDays,
		metering.AttributeStatus,
	}})
	if d.cfg.Prepayment {
		to.Cluster = prepayment.ClusterID
		d.accountTS = zcl.Send(&d.station, out, to, h, zcl.ReadAttributes{IDs: []uint16{prepayment.AttributeCreditRemaining}})
	}
}

// HandleFrame implements han.Node.
func (d *Display) HandleFrame(now time.Time, f han.Frame, out *han.Outbox) {
	if f.Src != d.cfg.Hub {
		return
	}
	h, payload, err := zcl.ParseHeader(f.Payload)
	if err != nil {
		d.refuse(now, out, f, err)
		return
	}
	account := f.Cluster == prepayment.ClusterID && d.cfg.Prepayment
	if f.Cluster != metering.ClusterID && !account || h.ClusterSpecific || h.Command != zcl.CommandReadAttributesResponse {
		zcl.AnswerDefault(&d.station, out, f, h, zcl.StatusUnsupCommand)
		return
	}
	if want := map[bool]uint8{false: d.tsn, true: d.accountTS}[account]; h.TSN != want {
		return // late
	}
	r, err := zcl.ParseReadAttributesResponse(payload)
	if err != nil {
		d.refuse(now, out, f, err)
		return
	}
	if account {
		d.showAccount(now, out, f, r)
		return
	}
	d.show(now, out, f, r)
}

// showAccount takes the balance over.
func (d *Display) showAccount(now time.Time, out *han.Outbox, f han.Frame, r zcl.ReadAttributesResponse) {
	for _, a := range r.Attributes {
		if a.ID == prepayment.AttributeCreditRemaining && a.Status == zcl.StatusSuccess {
			balance := a.Value.Int()
			d.balance, d.reading.Balance = &balance, &balance
		}
	}
	out.Record(trace.Record{At: now, Node: uint64(d.cfg.EUI64), Kind: trace.MirrorRead, Peer: uint64(f.Src),
		Took: d.reading.Age, Text: d.reading.String()})
}

// show takes the values over. The age is counted from the time at which the
// proxy got the reading, which the mirror tells in ReadingSnapshotTime.
func (d *Display) show(now time.Time, out *han.Outbox, f han.Frame, r zcl.ReadAttributesResponse) {
	reading := Reading{Balance: d.balance}
	for _, a := range r.Attributes {
		if a.Status != zcl.StatusSuccess {
			continue
		}
		switch a.ID {
		case metering.AttributeCurrentSummationDelivered:
			reading.Valid, reading.Litres = true, a.Value.Number
		case metering.AttributeReadingSnapshotTime:
			reading.Taken = zcl.UTCTime(a.Value.Number).Time()
		case metering.AttributeRemainingBatteryLifeInDays:
			reading.BatteryDays = uint16(a.Value.Number)
		case metering.AttributeStatus:
			reading.Doubted = a.Value.Number&uint64(metering.StatusCheckMeter) != 0
		}
	}
	if reading.Valid && !reading.Taken.IsZero() {
		reading.Age = max(0, now.Sub(reading.Taken))
	}
	d.reading = reading
	out.Record(trace.Record{At: now, Node: uint64(d.cfg.EUI64), Kind: trace.MirrorRead, Peer: uint64(f.Src),
		Took: reading.Age, Text: reading.String()})
}

func (d *Display) refuse(now time.Time, out *han.Outbox, f han.Frame, err error) {
	out.Record(trace.Record{At: now, Node: uint64(d.cfg.EUI64), Kind: trace.FrameRefused, Peer: uint64(f.Src), Text: err.Error()})
}
